"""The request log at Supabase, written with its secret key.

Nothing is repeated here: what was not taken waits in the outbox and is sent again (bot/job/log.py).
What Supabase answers is sorted where it arrives, in the HTTP client, because the library's own
error keeps neither the status nor Retry-After, and takes anything with a 200 for an answer.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bot.adapters.http import ACCEPT_ENCODING, bound_body, bound_time
from bot.errors import OutsideError, RowRefused, SetupError, TimedOut
from bot.types import FINAL_STATES, Command, Job, Report, Target
from bot.types.serialization import log_row

if TYPE_CHECKING:
    import httpx
    from postgrest import SyncRequestBuilder
    from supabase import Client

TABLE = "tinygen_requests"

_LATER = "Try again later."
_MIGRATE = "Run the SQL under deploy/supabase/migrations in the project's SQL editor."
_SET_KEY = "Set SUPABASE_KEY to the project's secret (service role) key."
_SET_URL = "Set SUPABASE_URL to the project's own address, https://<project>.supabase.co."

_MAX_BYTES = 16 << 20
"""Of one answer: the longest is one row, with its prompt and its diff."""
_MAX_ERROR_BYTES = 64 * 1024
_LONGEST_WAIT_S = 86_400.0
_CODE = re.compile(r"[A-Za-z0-9]{1,20}")

_NO_SUCH_TABLE_OR_COLUMN = frozenset({"42P01", "PGRST205", "42703", "PGRST204"})
"""https://docs.postgrest.org/en/stable/references/errors.html"""


class SupabaseStore:
    """Store of `bot.ports`, for any number of threads. No error of it holds the key or a value of a
    row."""

    def __init__(self, url: str, key: str, *, timeout_s: float = 5.0) -> None:
        """`timeout_s` bounds each wait for the project: to connect, and for each piece of its
        answer; six of them bound the answer."""
        self._url = url
        self._key = key
        self._timeout_s = timeout_s
        self._client: Client | None = None
        self._connecting = threading.Lock()

    def write(self, report: Report) -> None:
        """Inserts the row, or brings it to this report's state; an older state never replaces a
        final one.

        OutsideError where writing it later may help, SetupError where the operator must act first:
        RowRefused where others may be taken.
        """
        with _named_errors():
            # Most rows are there already; the second update is for one that came in between.
            self._update(report) or self._insert(report) or self._update(report)

    def _update(self, report: Report) -> bool:
        """Whether a row was there to be changed."""
        row = {
            name: value
            for name, value in log_row(report).items()
            if name not in ("id", "created_at")
        }
        update = self._table().update(row).eq("id", report.job.id)
        if report.state not in FINAL_STATES:
            update = update.not_.in_("state", sorted(FINAL_STATES))
        return bool(update.select("id").execute().data)

    def _insert(self, report: Report) -> bool:
        """Whether no row was there."""
        row = {
            name: value for name, value in log_row(report).items() if name != "created_at" or value
        }
        insert = self._table().upsert(row, on_conflict="id", ignore_duplicates=True)
        return bool(insert.select("id").execute().data)

    def check(self) -> None:
        """Returns where the table is there, with all of its columns, and this key may read it."""
        columns = log_row(Report(Job("", "run", Target(""), Command("solve")), "queued"))
        with _named_errors():
            self._table().select(*columns).limit(1).execute()

    def close(self) -> None:
        if self._client is not None:
            self._client.postgrest.session.close()

    def _table(self) -> SyncRequestBuilder:
        with self._connecting:
            self._client = self._client or _connect(self._url, self._key, self._timeout_s)
        return self._client.table(TABLE)


def _connect(url: str, key: str, timeout_s: float) -> Client:
    """The library takes 0.3 s to import, and any text for a key: one that no header can hold fails
    only later, with itself in the message."""
    import httpx
    from supabase import ClientOptions, SupabaseException, create_client

    if not key.isascii() or not key.isprintable() or " " in key:
        raise SetupError("SUPABASE_KEY holds characters that no key has.", next_step=_SET_KEY)
    http = httpx.Client(
        timeout=timeout_s,
        follow_redirects=False,
        headers={"Accept-Encoding": ACCEPT_ENCODING},
        event_hooks={"response": [bound_body(_MAX_BYTES), _sort]},
    )
    bound_time(http)
    try:
        return create_client(
            url, key, ClientOptions(httpx_client=http, postgrest_client_retry=False)
        )
    except SupabaseException:
        raise SetupError(
            "SUPABASE_URL or SUPABASE_KEY cannot be used.", next_step=f"{_SET_URL} {_SET_KEY}"
        ) from None


@contextmanager
def _named_errors() -> Iterator[None]:
    """The library's own words may quote a request, so none of them is passed on."""
    import httpx

    try:
        yield
    except httpx.TimeoutException:
        raise TimedOut("Supabase did not answer in time.", next_step=_LATER) from None
    except httpx.HTTPError as error:
        raise OutsideError(
            f"Supabase cannot be reached ({type(error).__name__}).", next_step=_LATER
        ) from None


def _sort(response: httpx.Response) -> None:
    """Returns where PostgREST did what it was asked; else raises what follows from the answer."""
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    if response.is_success and (is_json or response.status_code == 204):
        return
    response.read()
    status, code = response.status_code, _code(response.content)
    if status in (408, 429) or status >= 500:
        raise OutsideError(
            f"Supabase answered {status}.", next_step=_LATER, retry_in_s=_retry_in_s(response)
        )
    if (
        code in _NO_SUCH_TABLE_OR_COLUMN or response.content == b"{}"
    ):  # all that PostgREST 12 says to a PATCH
        raise SetupError(
            f"Supabase has no table {TABLE} as this version writes it ({code or status}).",
            next_step=_MIGRATE,
        )
    if status in (401, 403):
        raise SetupError(
            f"Supabase does not let this key use {TABLE} ({code or status}).", next_step=_SET_KEY
        )
    if code is None:
        raise SetupError(
            f"What answers at SUPABASE_URL is not Supabase ({status}).", next_step=_SET_URL
        )
    raise RowRefused(f"Supabase refused the row ({code}).", next_step=_MIGRATE)


def _code(body: bytes) -> str | None:
    """PostgreSQL's or PostgREST's code for the error; None where neither spoke."""
    try:
        answer = json.loads(body[:_MAX_ERROR_BYTES])
    except (ValueError, RecursionError):
        return None
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _retry_in_s(response: httpx.Response) -> float | None:
    seconds = response.headers.get("Retry-After", "")
    return min(float(seconds), _LONGEST_WAIT_S) if seconds.isdecimal() else None
