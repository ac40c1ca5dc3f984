"""SQLite's files: large JSON is not read to choose a job or to count, words of refused commands do
not stay, and the write-ahead log is emptied where it is long, with nothing lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from bot.adapters.database import Database, log_bytes
from bot.adapters.database.connection import open_engine, reading
from bot.adapters.database.fair_queue import list_candidates
from bot.adapters.database.limits import asked_at, tokens_since
from bot.adapters.database.outbox import DatabaseOutbox
from bot.adapters.database.schema import jobs
from bot.types import Report
from tests.adapters.database.stored import NO, job

IDS = [f"delivery-{number:02}" for number in range(50)]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return f"{tmp_path}/tinygen.sqlite"


@pytest.fixture
def database(path: str) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{path}")) as database:
        database.create()
        yield database


class Plans:
    """How SQLite answers each question that is asked through `engine`."""

    def __init__(self, path: str) -> None:
        self.engine = open_engine(f"sqlite:///{path}", wait_s=30)
        self.steps = list[str]()
        event.listen(self.engine, "before_cursor_execute", self._explain)

    def _explain(
        self,
        connection: Connection,
        _cursor: object,
        statement: str,
        values: tuple[object, ...],
        _context: object,
        _many: bool,
    ) -> None:
        if statement.startswith("SELECT"):
            cursor = connection.connection.cursor()
            rows = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            self.steps += [row[3] for row in rows if "tinygen_jobs" in row[3]]
            cursor.close()


def choose(engine: Engine) -> None:
    with reading(engine) as connection:
        is_waiting = jobs.c.taken_at.is_(None)
        list_candidates(connection, is_waiting, is_waiting & (jobs.c.claimed_until < 0), 10)


@pytest.mark.parametrize(
    "ask",
    [
        choose,
        lambda engine: asked_at(engine, job(), "actor", 3, 0.0),
        lambda engine: tokens_since(engine, 0.0, None, None),
        lambda engine: len(DatabaseOutbox(engine, lambda: 0.0)),
        lambda engine: DatabaseOutbox(engine, lambda: 0.0).next(),
    ],
    ids=["which to start", "requests of a person", "tokens", "rows to send", "what to send"],
)
@pytest.mark.usefixtures("database")
def test_only_indexes_are_read_to_choose_and_to_count(
    path: str, ask: Callable[[Engine], object]
) -> None:
    plans = Plans(path)
    ask(plans.engine)
    plans.engine.dispose()
    own_row = "sqlite_autoindex_tinygen_jobs_1 (id=?)"
    steps = [step for step in plans.steps if own_row not in step]
    assert steps
    assert all("USING COVERING INDEX" in step for step in steps)


def used_bytes(path: str) -> int:
    """Without the pages that the file has free for whatever comes."""
    with closing(sqlite3.connect(path)) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


@pytest.mark.parametrize("chars", [1_000, 100_000])
def test_of_refused_commands_the_words_leave_the_file(
    database: Database, path: str, chars: int
) -> None:
    """Whether they fill a part of a page or many."""
    names = [f"delivery-{number:03}" for number in range(100)]
    before = used_bytes(path)
    for name in names:
        database.accept(job(name, prompt="x" * chars))
    assert used_bytes(path) - before > 100 * chars
    for name in names:
        database.refuse(Report(job(name, prompt=""), "refused", failure=NO), ship=False)
    assert used_bytes(path) - before < 100 * 600


@pytest.fixture
def unwritten(path: str) -> Iterator[Database]:
    """Fifty accepted jobs, all of them in the write-ahead log alone."""
    with closing(Database(f"sqlite:///{path}", checkpoint_pages=100_000)) as database:
        database.create()
        for job_id in IDS:
            database.accept(job(job_id))
        yield database


def test_a_long_log_is_emptied_and_nothing_is_lost(unwritten: Database, path: str) -> None:
    assert log_bytes(path) > 100_000
    unwritten.shorten_write_ahead_log(100_000)
    assert log_bytes(path) == 0
    assert [each.id for each in unwritten.waiting(100)] == IDS


def test_a_short_log_is_left_alone(unwritten: Database, path: str) -> None:
    before = log_bytes(path)
    unwritten.shorten_write_ahead_log(before)
    assert log_bytes(path) == before


@pytest.mark.parametrize("begin", ["BEGIN; SELECT * FROM tinygen_jobs", "BEGIN IMMEDIATE"])
def test_a_log_that_is_in_use_is_emptied_the_next_time(
    unwritten: Database, path: str, begin: str
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for statement in begin.split("; "):
            other.execute(statement).fetchone()
        unwritten.shorten_write_ahead_log(0)
        assert log_bytes(path) > 0
    unwritten.shorten_write_ahead_log(0)
    assert log_bytes(path) == 0
    assert [each.id for each in unwritten.waiting(100)] == IDS
