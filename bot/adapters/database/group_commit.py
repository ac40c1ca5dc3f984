"""Stores rows of many threads in few transactions, since a transaction costs much more than a row.

One thread does all the writing: it takes all rows that wait, writes them in one transaction, and
wakes their callers. The first row starts the thread, so it is never lost in a fork.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from bot.errors import DatabaseFailed

Row = Mapping[str, object]
_WRITER_FAULT = "its writer failed"


class _Entry:
    """A row and its caller. Whoever gets `claim` first decides: the writer writes the row, or a
    caller that waited too long withdraws it. `done` is released once `error` and `is_new` are
    final."""

    __slots__ = ("claim", "done", "error", "is_new", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.claim = threading.Lock()
        self.done = threading.Lock()
        self.done.acquire()
        self.error: str | None = None
        self.is_new = False


class GroupCommit:
    """`write` stores all of the rows or, raising DatabaseFailed, none. It returns the ids of those
    that were not there before."""

    def __init__(
        self, write: Callable[[Sequence[Row]], Collection[object]], *, wait_s: float
    ) -> None:
        self._write = write
        self._wait_s = wait_s
        self._waiting: SimpleQueue[_Entry] = SimpleQueue()
        self._starting = threading.Lock()
        self._writer: threading.Thread | None = None

    def __len__(self) -> int:
        """How many rows wait for the next write."""
        return self._waiting.qsize()

    def add(self, row: Row) -> bool:
        """Returns when the row is stored, and whether it is new. Raises DatabaseFailed if it is not
        stored: after `wait_s` or, if its write has begun by then, when that ends."""
        entry = _Entry(row)
        self._waiting.put(entry)
        self._start_writer()
        if not entry.done.acquire(timeout=self._wait_s):
            if entry.claim.acquire(blocking=False):
                raise _cannot_store("too many wait")
            entry.done.acquire()
        if entry.error is not None:
            raise _cannot_store(entry.error)
        return entry.is_new

    def _start_writer(self) -> None:
        with self._starting:
            if self._writer is None or not self._writer.is_alive():
                self._writer = threading.Thread(
                    target=self._write_for_ever, name="inbox", daemon=True
                )
                self._writer.start()

    def _write_for_ever(self) -> None:
        while True:
            self._write_batch(self._claim_all(self._waiting.get()))

    def _write_batch(self, batch: list[_Entry]) -> None:
        error: str | None = _WRITER_FAULT
        try:
            if batch:
                self._mark_new(batch, self._write([entry.row for entry in batch]))
            error = None
        except DatabaseFailed as failure:
            error = failure.message
            # The database fails for the rows that came meanwhile as well: their callers need not
            # wait for another try.
            batch += self._claim_all()
        finally:
            if error == _WRITER_FAULT:
                # The exception ends this thread, and the next row starts another.
                self._writer = None
            for entry in batch:
                entry.error = error
                entry.done.release()

    @staticmethod
    def _mark_new(batch: Sequence[_Entry], new_ids: Collection[object]) -> None:
        """Of rows of one id, only the first is new."""
        left = set(new_ids)
        for entry in batch:
            entry.is_new = entry.row["id"] in left
            left.discard(entry.row["id"])

    def _claim_all(self, *first: _Entry) -> list[_Entry]:
        """`first` and all that wait, without those that their callers withdrew."""
        found = list(first)
        with suppress(Empty):
            while True:
                found.append(self._waiting.get_nowait())
        return [entry for entry in found if entry.claim.acquire(blocking=False)]


def _cannot_store(why: str) -> DatabaseFailed:
    return DatabaseFailed(
        f"The queue cannot take the job now, and nothing was stored: {why.rstrip('.')}.",
        next_step=(
            "Send it again later; if it lasts, the operator should look at the database and its"
            " disk."
        ),
    )
