-- `mode` is `ask` for a question (`/tinygen ask`).
alter table public.tinygen_requests
    drop constraint if exists tinygen_requests_mode,
    add constraint tinygen_requests_mode check (mode in ('diff', 'pr', 'ask'));
