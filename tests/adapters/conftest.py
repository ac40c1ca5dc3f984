"""The databases that the adapters' tests run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.adapters.database import Database
from tests.conftest import absent
from tests.doubles.clock import ManualClock
from tests.doubles.supabase import (
    Supabase,
    ToolMissing,
    find_postgres,
    find_postgrest,
    fresh_database,
    postgres,
)
from tests.doubles.supabase import supabase as start_supabase


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server for this run. Without its tools: skipped, but failed in CI."""
    try:
        find_postgres()
        find_postgrest()
    except ToolMissing as missing:
        absent(missing.what, missing.remedy)
    with postgres() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty database."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def supabase(postgres_server: str) -> Iterator[Supabase]:
    with start_supabase(postgres_server) as project:
        yield project


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/tinygen.sqlite"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000.0)


@pytest.fixture
def database(database_url: str, clock: ManualClock) -> Iterator[Database]:
    # As long as a crowded machine may need for it: a test of what happens after a shorter wait
    # makes its own.
    database = Database(database_url, clock=clock, wait_s=30)
    database.create()
    yield database
    database.close()
