"""Many threads' rows in few transactions, since a transaction costs much more than a row.

One thread does all writing: it takes whatever waits, writes it at once, and tells each of those who
wait. It is started by the first row, and so after any fork.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from bot.errors import DatabaseFailed

Row = Mapping[str, object]
_MISTAKE = "its writer failed"


class _Entry:
    """`claim` is taken once: by the writer, or by a caller who waits no longer. `done` opens when
    `error` is right."""

    __slots__ = ("claim", "done", "error", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.claim = threading.Lock()
        self.done = threading.Lock()
        self.done.acquire()
        self.error: str | None = None


class GroupCommit:
    """`write` stores all of the rows or, raising DatabaseFailed, none."""

    def __init__(self, write: Callable[[Sequence[Row]], None], *, wait_s: float) -> None:
        self._write = write
        self._wait_s = wait_s
        self._waiting: SimpleQueue[_Entry] = SimpleQueue()
        self._starting = threading.Lock()
        self._writer: threading.Thread | None = None

    def __len__(self) -> int:
        """How many rows wait for the next write."""
        return self._waiting.qsize()

    def add(self, row: Row) -> None:
        """The row is stored when this returns. DatabaseFailed where it is not: after `wait_s` or,
        if its write is under way by then, at the end of that."""
        entry = _Entry(row)
        self._waiting.put(entry)
        self._start_writer()
        if not entry.done.acquire(timeout=self._wait_s):
            if entry.claim.acquire(blocking=False):
                raise _cannot_take_it("too many wait")
            entry.done.acquire()
        if entry.error is not None:
            raise _cannot_take_it(entry.error)

    def _start_writer(self) -> None:
        with self._starting:
            if self._writer is None or not self._writer.is_alive():
                self._writer = threading.Thread(
                    target=self._write_for_ever, name="inbox", daemon=True
                )
                self._writer.start()

    def _write_for_ever(self) -> None:
        while True:
            self._write_batch(self._claimed(self._waiting.get()))

    def _write_batch(self, batch: list[_Entry]) -> None:
        error: str | None = _MISTAKE
        try:
            if batch:
                self._write([entry.row for entry in batch])
            error = None
        except DatabaseFailed as failure:
            error = failure.message
            # Where the database was away for these it is for all: those who came meanwhile need not
            # wait as long again.
            batch += self._claimed()
        finally:
            if error == _MISTAKE:
                self._writer = (
                    None  # this thread ends with what was raised; the next row starts another
                )
            for entry in batch:
                entry.error = error
                entry.done.release()

    def _claimed(self, *first: _Entry) -> list[_Entry]:
        """These and all that wait, without those whose callers are gone."""
        found = list(first)
        with suppress(Empty):
            while True:
                found.append(self._waiting.get_nowait())
        return [entry for entry in found if entry.claim.acquire(blocking=False)]


def _cannot_take_it(why: str) -> DatabaseFailed:
    return DatabaseFailed(
        f"The queue cannot take the job now, and nothing was stored: {why.rstrip('.')}.",
        next_step=(
            "Send it again later; if it lasts, the operator should look at the database and its"
            " disk."
        ),
    )
