"""The tables: made once however many processes begin at once, the columns that the code expects,
closed to others."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, create_engine, inspect, text

from bot.adapters.database import Database
from bot.adapters.database.schema import MIGRATION_TABLE, MIGRATIONS, metadata
from bot.errors import OutsideError, SetupError
from bot.types import Report
from bot.types.serialization import dump_report, log_row
from tests.adapters.database.test_database import job
from tests.doubles.supabase import Supabase, run_sql


@contextmanager
def reader(url: str) -> Iterator[Connection]:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with closing(engine.connect()) as connection:
        yield connection
    engine.dispose()


def create(url: str) -> None:
    with closing(Database(url)) as database:
        database.create()


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_the_migrations_make_the_columns_that_the_code_uses(
    database: Database, database_url: str, table: Table
) -> None:
    with reader(database_url) as connection:
        made = {
            (column["name"], column["nullable"])
            for column in inspect(connection).get_columns(table.name)
        }
        key = inspect(connection).get_pk_constraint(table.name)["constrained_columns"]
    assert made == {(column.name, bool(column.nullable)) for column in table.columns}
    assert key == ["id"]


def test_the_log_has_exactly_the_contracts_columns() -> None:
    assert list(metadata.tables["tinygen_requests"].columns.keys()) == list(
        log_row(Report(job(), "queued"))
    )


def test_migrating_again_changes_nothing(database: Database, database_url: str) -> None:
    database.accept(job())
    create(database_url)
    assert database.waiting(10) == (job(),)
    with reader(database_url) as connection:
        versions = (
            connection.execute(text("SELECT version FROM tinygen_migrations ORDER BY version"))
            .scalars()
            .all()
        )
    assert versions == list(range(1, len(MIGRATIONS) + 1))


OLDER = 5
"""The migrations before ids, when reports were kept by name alone."""


def test_what_an_older_version_kept_by_name_is_its_repositorys_with_the_next_delivery(
    database_url: str, tmp_path: Path
) -> None:
    """But not another's, which took the name since."""
    (tmp_path / "data").mkdir()
    kept, target = job("kept"), job().target
    asked = replace(kept, actor_id=5, target=replace(target, installation_id=9))
    report = json.dumps(dump_report(Report(asked, "done")))
    with reader(database_url) as connection, connection.begin():
        connection.execute(text(MIGRATION_TABLE))
        own = "postgresql" if connection.dialect.name == "postgresql" else "sqlite"
        for version, migration in enumerate(MIGRATIONS[:OLDER], start=1):
            for statement in (*migration.statements, *getattr(migration, own)):
                connection.execute(text(statement))
            connection.execute(
                text("INSERT INTO tinygen_migrations VALUES (:version)"), {"version": version}
            )
        connection.execute(
            text(
                "INSERT INTO tinygen_reports (id, repo, issue_number, state, created_at,"
                " updated_at, report, actor, verb, tokens) VALUES ('kept', 'octocat/hello', 7,"
                " 'done', 1e9, 1e9, :report, 'mona', 'solve', 0)"
            ),
            {"report": report},
        )
    with closing(Database(database_url)) as database:
        database.create()
        for new_id, made_at, installation_id in (
            (1, "2001-09-10T00:00:00Z", 8),
            (2, "2020-01-01T00:00:00Z", 9),
        ):
            other = replace(
                target,
                repository_id=new_id,
                repository_made_at=made_at,
                installation_id=installation_id,
            )
            database.accept(replace(job(f"other-{new_id}"), target=other))
            database.taken(f"other-{new_id}")
            assert [each.job.id for each in database.latest(str(new_id), 7)] == [f"other-{new_id}"]
        own_id = replace(asked.target, repository_id=3, repository_made_at="2001-09-08T00:00:00Z")
        database.accept(replace(job("next"), target=own_id))
        database.taken("next")
        assert {each.job.id for each in database.latest("3", 7)} == {"kept", "next"}
        assert database.asked_at(replace(job("new"), actor_id=5), "actor", 1, since=0) == 1e9


@pytest.mark.slow
def test_processes_that_start_together_make_the_tables_once(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=create, args=(database_url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4


def test_before_the_tables_are_made_a_job_is_refused(database_url: str) -> None:
    with (
        closing(Database(database_url.replace("/data/", "/"))) as database,
        pytest.raises(OutsideError),
    ):
        database.accept(job())


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://host/name", "sqlite://", "sqlite:///:memory:"]
)
def test_a_url_of_another_kind_is_a_fault_of_the_settings(url: str) -> None:
    with pytest.raises(SetupError, match="TINYGEN_DATABASE_URL"):
        Database(url)


def test_nothing_is_open_once_the_tables_are_made(tmp_path: Path) -> None:
    """SQLite's files must not be open across a fork: https://www.sqlite.org/howtocorrupt.html"""
    with closing(Database(f"sqlite:///{tmp_path}/tinygen.sqlite")) as database:
        database.create()
        opened = [handle.resolve() for handle in Path("/proc/self/fd").iterdir()]
    assert not [file for file in opened if file.is_relative_to(tmp_path)]


def test_a_directory_that_cannot_be_made_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="TINYGEN_DATA_DIR"):
        create(f"sqlite:///{tmp_path}/file/tinygen.sqlite")


def test_the_data_directory_is_made_and_closed_to_others(tmp_path: Path) -> None:
    create(f"sqlite:///{tmp_path}/new/tinygen.sqlite")
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


@pytest.mark.postgres
def test_no_table_is_open_to_supabases_api(postgres_url: str) -> None:
    create(postgres_url)
    tables = text(
        "SELECT relname, relrowsecurity FROM pg_class WHERE relname LIKE 'tinygen%' AND relkind"
        " = 'r'"
    )
    with reader(postgres_url) as connection:
        secured = connection.execute(tables).all()
    assert sorted(secured) == [
        (table, True) for table in sorted([*metadata.tables, "tinygen_migrations"])
    ]


@pytest.mark.postgres
def test_the_embedded_log_has_the_types_of_supabases(postgres_url: str, supabase: Supabase) -> None:
    create(postgres_url)
    columns = text(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_name = 'tinygen_requests' ORDER BY ordinal_position"
    )
    with reader(postgres_url) as embedded, reader(supabase.database_url) as hosted:
        assert embedded.execute(columns).all() == hosted.execute(columns).all()


@pytest.mark.postgres
@pytest.mark.parametrize("embedded_first", [True, False])
def test_one_database_may_hold_both_logs(supabase: Supabase, embedded_first: bool) -> None:
    """As where TINYGEN_DATABASE_URL is Supabase's own: whichever comes first, both can write."""
    if embedded_first:
        run_sql(supabase.database_url, "drop table tinygen_requests")
    create(supabase.database_url)
    supabase.migrate()
    with closing(Database(supabase.database_url)) as database:
        database.write(Report(job(), "queued"))
    with closing(supabase.store()) as store:
        store.check()
        store.write(Report(job(), "done"))
    with reader(supabase.database_url) as connection:
        assert connection.execute(text("SELECT state FROM tinygen_requests")).scalars().all() == [
            "done"
        ]
