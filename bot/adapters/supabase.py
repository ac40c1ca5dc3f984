"""The request log at Supabase, written with the project's secret key.

Nothing is retried here: a row that was not taken stays in the outbox and is sent again
(bot/jobs/worker/log_sync.py). Errors are read in the HTTP client, from the answer itself, because
the library's own error keeps neither the status nor `Retry-After`, and the library takes any answer
with the status 200 for a result.
"""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from bot.adapters.http import (
    ACCEPT_ENCODING,
    TRY_LATER,
    bound_body,
    bound_time,
    named_errors,
    parse_retry_after,
)
from bot.errors import OutsideError, RowRefused, SetupError, TinyGenError
from bot.types import FINAL_STATES, Command, Job, Removal, Report, Target
from bot.types.serialization import log_row

if TYPE_CHECKING:
    from postgrest import SyncRequestBuilder
    from supabase import Client

TABLE = "tinygen_requests"

_MIGRATE = "Run the SQL under deploy/supabase/migrations in the project's SQL editor."
_SET_KEY = "Set SUPABASE_KEY to the project's secret (service role) key."
_SET_URL = "Set SUPABASE_URL to the project's own address, https://<project>.supabase.co."

_MAX_ANSWER_BYTES = 16 << 20
"""The longest answer is one row, with its prompt and its diff."""
_MAX_ERROR_BYTES = 64 * 1024
_ERROR_CODE = re.compile(r"[A-Za-z0-9]{1,20}")

_MISSING_TABLE_OR_COLUMN = frozenset({"42P01", "PGRST205", "42703", "PGRST204"})
"""https://docs.postgrest.org/en/stable/references/errors.html"""


class SupabaseStore:
    """Implements `bot.ports.Store`; usable from any thread. None of its errors holds the key or a
    value of a row."""

    def __init__(self, url: str, key: str, *, timeout_s: float = 5.0) -> None:
        """`timeout_s` limits the connecting and each wait for bytes; the whole answer may take six
        of it."""
        self._url = url
        self._key = key
        self._timeout_s = timeout_s
        self._client: Client | None = None
        self._connecting = threading.Lock()

    def write(self, report: Report) -> None:
        """Inserts the row, or updates it to this report's state; a final state is never replaced by
        an older one.

        OutsideError if writing it later may help. SetupError if the operator must act first; its
        kind RowRefused if the table refuses this row only.
        """
        with named_errors("Supabase"):
            # Most rows exist already. The last update is for a row that another process inserted
            # after the first.
            if self._update(report) or self._insert(report):
                return
            self._update(report)

    def forget(self, removal: Removal) -> None:
        if removal.installation_id is None and not removal.names:
            raise ValueError("a removal names an installation or repositories")
        with named_errors("Supabase"):
            for name in removal.names:
                exactly = "^" + re.escape(name).replace("/", "\\/") + "$"
                self._table().delete().filter("repo", "imatch", exactly).select("id").execute()
            if not removal.names:
                of = self._table().delete().eq("installation_id", removal.installation_id)
                of.select("id").execute()

    def _update(self, report: Report) -> bool:
        """True if there was a row to change."""
        row = log_row(report)
        del row["id"], row["created_at"]
        update = self._table().update(row).eq("id", report.job.id)
        if report.state not in FINAL_STATES:
            update = update.not_.in_("state", sorted(FINAL_STATES))
        return bool(update.select("id").execute().data)

    def _insert(self, report: Report) -> bool:
        """True if there was no such row."""
        row = log_row(report)
        if not row["created_at"]:
            del row["created_at"]  # the database sets it
        insert = self._table().upsert(row, on_conflict="id", ignore_duplicates=True)
        return bool(insert.select("id").execute().data)

    def check(self) -> None:
        """Returns if the table exists with all of its columns, and this key may read it."""
        columns = log_row(Report(Job("", "run", Target(""), Command("solve")), "queued"))
        with named_errors("Supabase"):
            self._table().select(*columns).limit(1).execute()

    def try_row(self, row_id: str) -> None:
        """Writes a row of that id, reads it and deletes it; an error if one of these fails or has no
        effect. The row is deleted whatever happens after it was sent."""
        job = Job(row_id, "run", Target(""), Command("solve", "A check: this row may be deleted."))
        try:
            with named_errors("Supabase"):
                self._insert(Report(job, "cancelled"))
                is_shown = bool(self._table().select("id").eq("id", row_id).execute().data)
        except TinyGenError:
            with suppress(TinyGenError):
                self._delete(row_id)
            raise
        try:
            is_deleted, reason = self._delete(row_id), ""
        except TinyGenError as error:
            is_deleted, reason = False, f" {error.message}"
        if not is_deleted:
            message = f"Supabase took the row {row_id}, and does not delete it.{reason}"
            raise SetupError(message, next_step=f"Delete it. {_SET_KEY} {_MIGRATE}")
        if not is_shown:
            message = "Supabase took a row, and did not show it."
            raise SetupError(message, next_step=f"{_SET_KEY} {_MIGRATE}")

    def _delete(self, row_id: str) -> bool:
        """True if there was such a row."""
        with named_errors("Supabase"):
            delete = self._table().delete().eq("id", row_id)
            return bool(delete.select("id").execute().data)

    def close(self) -> None:
        if self._client is not None:
            self._client.postgrest.session.close()

    def _table(self) -> SyncRequestBuilder:
        with self._connecting:
            if self._client is None:
                self._client = _connect(self._url, self._key, self._timeout_s)
        return self._client.table(TABLE)


