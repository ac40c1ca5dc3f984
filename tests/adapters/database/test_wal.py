"""SQLite's write-ahead log: emptied where it is long, left where it is short or in use, and nothing
lost by either."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.adapters.database import Database, log_bytes
from tests.adapters.database.test_database import job

IDS = [f"delivery-{number:02}" for number in range(50)]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return f"{tmp_path}/tinygen.sqlite"


@pytest.fixture
def database(path: str) -> Iterator[Database]:
    """Fifty accepted jobs, all of them still in the log alone."""
    with closing(Database(f"sqlite:///{path}", checkpoint_pages=100_000)) as database:
        database.create()
        for job_id in IDS:
            database.accept(job(job_id))
        yield database


def test_a_long_log_is_emptied_and_nothing_is_lost(database: Database, path: str) -> None:
    assert log_bytes(path) > 100_000
    database.shorten_write_ahead_log(100_000)
    assert log_bytes(path) == 0
    assert [each.id for each in database.waiting(100)] == IDS


def test_a_short_log_is_left_alone(database: Database, path: str) -> None:
    before = log_bytes(path)
    database.shorten_write_ahead_log(before)
    assert log_bytes(path) == before


@pytest.mark.parametrize("begin", ["BEGIN; SELECT * FROM tinygen_jobs", "BEGIN IMMEDIATE"])
def test_a_log_that_is_in_use_is_emptied_the_next_time(
    database: Database, path: str, begin: str
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for statement in begin.split("; "):
            other.execute(statement).fetchone()
        database.shorten_write_ahead_log(0)
        assert log_bytes(path) > 0
    database.shorten_write_ahead_log(0)
    assert log_bytes(path) == 0
    assert [each.id for each in database.waiting(100)] == IDS
