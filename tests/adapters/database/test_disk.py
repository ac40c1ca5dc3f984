"""What SQLite reads and keeps: no large JSON to choose a job or to count, no words of a command
that was refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from bot.adapters.database import Database
from bot.adapters.database.connection import open_engine, reading
from bot.adapters.database.fair_queue import list_candidates
from bot.adapters.database.limits import asked_at, tokens_since
from bot.adapters.database.outbox import DatabaseOutbox
from bot.adapters.database.schema import jobs
from bot.types import Failure, Report
from tests.adapters.database.test_database import job

NO = Failure("You may not.", "Ask mona.")


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
        list_candidates(connection, jobs.c.taken_at.is_(None), 10)


@pytest.mark.parametrize(
    "ask",
    [
        choose,
        lambda engine: asked_at(engine, job(), "actor", 3, 0.0),
        lambda engine: tokens_since(engine, 0.0, None),
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