def _connect(url: str, key: str, timeout_s: float) -> Client:
    # Imported here, since it takes 0.3 s.
    from supabase import ClientOptions, SupabaseException, create_client

    # The library would fail later, with the key in its message.
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SetupError("SUPABASE_KEY holds characters that no key has.", next_step=_SET_KEY)
    client = httpx.Client(
        timeout=timeout_s,
        follow_redirects=False,
        headers={"Accept-Encoding": ACCEPT_ENCODING},
        event_hooks={"response": [bound_body(_MAX_ANSWER_BYTES), _check_response]},
    )
    bound_time(client)
    options = ClientOptions(httpx_client=client, postgrest_client_retry=False)
    try:
        return create_client(url, key, options)
    except SupabaseException:
        raise SetupError(
            "SUPABASE_URL or SUPABASE_KEY cannot be used.", next_step=f"{_SET_URL} {_SET_KEY}"
        ) from None


def _check_response(response: httpx.Response) -> None:
    """Raises the error that the answer stands for; returns if PostgREST did what was asked."""
    status = response.status_code
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    if response.is_success and (is_json or status == 204):
        return
    response.read()
    code = _error_code(response.content)
    if status in (408, 429) or status >= 500:
        message = f"Supabase answered {status}."
        wait_s = parse_retry_after(response.headers, time.time())
        raise OutsideError(message, next_step=TRY_LATER, retry_in_s=wait_s)
    # `{}` is all that PostgREST 12 answers to a PATCH of a table that does not exist.
    if code in _MISSING_TABLE_OR_COLUMN or response.content == b"{}":
        message = f"Supabase has no table {TABLE} as this version writes it ({code or status})."
        raise SetupError(message, next_step=_MIGRATE)
    if status in (401, 403):
        message = f"Supabase does not let this key use {TABLE} ({code or status})."
        raise SetupError(message, next_step=_SET_KEY)
    if code is None:
        message = f"What answers at SUPABASE_URL is not Supabase ({status})."
        raise SetupError(message, next_step=_SET_URL)
    raise RowRefused(f"Supabase refused the row ({code}).", next_step=_MIGRATE)


def _error_code(body: bytes) -> str | None:
    """PostgreSQL's or PostgREST's code for the error; None if the answer comes from neither."""
    try:
        answer = json.loads(body[:_MAX_ERROR_BYTES])
    except (ValueError, RecursionError):
        return None
    code = answer.get("code") if isinstance(answer, dict) else None
    if not isinstance(code, str) or not _ERROR_CODE.fullmatch(code):
        return None
    return code
