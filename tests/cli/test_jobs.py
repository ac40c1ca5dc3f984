"""`python -m bot jobs` beside a running bot, and `python -m bot migrate`."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.app import build_database
from bot.cli import build_parser
from bot.config import Config, load_config
from bot.errors import BadRequest, NotFound
from bot.types import Command, Job, Target
from tests import ROOT
from tests.adapters.conftest import postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.cli.shell import run_bot
from tests.doubles.model import hang, server_error
from tests.scene import CONFIDENT, LOUDER, Scene, Told

Run = Callable[..., str]
_LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path / "scene") as scene:
        yield scene


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; what it wrote to stdout, without the log of a scene's worker, which is there
    as well."""

    def run(config: Config, *arguments: str) -> str:
        options = build_parser().parse_args(arguments)
        capsys.readouterr()
        assert options.command(config, options) == 0
        lines = capsys.readouterr().out.splitlines(keepends=True)
        return "".join(line for line in lines if not _LOG_LINE.match(line))

    return run


def asked(scene: Scene, job_id: str) -> Told:
    """The job of a command of the shell, ended."""
    return scene.ended(Told(scene, job_id, scene.repo.thread(1)[0]))


def test_the_list_has_the_newest_first_whether_a_worker_took_them_or_not(
    tmp_path: Path, run: Run
) -> None:
    config = load_config({"TINYGEN_DATA_DIR": str(tmp_path)}, env_file=None)
    database = build_database(config)
    for number in (1, 2, 3):
        target, received_at = Target("o/r", 1, number), f"2026-01-0{number}T00:00:00+00:00"
        database.accept(
            Job(
                f"d{number}",
                "comment",
                target,
                Command("solve", "x"),
                "mona",
                received_at=received_at,
            )
        )
    database.taken("d2")
    database.close()
    rows: list[dict[str, Any]] = json.loads(run(config, "jobs", "list", "--json"))
    assert [row["id"] for row in rows] == ["d3", "d2", "d1"]
    assert {row["state"] for row in rows} == {"queued"}
    assert rows[0]["links"] == {
        "page": None,
        "comment": "https://github.com/o/r/issues/3",
        "repo": "https://github.com/o/r",
        "pull_request": None,
        "commit": None,
    }
    header, line = run(config, "jobs", "list", "--limit", "1", "--state", "queued").splitlines()
    assert header.split() == ["ID", "STATE", "AGE", "COMMAND", "FOR", "LINK"]
    cells = line.split()
    assert cells[:2] == ["d3", "queued"]
    assert cells[3:] == ["solve", "o/r#3", "https://github.com/o/r/issues/3"]
    assert [header.index(name) for name in ("STATE", "LINK")] == [
        line.index(cell) for cell in (cells[1], cells[5])
    ]
    public = config.model_copy(update={"public_url": "https://bot.test"})
    assert run(public, "jobs", "list", "--limit", "1").endswith("  https://bot.test/jobs/d3\n")
    assert run(config, "jobs", "list", "--state", "failed") == ""


def test_a_job_is_shown_with_its_diff(scene: Scene, run: Run) -> None:
    told = scene.tell("/tinygen Louder.")
    shown = run(scene.config, "jobs", "show", told.job)
    assert shown.startswith(f"{told.job}: done")
    assert shown.endswith(told.diff)
    assert (
        json.loads(run(scene.config, "jobs", "show", told.job, "--json"))["result"]["diff"]
        == told.diff
    )


def test_a_failed_job_is_run_again_in_its_thread(scene: Scene, run: Run) -> None:
    scene.model_says(server_error(400))
    failed = scene.tell("/tinygen Louder.")
    scene.model_says(LOUDER, CONFIDENT)
    again = asked(
        scene, json.loads(run(scene.config, "jobs", "retry", failed.job, "--json"))["job"]
    )
    assert again.state == "done"
    assert "HELLO" in again.diff
    assert again.row["prompt"] == "Louder."
    assert failed.state == "failed"


def test_what_is_done_is_not_run_again_nor_what_is_unknown(scene: Scene, run: Run) -> None:
    told = scene.tell("/tinygen help")
    with pytest.raises(BadRequest, match="The job is done"):
        run(scene.config, "jobs", "retry", told.job)
    with pytest.raises(NotFound, match="There is no job nobody"):
        run(scene.config, "jobs", "show", "nobody")


def test_one_running_job_is_cancelled_and_its_thread_told(scene: Scene, run: Run) -> None:
    scene.model_says(hang(60))
    running = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    run(scene.config, "jobs", "cancel", running.job)
    assert "state=cancelled" in scene.ended(running).answer
    with pytest.raises(BadRequest, match="The job has ended"):
        run(scene.config, "jobs", "cancel", running.job)


def test_without_a_worker_it_is_said_that_it_waits(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config({"TINYGEN_DATA_DIR": str(tmp_path)}, env_file=None)
    database = build_database(config)
    database.accept(
        Job(
            "d1",
            "run",
            Target("o/r"),
            Command("solve", "x"),
            received_at="2026-01-01T00:00:00+00:00",
        )
    )
    database.close()
    options = build_parser().parse_args(["jobs", "cancel", "d1"])
    assert options.command(config, options) == 0
    assert "no worker was alive" in capsys.readouterr().err


def migrate(tmp_path: Path, **settings: str) -> str:
    done = run_bot(ROOT, "migrate", TINYGEN_DATA_DIR=str(tmp_path), **settings)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_migrate_makes_all_tables_and_again_changes_nothing(tmp_path: Path) -> None:
    first, again = migrate(tmp_path), migrate(tmp_path)
    assert "changes made" in first
    assert "up to date already" in again
    with closing(sqlite3.connect(tmp_path / "tinygen.sqlite")) as connection:
        tables = {
            name
            for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
        }
    assert {"tinygen_jobs", "workflow_status"} <= tables


@pytest.mark.postgres
def test_migrate_prepares_postgresql(postgres_url: str, tmp_path: Path) -> None:  # noqa: F811
    assert "changes made" in migrate(tmp_path, TINYGEN_DATABASE_URL=postgres_url)
    assert "up to date already" in migrate(tmp_path, TINYGEN_DATABASE_URL=postgres_url)
