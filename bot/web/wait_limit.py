"""Limits how many threads of the web part do something long at once (wait for a diff or for GitHub,
render a large page), so that the others can take webhooks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bot.errors import LimitReached


class WaitLimit:
    """At most `places` threads have a place at once, and always one may."""

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(max(1, places))

    @contextmanager
    def place(self, message: str, *, next_step: str, patience_s: float = 0.0) -> Iterator[None]:
        """A place. LimitReached if none is free within `patience_s`."""
        if not self._places.acquire(timeout=patience_s):
            raise LimitReached(message, next_step=next_step)
        try:
            yield
        finally:
            self._places.release()
