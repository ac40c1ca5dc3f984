"""The addresses of jobs' pages, for their comments."""

from __future__ import annotations

import time
from datetime import datetime

from bot.errors import OutsideError
from bot.ports import LastSeen, Sessions
from bot.thread.page_links import LINK_S, page_path, sign_link
from bot.types import Job

ADDRESS_S = 60.0
"""How long the App's address counts as known."""


class PageUrls:
    """Makes the signed link to a job's page; "" while TinyGen's address is not known, or the
    database cannot say: a comment without a link is better than none."""

    def __init__(self, public_url: str | None, sessions: Sessions, last_seen: LastSeen) -> None:
        self._public_url, self._sessions, self._last_seen = public_url, sessions, last_seen
        self._key = b""
        self._address = ""
        self._ask_at = 0.0

    def __call__(self, job: Job) -> str:
        try:
            address = self._public_url or self._app_address()
            if not address:
                return ""
            self._key = self._key or self._sessions.signing_key()
            accepted_at = datetime.fromisoformat(job.received_at).timestamp()
        except (OutsideError, ValueError):
            return ""
        return address + page_path(job.id, sign_link(self._key, job.id, accepted_at + LINK_S))

    def _app_address(self) -> str:
        if time.monotonic() >= self._ask_at:
            app = self._last_seen.app()
            self._address = app.address if app else ""
            self._ask_at = time.monotonic() + ADDRESS_S
        return self._address
