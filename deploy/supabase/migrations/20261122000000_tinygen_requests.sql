-- TinyGen's request log: one row per request, refused and failed ones included.
-- Run it once, in Supabase's SQL editor or with `supabase db push`. Running it again does no harm.

begin;

create table if not exists public.tinygen_requests (
    id text primary key,
    source text not null,
    delivery_id text,
    installation_id bigint,
    repo text not null,
    issue_number integer,
    actor text,
    prompt text not null,
    mode text not null,
    state text not null,
    base_sha text,
    diff text,
    pull_request_url text,
    model text,
    model_calls integer not null,
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    cost_usd numeric,
    error text,
    created_at timestamptz not null,
    finished_at timestamptz
);

-- Apart from the table, which TinyGen itself may have made already where this database is also its own.
alter table public.tinygen_requests
    alter column created_at set default now(),
    drop constraint if exists tinygen_requests_source,
    drop constraint if exists tinygen_requests_mode,
    drop constraint if exists tinygen_requests_state,
    drop constraint if exists tinygen_requests_usage,
    add constraint tinygen_requests_source check (source in ('comment', 'review_comment', 'run')),
    add constraint tinygen_requests_mode check (mode in ('diff', 'pr', 'ask')),
    add constraint tinygen_requests_state
        check (state in ('queued', 'running', 'done', 'failed', 'cancelled', 'refused')),
    add constraint tinygen_requests_usage
        check (model_calls >= 0 and prompt_tokens >= 0 and completion_tokens >= 0 and cost_usd >= 0);

create index if not exists tinygen_requests_repo on public.tinygen_requests (repo, created_at);
create index if not exists tinygen_requests_delivery on public.tinygen_requests (delivery_id);
create index if not exists tinygen_requests_created on public.tinygen_requests (created_at);

-- Prompts and diffs may come from private repositories: no policy, so only the service role, which passes row
-- security, sees a row; and no grant, so the other roles are told that they may not, instead of finding nothing.
alter table public.tinygen_requests enable row level security;
revoke all on public.tinygen_requests from public, anon, authenticated;
grant select, insert, update, delete on public.tinygen_requests to service_role;

comment on table public.tinygen_requests is 'TinyGen''s requests: one row each, written by the bot, kept by its operator';
comment on column public.tinygen_requests.id is 'the job: GitHub''s delivery id, or the id that /run gave out';
comment on column public.tinygen_requests.source is 'where it came from: comment, review_comment or run';
comment on column public.tinygen_requests.delivery_id is 'X-GitHub-Delivery; null for /run';
comment on column public.tinygen_requests.installation_id is 'the GitHub App''s installation; null without one';
comment on column public.tinygen_requests.repo is 'owner/name';
comment on column public.tinygen_requests.issue_number is 'the issue or pull request; null for /run';
comment on column public.tinygen_requests.actor is 'the login of who asked';
comment on column public.tinygen_requests.prompt is 'what was asked, verbatim';
comment on column public.tinygen_requests.mode is 'what is delivered: diff or pr; ask for a question';
comment on column public.tinygen_requests.state is 'queued, running, done, failed, cancelled or refused';
comment on column public.tinygen_requests.base_sha is 'the commit that the diff applies to';
comment on column public.tinygen_requests.diff is 'the result in git''s format; empty where no change is needed';
comment on column public.tinygen_requests.cost_usd is 'where the model''s server told it, or prices are set';
comment on column public.tinygen_requests.error is 'why it did not end well, and what to do';
comment on column public.tinygen_requests.created_at is 'when the request was received';
comment on column public.tinygen_requests.finished_at is 'when it ended; null until then';

commit;

notify pgrst, 'reload schema';
