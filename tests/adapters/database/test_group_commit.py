"""Rows of many threads in one write: who is told what, whatever the write does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Queue

import pytest

from bot.adapters.database.group_commit import GroupCommit, Row
from bot.errors import DatabaseFailed


class Disk:
    """Each write waits until the test releases `go_on`, having released `begun`."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.error: Exception | None = None
        self.writes: list[list[str]] = []

    def write(self, rows: Sequence[Row]) -> None:
        self.begun.release()
        assert self.go_on.acquire(timeout=10)
        if self.error:
            raise self.error
        self.writes.append(sorted(str(row["id"]) for row in rows))


class Desk:
    """Hands rows in, each from a thread of its own."""

    def __init__(self, pool: ThreadPoolExecutor, wait_s: float = 10) -> None:
        self.disk = Disk()
        self.group = GroupCommit(self.disk.write, wait_s=wait_s)
        self._pool = pool

    def add(self, name: str) -> Future[None]:
        return self._pool.submit(self.group.add, {"id": name})

    def add_until_stored(self, name: str) -> None:
        """However slow the machine is."""
        try:
            self.group.add({"id": name})
        except DatabaseFailed:
            self.add_until_stored(name)

    def add_while_writing(self, *names: str) -> list[Future[None]]:
        """Returns once a write is under way and all of these wait behind it."""
        assert self.disk.begun.acquire(timeout=10)
        added = [self.add(name) for name in names]
        while len(self.group) < len(names):
            threading.Event().wait(0.001)
        return added


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_rows_that_come_during_a_write_are_written_together(pool: ThreadPoolExecutor) -> None:
    desk = Desk(pool)
    first = desk.add("a")
    others = desk.add_while_writing("b", "c", "d")
    desk.disk.go_on.release(2)
    for future in (first, *others):
        future.result(timeout=10)
    assert desk.disk.writes == [["a"], ["b", "c", "d"]]


def test_a_failed_write_fails_for_all_that_were_in_it_or_came_during_it(
    pool: ThreadPoolExecutor,
) -> None:
    desk = Desk(pool)
    desk.disk.error = DatabaseFailed("The disk is full.", next_step="Make room.")
    first = desk.add("a")
    others = desk.add_while_writing("b", "c")
    desk.disk.go_on.release()
    errors = [future.exception(timeout=10) for future in (first, *others)]
    assert [type(error) for error in errors] == [DatabaseFailed] * 3
    assert "nothing was stored: The disk is full." in str(errors[0])
    desk.disk.error = None
    desk.disk.go_on.release()
    desk.add("d").result(timeout=10)
    assert desk.disk.writes == [["d"]]


def test_a_mistake_in_the_write_is_success_for_nobody_and_the_next_row_is_written(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: Queue[type[BaseException]] = Queue()
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.put(told.exc_type))
    desk = Desk(pool)
    desk.disk.error = ValueError("a mistake")
    first = desk.add("a")
    desk.disk.go_on.release()
    assert isinstance(first.exception(timeout=10), DatabaseFailed)
    assert raised.get(timeout=10) is ValueError
    desk.disk.error = None
    desk.disk.go_on.release()
    desk.add("b").result(timeout=10)
    assert desk.disk.writes == [["b"]]


@pytest.mark.parametrize(
    "error", [None, DatabaseFailed("The disk is full.", next_step="Make room.")]
)
def test_a_row_that_waited_too_long_is_withdrawn_but_not_out_of_a_write(
    pool: ThreadPoolExecutor, error: DatabaseFailed | None
) -> None:
    desk = Desk(pool, wait_s=0.5)
    written = desk.add("a")
    assert desk.disk.begun.acquire(timeout=10)
    with pytest.raises(DatabaseFailed, match="nothing was stored: too many wait"):
        desk.group.add({"id": "late"})
    desk.disk.error = error
    desk.disk.go_on.release(2)
    assert type(written.exception(timeout=10)) is type(error)
    desk.disk.error = None
    desk.add_until_stored("b")
    assert desk.disk.writes == ([["b"]] if error else [["a"], ["b"]])
