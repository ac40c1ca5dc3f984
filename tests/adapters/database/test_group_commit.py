"""Rows of many threads in one write: what each caller gets, whatever the write does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Queue

import pytest

from bot.adapters.database.group_commit import GroupCommit, Row
from bot.errors import DatabaseFailed


class HeldWrites:
    """Each write waits until the test releases `go_on`, having released `begun`."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.error: Exception | None = None
        self.batches: list[list[str]] = []
        self.known: frozenset[str] = frozenset()

    def write(self, rows: Sequence[Row]) -> frozenset[str]:
        self.begun.release()
        assert self.go_on.acquire(timeout=10)
        if self.error:
            raise self.error
        self.batches.append(sorted(str(row["id"]) for row in rows))
        return frozenset(self.batches[-1]) - self.known


class Callers:
    """Add rows, each from a thread of its own."""

    def __init__(self, pool: ThreadPoolExecutor, wait_s: float = 10) -> None:
        self.writes = HeldWrites()
        self.group = GroupCommit(self.writes.write, wait_s=wait_s)
        self._pool = pool

    def add(self, name: str) -> Future[bool]:
        return self._pool.submit(self.group.add, {"id": name})

    def add_until_stored(self, name: str) -> None:
        """However slow the machine is."""
        try:
            self.group.add({"id": name})
        except DatabaseFailed:
            self.add_until_stored(name)

    def add_while_writing(self, *names: str) -> list[Future[bool]]:
        """Returns once a write is under way and all of these wait behind it."""
        assert self.writes.begun.acquire(timeout=10)
        added = [self.add(name) for name in names]
        while len(self.group) < len(names):
            threading.Event().wait(0.001)
        return added


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_rows_that_come_during_a_write_are_written_together(pool: ThreadPoolExecutor) -> None:
    callers = Callers(pool)
    first = callers.add("a")
    others = callers.add_while_writing("b", "c", "d")
    callers.writes.go_on.release(2)
    for future in (first, *others):
        future.result(timeout=10)
    assert callers.writes.batches == [["a"], ["b", "c", "d"]]


def test_of_rows_of_one_id_the_first_is_new_and_of_a_known_one_none(
    pool: ThreadPoolExecutor,
) -> None:
    callers = Callers(pool)
    callers.writes.known = frozenset({"a"})
    first = callers.add("a")
    others = callers.add_while_writing("b", "b", "a", "c")
    callers.writes.go_on.release(2)
    assert not first.result(timeout=10)
    assert sorted(future.result(timeout=10) for future in others) == [False, False, True, True]


def test_a_failed_write_fails_for_all_that_were_in_it_or_came_during_it(
    pool: ThreadPoolExecutor,
) -> None:
    callers = Callers(pool)
    callers.writes.error = DatabaseFailed("The disk is full.", next_step="Make room.")
    first = callers.add("a")
    others = callers.add_while_writing("b", "c")
    callers.writes.go_on.release()
    errors = [future.exception(timeout=10) for future in (first, *others)]
    assert [type(error) for error in errors] == [DatabaseFailed] * 3
    assert "nothing was stored: The disk is full." in str(errors[0])
    callers.writes.error = None
    callers.writes.go_on.release()
    callers.add("d").result(timeout=10)
    assert callers.writes.batches == [["d"]]


def test_a_mistake_in_the_write_is_success_for_nobody_and_the_next_row_is_written(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: Queue[type[BaseException]] = Queue()
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.put(told.exc_type))
    callers = Callers(pool)
    callers.writes.error = ValueError("a mistake")
    first = callers.add("a")
    callers.writes.go_on.release()
    assert isinstance(first.exception(timeout=10), DatabaseFailed)
    assert raised.get(timeout=10) is ValueError
    callers.writes.error = None
    callers.writes.go_on.release()
    callers.add("b").result(timeout=10)
    assert callers.writes.batches == [["b"]]


@pytest.mark.parametrize(
    "error", [None, DatabaseFailed("The disk is full.", next_step="Make room.")]
)
def test_a_row_that_waited_too_long_is_withdrawn_but_not_out_of_a_write(
    pool: ThreadPoolExecutor, error: DatabaseFailed | None
) -> None:
    callers = Callers(pool, wait_s=0.5)
    written = callers.add("a")
    assert callers.writes.begun.acquire(timeout=10)
    with pytest.raises(DatabaseFailed, match="nothing was stored: too many wait"):
        callers.group.add({"id": "late"})
    callers.writes.error = error
    callers.writes.go_on.release(2)
    assert type(written.exception(timeout=10)) is type(error)
    callers.writes.error = None
    callers.add_until_stored("b")
    assert callers.writes.batches == ([["b"]] if error else [["a"], ["b"]])
