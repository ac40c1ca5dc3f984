"""Accepting under load and in trouble: many rows in one commit, each job exactly once, nothing
half-stored."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from bot.adapters.database import Database
from bot.adapters.database.connection import insert_unknown, open_engine
from bot.adapters.database.schema import jobs
from bot.errors import DatabaseFailed
from tests.adapters.database.stored import job, rows
from tests.polling import poll

THREADS = 8
IDS = [f"delivery-{number:03}" for number in range(200)]


def accept_all(url: str, order: int) -> None:
    """Every thread of every process accepts the same ids, each in another order."""
    database = Database(url, wait_s=30)

    def accept(thread: int) -> None:
        start = (order * THREADS + thread) * 12
        for job_id in (*IDS[start:], *IDS[:start])[:: 1 if thread % 2 else -1]:
            database.accept(job(job_id))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(accept, range(THREADS)))
    database.close()


@pytest.mark.slow
def test_many_threads_and_processes_that_accept_the_same_ids_store_each_once(
    database: Database, database_url: str
) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=accept_all, args=(database_url, order)) for order in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(one.id for one in database.waiting(10_000)) == IDS


def test_a_job_is_new_once(database: Database) -> None:
    assert database.accept(job("a"))
    assert not database.accept(job("a"))
    assert database.accept(replace(job("b"), event_key="e"))
    assert not database.accept(replace(job("c"), event_key="e"))


@pytest.mark.slow
def test_workers_that_look_at_the_same_time_get_different_jobs(database: Database) -> None:
    for job_id in IDS[:40]:
        database.accept(job(job_id))
    with ThreadPoolExecutor(THREADS) as pool:
        given = [
            one.id
            for jobs in pool.map(lambda _: database.waiting(5), range(THREADS))
            for one in jobs
        ]
    assert len(given) == len(set(given))


ACCEPT_FOR_EVER = """
import sys
from bot.adapters.database import Database
from tests.adapters.database.stored import job
database = Database(sys.argv[1])
for number in range(1_000_000):
    database.accept(job(f"delivery-{number}"))
    print(f"delivery-{number}", flush=True)
"""


@pytest.mark.slow
def test_what_a_killed_process_accepted_is_there(database: Database, database_url: str) -> None:
    command = [sys.executable, "-c", ACCEPT_FOR_EVER, database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        accepted = [process.stdout.readline().strip() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        accepted += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert set(accepted) <= {one.id for one in database.waiting(1_000_000)}


@pytest.mark.postgres
def test_two_writers_of_the_same_ids_never_wait_for_each_other(postgres_url: str) -> None:
    """The other has stored `a` and goes on to `b`: had ours stored `b` by then, neither could go
    on."""
    other_insert = "INSERT INTO tinygen_jobs (id, accepted_at) VALUES (%s, 0)"
    locks = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname ="
        " current_database()"
    )
    new = [{"id": job_id, "accepted_at": 0.0} for job_id in ("b", "a")]
    with closing(Database(postgres_url)) as database:
        database.create()
    engine = open_engine(postgres_url, wait_s=10)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgres_url) as other:
        other.execute(other_insert, ["a"])
        ours = pool.submit(insert_unknown, engine, jobs, new)
        with psycopg.connect(postgres_url, autocommit=True) as onlooker:
            is_waiting = poll(lambda: onlooker.execute(locks).fetchone() == (1,), within_s=30)
            assert is_waiting, "ours does not wait for the other's `a`"
        other.execute(other_insert, ["b"])
        other.commit()
        assert ours.result(timeout=10) == frozenset()
    engine.dispose()
    assert [row["id"] for row in rows(postgres_url, "tinygen_jobs")] == ["a", "b"]


def test_a_process_may_fork_after_the_tables_are_made(database: Database) -> None:
    child = os.fork()
    if child == 0:
        database.accept(job("the child's"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    database.accept(job("the parent's"))
    assert {one.id for one in database.waiting(10)} == {"the child's", "the parent's"}


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another program keeps the jobs from being written."""
    if url.startswith("sqlite"):
        with closing(
            sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        ) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
    else:
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE tinygen_jobs")
            yield


def test_a_locked_database_is_told_in_time_and_nothing_is_stored(
    database: Database, database_url: str
) -> None:
    impatient = Database(database_url, wait_s=0.3)
    with closing(impatient), locked(database_url), ThreadPoolExecutor(THREADS) as pool:
        accepting = [
            pool.submit(impatient.accept, job(f"delivery-{number}")) for number in range(THREADS)
        ]
        errors = [future.exception(timeout=20) for future in accepting]
    assert [type(error) for error in errors] == [DatabaseFailed] * THREADS
    assert database.waiting(10) == ()
    database.accept(job("afterwards"))
    assert [one.id for one in database.waiting(10)] == ["afterwards"]


@pytest.mark.postgres
def test_a_connection_that_the_server_closed_costs_no_delivery(postgres_url: str) -> None:
    others = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname ="
        " current_database() AND pid <> "
    )
    with closing(Database(postgres_url)) as database:
        database.create()
        database.accept(job("before"))
        with psycopg.connect(postgres_url) as connection:
            assert connection.execute(others + "pg_backend_pid()").fetchall() == [(True,)]
        database.accept(job("after"))
        assert [one.id for one in database.waiting(10)] == ["before", "after"]


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tinygen.sqlite"
    with closing(Database(url)) as database:
        database.create()
        with locked(url):
            assert database.waiting(1) == ()
            assert database.load("delivery-1") is None


def test_an_error_names_neither_the_address_nor_what_was_to_be_stored() -> None:
    database = Database("postgresql://tinygen:hunter2@127.0.0.1:1/tinygen", wait_s=1)
    with pytest.raises(DatabaseFailed) as caught:
        database.accept(job(prompt="the prompt"))
    assert "The database failed (OperationalError)." in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"
    assert "the prompt" not in f"{caught.value} {caught.value.__cause__}"
    database.close()
