"""`migrate` on the database of a Supabase project, on PostgreSQL with Supabase's roles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from bot.adapters.database.migrations.supabase import SupabaseMigrations
from bot.errors import OutsideError, SetupError
from tests import ROOT
from tests.doubles.supabase import Supabase, run_sql

pytestmark = pytest.mark.postgres

FOLDER = ROOT / "deploy" / "supabase" / "migrations"
NAMES = tuple(path.name for path in sorted(FOLDER.glob("*.sql")))
ASK = """
insert into public.tinygen_requests
    (id, source, repo, prompt, mode, state, model_calls, prompt_tokens, completion_tokens)
values ('a-question', 'comment', 'octocat/hello', 'Why?', 'ask', 'done', 1, 2, 3)
"""


@pytest.fixture
def project(supabase: Supabase) -> Supabase:
    """One whose table is not there yet."""
    run_sql(supabase.database_url, "drop table public.tinygen_requests")
    return supabase


@pytest.fixture
def migrations(supabase: Supabase) -> Iterator[SupabaseMigrations]:
    opened = SupabaseMigrations(supabase.database_url, FOLDER)
    yield opened
    opened.close()


def recorded(project: Supabase) -> list[tuple[str, str, list[str]]]:
    with psycopg.connect(project.database_url) as connection:
        found = connection.execute(
            "select version, name, statements from supabase_migrations.schema_migrations order by 1"
        )
        return [(version, name, statements) for version, name, statements in found]


def test_all_run_once_in_order(project: Supabase, migrations: SupabaseMigrations) -> None:
    assert migrations.pending() == NAMES
    assert migrations.run() == NAMES
    assert migrations.pending() == ()
    assert migrations.run() == ()
    with closing(project.store()) as store:
        store.check()
    run_sql(project.database_url, ASK)


def test_what_ran_is_recorded_as_supabases_own_tool_does(
    project: Supabase, migrations: SupabaseMigrations
) -> None:
    migrations.run()
    for path, (version, name, statements) in zip(
        sorted(FOLDER.glob("*.sql")), recorded(project), strict=True
    ):
        assert f"{version}_{name}" == path.stem
        assert statements == [path.read_text()]


def test_what_supabases_own_tool_ran_is_not_run_again(
    project: Supabase, migrations: SupabaseMigrations
) -> None:
    migrations.run()
    first = NAMES[0].partition("_")[0]
    run_sql(
        project.database_url,
        f"delete from supabase_migrations.schema_migrations where version = '{first}'",
    )
    assert migrations.pending() == (NAMES[0],)


def test_what_was_run_by_hand_may_run_again_and_keeps_the_rows(
    supabase: Supabase, migrations: SupabaseMigrations
) -> None:
    run_sql(supabase.database_url, ASK)
    assert migrations.run() == NAMES
    with psycopg.connect(supabase.database_url) as connection:
        assert connection.execute("select mode from tinygen_requests").fetchall() == [("ask",)]


def test_one_that_fails_is_told_and_not_recorded(project: Supabase, tmp_path: Path) -> None:
    (tmp_path / "1_good.sql").write_text("create table good (id text)")
    (tmp_path / "2_bad.sql").write_text("create table half (id text); select no_such_thing;")
    broken = SupabaseMigrations(project.database_url, tmp_path)
    with pytest.raises(OutsideError):
        broken.run()
    assert broken.pending() == ("2_bad.sql",)
    with psycopg.connect(project.database_url) as connection:
        assert connection.execute("select to_regclass('half')").fetchone() == (None,)
    broken.close()


def test_another_database_than_supabases_is_left_alone(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        roles = connection.execute("select 1 from pg_roles where rolname = 'anon'").fetchone()
    if roles is not None:  # roles are the whole server's
        run_sql(postgres_url, "alter role anon rename to anon_of_another")
    other = SupabaseMigrations(postgres_url, FOLDER)
    try:
        with pytest.raises(SetupError, match="no database of Supabase"):
            other.pending()
    finally:
        other.close()
        if roles is not None:
            run_sql(postgres_url, "alter role anon_of_another rename to anon")


def test_an_address_that_is_none_is_told_with_its_setting() -> None:
    with pytest.raises(SetupError, match="TINYGEN_SUPABASE_DATABASE_URL"):
        SupabaseMigrations("postgresql://h:no-port/x", FOLDER)
