"""The tables: made once however many processes begin at once, the columns that the code expects,
closed to others."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Table, inspect, text

from bot.adapters.database import Database
from bot.adapters.database.schema import MIGRATION_TABLE, MIGRATIONS, OLDER_TABLES, metadata
from bot.errors import OutsideError, SetupError
from bot.types import Job, Report, State, Usage, WaitingJob
from bot.types.serialization import JOB, REPORT, log_row
from tests.adapters.database.stored import job, reader, rows
from tests.doubles.clock import ManualClock
from tests.doubles.supabase import Supabase, run_sql


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
    assert key == [column.name for column in table.primary_key]


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


BEFORE_IDS = 5
"""The migrations of a version that kept reports by the repository's name alone."""
BEFORE_JOBS_TABLE = 6
"""Those of the last version that kept jobs in three tables."""


def make_older(url: str, version: int) -> None:
    """The tables as an older version made them."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(exist_ok=True)
    with reader(url) as connection, connection.begin():
        connection.execute(text(MIGRATION_TABLE))
        own = "postgresql" if connection.dialect.name == "postgresql" else "sqlite"
        for number, migration in enumerate(MIGRATIONS[:version], start=1):
            for statement in (*migration.statements, *getattr(migration, own)):
                connection.execute(text(statement))
            connection.execute(text(f"INSERT INTO tinygen_migrations VALUES ({number})"))


def insert(url: str, table: str, **values: object) -> None:
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    with reader(url) as connection, connection.begin():
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def insert_older_inbox(url: str, accepted: Job, at: float, taken_at: float | None = None) -> None:
    """As the last version with an inbox accepted and took jobs."""
    insert(
        url,
        "tinygen_inbox",
        id=accepted.id,
        job=json.dumps(JOB.dump(accepted)) if taken_at is None else "",
        accepted_at=at,
        claimed_until=0.0,
        taken_at=taken_at,
        asker="" if taken_at else accepted.asker_key,
        repository="" if taken_at else accepted.target.repository_key,
        account="" if taken_at else accepted.account,
    )


def insert_older_report(url: str, report: Report, at: float) -> None:
    target = report.job.target
    insert(
        url,
        "tinygen_reports",
        id=report.job.id,
        repo=target.repo,
        issue_number=target.issue_number,
        state=report.state,
        created_at=at,
        updated_at=at,
        report=json.dumps(REPORT.dump(report)),
        actor=report.job.actor,
        verb=report.job.command.verb,
        tokens=report.usage.prompt_tokens,
        repository_key=target.repository_key,
        asker_key=report.job.asker_key,
        installation_id=target.installation_id,
    )


def insert_older_unsent(url: str, job_id: str, since: float) -> None:
    insert(url, "tinygen_unsent", id=job_id, since=since, version=3, refusals=0, free_at=0.0)


ODD = "NUL \0, lone surrogates \ud800 \udfff, \u2028 and \U0001f680"
"""What PostgreSQL cannot read as JSON."""


@pytest.fixture
def updated(database_url: str, clock: ManualClock) -> Iterator[Database]:
    """A database with jobs of every kind that the last version with three tables left, after the
    update. Each was accepted a second after the one before."""
    make_older(database_url, BEFORE_JOBS_TABLE)
    now = clock.now_s
    insert_older_inbox(database_url, job("waits", prompt=ODD), now - 6)
    for name, at in (("runs", now - 5), ("ended", now - 4), ("sent", now - 3)):
        state: State = "running" if name == "runs" else "done"
        insert_older_inbox(database_url, job(name), at, taken_at=at)
        report = Report(job(name, prompt=ODD), state, usage=Usage(prompt_tokens=10))
        insert_older_report(database_url, report, at)
    insert_older_unsent(database_url, "ended", now - 4)
    insert_older_inbox(database_url, job("id only"), now - 2, taken_at=now - 2)
    insert_older_unsent(database_url, "id only", now - 2)
    insert_older_inbox(database_url, job("started"), now - 1)  # and its worker died before `taken`
    insert_older_report(database_url, Report(job("started"), "running"), now - 1)
    with closing(Database(database_url, clock=clock, wait_s=30)) as database:
        assert database.create() == len(MIGRATIONS) - BEFORE_JOBS_TABLE
        yield database


def test_after_an_update_accepted_jobs_still_wait_in_their_order(updated: Database) -> None:
    assert updated.load("waits") == Report(job("waits", prompt=ODD), "queued")
    assert updated.oldest_waiting_s() == 6
    seen: list[WaitingJob] = []

    def choose(candidates: Sequence[WaitingJob]) -> list[str]:
        seen.extend(candidates)
        return [each.id for each in candidates]

    assert updated.waiting(10, choose) == (job("waits", prompt=ODD),)
    target = job().target
    assert seen == [WaitingJob("waits", "mona", target.repository_key, job().account)]
    updated.taken("waits")
    assert updated.load("waits") == Report(job("waits", prompt=ODD), "queued")


def test_after_an_update_running_jobs_go_on(updated: Database, clock: ManualClock) -> None:
    running = Report(job("runs", prompt=ODD), "running", usage=Usage(prompt_tokens=10))
    assert updated.load("runs") == running
    assert [each.job.id for each in updated.unfinished(0)] == ["runs", "started"]
    assert {each.id for each in updated.open_jobs("octocat/hello", 7)} == {
        "waits",
        "runs",
        "started",
    }
    assert [each.job.id for each in updated.latest("octocat/hello", 7)] == [
        "started",
        "sent",
        "ended",
        "runs",
    ]
    assert updated.asked_at(job("new"), "actor", 2, since=0) == clock.now_s - 3
    assert updated.tokens_since(0) == 30
    updated.save(Report(job("runs"), "done"))
    assert updated.counts()["done"] == 3


def test_after_an_update_what_was_started_is_not_lost_before_it_is_taken(
    updated: Database,
) -> None:
    assert [each.id for each in updated.waiting(10)] == ["waits", "started"]
    updated.taken("started")
    assert updated.load("started") == Report(job("started"), "running")
    assert updated.waiting(10) == ()


def test_after_an_update_what_was_not_sent_is_sent_in_its_order(updated: Database) -> None:
    sent = []
    while (row := updated.outbox.next()) is not None:
        sent.append((row.id, row.version))
        updated.outbox.sent(row)
    assert sent == [("ended", 3), ("id only", 3)]


def test_after_an_update_known_ids_start_nothing(updated: Database) -> None:
    waiting = [each.id for each in updated.waiting(10)]
    for name in ("waits", "runs", "ended", "sent", "id only", "started"):
        updated.accept(job(name, prompt="again"))
    assert updated.load("id only") is None
    updated.taken("waits")
    updated.taken("started")
    assert waiting == ["waits", "started"]
    assert updated.oldest_waiting_s() == 0


def test_after_a_step_back_what_the_older_version_did_is_taken_over(
    updated: Database, database_url: str, clock: ManualClock
) -> None:
    """It finds its own tables, empty, and fills them again."""
    for table in OLDER_TABLES:
        assert rows(database_url, table) == []
    insert_older_inbox(database_url, job("later"), clock.now_s)
    insert_older_report(database_url, Report(job("runs"), "done"), clock.now_s - 5)
    insert_older_unsent(database_url, "runs", clock.now_s - 5)
    assert updated.create() == 0
    assert updated.load("later") == Report(job("later"), "queued")
    assert updated.load("runs") == Report(job("runs"), "done")
    assert len(updated.outbox) == 3


def test_what_an_older_version_kept_by_name_is_its_repositorys_with_the_next_delivery(
    database_url: str,
) -> None:
    """But not another's, which took the name since."""
    kept, target = job("kept"), job().target
    asked = replace(kept, actor_id=5, target=replace(target, installation_id=9))
    make_older(database_url, BEFORE_IDS)
    insert(
        database_url,
        "tinygen_reports",
        id="kept",
        repo="octocat/hello",
        issue_number=7,
        state="done",
        created_at=1e9,
        updated_at=1e9,
        report=json.dumps(REPORT.dump(Report(asked, "done"))),
        actor="mona",
        verb="solve",
        tokens=0,
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
    tables_of_all_versions = {*metadata.tables, *OLDER_TABLES, "tinygen_migrations"}
    assert sorted(secured) == [(table, True) for table in sorted(tables_of_all_versions)]


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
