"""`python -m bot move-database`: from SQLite to PostgreSQL, with jobs in flight and history."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.adapters.database.schema import metadata
from tests import ROOT
from tests.cli.shell import run_isolated
from tests.life.conftest import Life

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(240)]


def call(life: Life, *arguments: str) -> dict[str, Any]:
    return {
        "args": [sys.executable, "-m", "bot", *arguments],
        "cwd": ROOT,
        "env": life.stage.environment,
    }


def move(life: Life, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        **call(life, "move-database", url), capture_output=True, text=True, timeout=100, check=False
    )


def read(life: Life, path: str) -> Any:
    with urllib.request.urlopen(life.stage.url + path, timeout=20) as answer:
        return json.loads(answer.read())


def count_rows(url: str) -> dict[str, int]:
    """Of TinyGen's tables and the engine's that a move fills."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select schemaname || '.' || relname from pg_stat_user_tables order by 1"
        ).fetchall()
        return {
            name: (connection.execute(f"select count(*) from {name}").fetchone() or (0,))[0]
            for (name,) in found
            if not name.endswith("migrations")
        }


def test_what_is_in_flight_goes_on_and_what_has_ended_is_remembered(
    life: Life, postgres_url: str
) -> None:
    (done, first), (hanging, second) = life.one_done_one_in_flight()
    ended = read(life, "/jobs?state=done")["jobs"]
    page = read(life, f"/jobs/{ended[0]['id']}")
    (row,) = life.stage.rows(done.full_name)
    life.stage.stop(signal.SIGKILL)

    moved = move(life, postgres_url)
    assert (moved.returncode, moved.stderr) == (0, "")
    assert not (life.stage.data_dir / "tinygen.sqlite").exists()
    life.stage.settings["TINYGEN_DATABASE_URL"] = postgres_url
    life.model_hangs.clear()
    life.stage.start()

    life.check_done_once(hanging, second)
    assert ended[0] in read(life, "/jobs?state=done")["jobs"]
    assert read(life, f"/jobs/{page['id']}") == page
    (row_now,) = life.stage.rows(done.full_name)
    assert {**row, "created_at": 0, "finished_at": 0} == {
        **row_now,
        "created_at": 0,
        "finished_at": 0,
    }
    # The delivery of the first command is known there, too.
    known = next(each for each in life.stage.github.deliveries if each.event == "issue_comment")
    again = life.stage.github.redeliver(known.guid)
    assert again.status_code == 202
    life.check_done_once(done, first)


def test_all_rows_of_all_tables_are_there(life: Life, postgres_url: str) -> None:
    repo = life.add_repository("done")
    life.check_done_once(repo, life.give(repo))
    life.stage.stop()
    moved = move(life, postgres_url)
    assert moved.returncode == 0, moved.stderr
    with closing(sqlite3.connect(life.stage.data_dir / "tinygen.sqlite.moved")) as connection:
        names = [
            name
            for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
        ]
        old = {
            name: connection.execute(f"select count(*) from {name}").fetchone()[0]
            for name in names
            if not name.endswith("migrations") and not name.startswith("sqlite_")
        }
    new = {name.partition(".")[2]: count for name, count in count_rows(postgres_url).items()}
    assert {**dict.fromkeys(new, 0), **old} == {**new, **dict.fromkeys(set(old) - set(new), 0)}
    assert sum(old[name] for name in metadata.tables) > 3


def test_a_bot_that_runs_is_not_moved(life: Life, postgres_url: str) -> None:
    said = move(life, postgres_url)
    assert said.returncode == 2
    assert "TinyGen runs" in said.stderr
    assert (life.stage.data_dir / "tinygen.sqlite").exists()


def test_a_database_that_has_jobs_stays_as_it_is(life: Life, postgres_url: str) -> None:
    repo = life.add_repository("done")
    life.check_done_once(repo, life.give(repo))
    life.stage.stop()
    assert move(life, postgres_url).returncode == 0
    before = count_rows(postgres_url)
    moved = life.stage.data_dir / "tinygen.sqlite.moved"
    moved.rename(life.stage.data_dir / "tinygen.sqlite")
    again = move(life, postgres_url)
    assert again.returncode == 2
    assert "holds jobs of TinyGen already" in again.stderr
    assert count_rows(postgres_url) == before
    assert (life.stage.data_dir / "tinygen.sqlite").exists()


def test_a_move_that_was_killed_left_nothing_and_can_be_made_again(
    life: Life, postgres_url: str
) -> None:
    repo = life.add_repository("done")
    life.check_done_once(repo, life.give(repo))
    life.stage.stop()
    with psycopg.connect(postgres_url) as blocking:
        subprocess.run(
            **{
                **call(life, "migrate"),
                "env": {**life.stage.environment, "TINYGEN_DATABASE_URL": postgres_url},
            },
            check=True,
            capture_output=True,
        )
        blocking.execute("lock table tinygen_turns in access exclusive mode")
        moving = subprocess.Popen(
            **call(life, "move-database", postgres_url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        waiting = "select count(*) from pg_locks where not granted"
        with psycopg.connect(postgres_url, autocommit=True) as watching:
            deadline = time.monotonic() + 60
            while not (watching.execute(waiting).fetchone() or (0,))[0]:
                assert time.monotonic() < deadline, "the move does not wait for the table"
                time.sleep(0.05)
        moving.kill()
        moving.wait()
        blocking.rollback()
    assert not any(
        count for name, count in count_rows(postgres_url).items() if "application" not in name
    )
    assert move(life, postgres_url).returncode == 0


@pytest.mark.parametrize("url", ["sqlite:////tmp/elsewhere.sqlite", "mysql://h/n", "nonsense"])
def test_only_postgresql_is_moved_to(tmp_path: Path, url: str) -> None:
    said = run_isolated(tmp_path, "move-database", url)
    assert (said.returncode, "postgresql://" in said.stderr) == (2, True)
