"""Many threads' rows in few transactions, for each commit costs a wait for the disk.

There is no thread of its own, so nothing is to be started after a fork: whoever finds the turn free writes all that
is waiting, and the others find theirs written when the turn comes to them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from bot.errors import OutsideError

Row = Mapping[str, object]


class _Entry:
    __slots__ = ("row", "stored")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.stored: bool | None = None  # None while it waits


class GroupCommit:
    """`write` stores all of the rows or, raising, none."""

    def __init__(self, write: Callable[[Sequence[Row]], None], *, wait_s: float) -> None:
        self._write = write
        self._wait_s = wait_s
        self._turn = threading.Lock()
        self._waiting: deque[_Entry] = deque()

    def __len__(self) -> int:
        """How many rows wait for the next write."""
        return len(self._waiting)

    def add(self, row: Row) -> None:
        """The row is stored when this returns, and is not when it raises (OutsideError, or what `write` raised)."""
        entry = _Entry(row)
        self._waiting.append(entry)
        self._take_turn(entry)
        try:
            if entry.stored is None:
                self._write_waiting()
        finally:
            self._turn.release()
        if not entry.stored:
            raise _cannot_take_it()

    def _take_turn(self, entry: _Entry) -> None:
        if self._turn.acquire(timeout=self._wait_s):
            return
        try:
            self._waiting.remove(entry)
        except ValueError:
            # It is in a transaction that is under way: only its end says whether the row is stored.
            self._turn.acquire()
        else:
            raise _cannot_take_it()

    def _write_waiting(self) -> None:
        batch = self._drain()
        stored = False
        try:
            self._write([entry.row for entry in batch])
            stored = True
        finally:
            # Where the database was away for one it is for all: those that came meanwhile are not made to wait again.
            for entry in batch if stored else [*batch, *self._drain()]:
                entry.stored = stored

    def _drain(self) -> list[_Entry]:
        drained = []
        while self._waiting:
            drained.append(self._waiting.popleft())
        return drained


def _cannot_take_it() -> OutsideError:
    return OutsideError("The queue cannot take the job now; nothing was stored.", next_step="Send it again later.")
