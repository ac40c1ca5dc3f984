"""What fails on our own side of a job: the disk, the database, the cache, the request log
elsewhere."""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.adapters.database import Database
from bot.adapters.git import GitCache
from bot.adapters.git.process import DiskFull
from bot.app import build_web, database_url
from bot.config import Config, load_config
from bot.errors import DatabaseFailed, RowRefused
from bot.types import FINAL_STATES, Report
from bot.types.github import Remote
from tests import ROOT
from tests.doubles.github.webhooks import sign
from tests.doubles.model import Messages
from tests.fakes import RemoteLog
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, LOUDER, Scene


@contextmanager
def database_locked(scene: Scene) -> Iterator[None]:
    """As a backup that is taken with the wrong tool does."""
    connection = sqlite3.connect(scene.root / "data" / "tinygen.sqlite", isolation_level=None)
    connection.execute("begin immediate")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def test_a_locked_database_is_503_in_time_and_the_delivery_is_taken_later(scene: Scene) -> None:
    scene.tell("/tinygen help")
    scene.repo.comment(1, "octocat", "/tinygen --pr Louder.")
    delivery = scene.deliveries[-1]
    with database_locked(scene):
        answer = scene.deliver(delivery)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert scene.deliver(delivery).status_code == 202
    scene.wait(lambda: scene.rows().get(delivery.guid, {}).get("state") == "done", "the job")
    assert len(scene.repo.pulls) == 1


def test_a_job_waits_for_a_database_that_is_locked_in_its_middle(scene: Scene) -> None:
    held, let_go = threading.Event(), threading.Event()

    def lock() -> None:
        with database_locked(scene):
            held.set()
            let_go.wait(20)

    thread = threading.Thread(target=lock)

    def reply(_messages: Messages) -> str:
        thread.start()
        held.wait(20)
        threading.Timer(1.0, let_go.set).start()
        return CONFIDENT

    scene.model_says(LOUDER, reply)
    told = scene.tell("/tinygen --pr Louder.")
    thread.join()
    assert (told.state, len(scene.asked), len(scene.repo.pulls)) == ("done", 2, 1)


def deliver_on_a_full_disk(root: Path) -> list[int]:
    """What deliveries are answered before, while and after no file may grow. To be run in a process
    of its own."""
    given = {"GITHUB_WEBHOOK_SECRET": "hush", "GITHUB_APP_ID": "1", "TINYGEN_DATA_DIR": str(root)}
    web = build_web(load_config(given, env_file=None)).test_client()
    body = json.dumps(
        {
            "action": "created",
            "comment": {"id": 7, "body": "/tinygen Louder.", "user": {"id": 1, "login": "octocat"}},
            "issue": {"number": 1},
            "repository": {"full_name": "octocat/greeter"},
            "installation": {"id": 9},
        }
    ).encode()

    headers = {"X-GitHub-Event": "issue_comment", "X-Hub-Signature-256": sign("hush", body)}

    def deliver(guid: str) -> int:
        return web.post(
            "/webhook", data=body, headers={**headers, "X-GitHub-Delivery": guid}
        ).status_code

    before = deliver("d-1")
    _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((root / "tinygen.sqlite-wal").stat().st_size, hard))
    full = deliver("d-2")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    return [before, full, deliver("d-2")]


def test_a_full_disk_is_503_and_the_delivery_is_taken_later(tmp_path: Path) -> None:
    words = (
        "import sys, pathlib; from tests.jobs.test_outages import deliver_on_a_full_disk as"
        " deliver\n"
    )
    words += "print(deliver(pathlib.Path(sys.argv[1])), file=sys.stderr)"
    command = [sys.executable, "-c", words, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[202, 503, 202]"


class FullDisk(GitCache):
    def fetch(self, repo: str, remote: Remote, sha: str) -> None:
        raise DiskFull


def test_a_full_disk_is_told_to_the_thread(set_scene: SetScene, tmp_path: Path) -> None:
    told = set_scene(git=FullDisk(tmp_path / "cache", protocols=("http",))).tell("/tinygen Louder.")
    assert told.state == "failed"
    assert "The bot's disk is full. The operator must free space on it." in told.answer


class Interrupted(GitCache):
    """The real cache; the database fails in the middle of the step that first fetches into it."""

    is_whole = False

    def fetch(self, repo: str, remote: Remote, sha: str) -> None:
        if not self.is_whole:
            self.is_whole = True
            raise DatabaseFailed("The database failed (connection closed).", next_step="Try again.")
        super().fetch(repo, remote, sha)


def test_a_database_that_fails_in_the_middle_of_a_step_costs_the_job_nothing(
    set_scene: SetScene, tmp_path: Path
) -> None:
    scene = set_scene(git=Interrupted(tmp_path / "cache", protocols=("http",)))
    told = scene.tell("/tinygen --pr Louder.")
    assert (told.state, len(told.answers), len(scene.asked)) == ("done", 1, 2)


class Refusing(Database):
    """The real database; it fails once when it is told that a job ended, with the report stored or
    not."""

    def __init__(self, url: str, *, stores_report: bool) -> None:
        super().__init__(url)
        self._stores_report = stores_report
        self.failed = 0

    def save(self, report: Report) -> None:
        if not self._stores_report:
            self._fail_once(report)
        super().save(report)

    def write(self, report: Report) -> None:
        self._fail_once(report)
        super().write(report)

    def _fail_once(self, report: Report) -> None:
        if report.state in FINAL_STATES and not self.failed:
            self.failed += 1
            raise DatabaseFailed("The database failed (connection closed).", next_step="Try again.")


@pytest.mark.parametrize("stores_report", [False, True])
@pytest.mark.parametrize(
    ("words", "who", "state"),
    [
        ("/tinygen --pr Louder.", "octocat", "done"),
        ("/tinygen --pr --base nowhere Louder.", "octocat", "failed"),
        ("/tinygen --pr Louder.", "mallory", "refused"),
        ("/tinygen --nonsense", "octocat", "failed"),
    ],
)
def test_a_database_that_does_not_take_a_jobs_end_leaves_no_end_untold(
    set_scene: SetScene, stores_report: bool, words: str, who: str, state: str
) -> None:
    def open_database(config: Config) -> Database:
        database = Refusing(database_url(config), stores_report=stores_report)
        database.create()
        return database

    scene = set_scene(open_database=open_database)
    told = scene.say(words, who=who)
    scene.wait(lambda: f"state={state} -->" in "".join(told.answers), "the end to be told")
    scene.ended(told)
    assert isinstance(scene.database, Refusing)
    assert (scene.database.failed, len(told.answers), told.row["state"]) == (1, 1, state)
    assert len(scene.repo.pulls) == (state == "done")


def cut_packs(cache: Path) -> None:
    for pack in cache.glob("objects/pack/*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:40])


def lose_objects(cache: Path) -> None:
    for pack in cache.glob("objects/pack/*"):
        pack.unlink()


def leave_locks(cache: Path) -> None:
    (cache / "shallow.lock").touch()
    (cache / "refs/tinygen/x.lock").touch()


def cache_of(scene: Scene) -> Path:
    """The one repository's."""
    (cache,) = (scene.root / "data/repositories").glob("*+id/*.git")
    return cache


DAMAGES = [cut_packs, lose_objects, leave_locks]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_cache_that_was_damaged_between_jobs_is_fetched_again(
    scene: Scene, damage: Callable[[Path], None]
) -> None:
    scene.tell("/tinygen Louder.")
    damage(cache_of(scene))
    scene.repo.git.commit({"more.py": b"MORE = 1\n"}, branch="main")
    scene.model_says(LOUDER, CONFIDENT)
    assert scene.tell("/tinygen --pr Louder.").state == "done"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_cache_that_is_damaged_in_the_middle_costs_the_job_nothing(
    scene: Scene, damage: Callable[[Path], None]
) -> None:
    def reply(_messages: Messages) -> str:
        damage(cache_of(scene))
        return CONFIDENT

    scene.model_says(LOUDER, reply)
    told = scene.tell("/tinygen --pr Louder.")
    assert (told.state, len(scene.asked), len(scene.repo.pulls)) == ("done", 2, 1)


class SlowLog(RemoteLog):
    """Answers nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, report: Report) -> None:
        self.let_go.wait(20)
        super().write(report)


class PickyLog(RemoteLog):
    """Refuses one prompt's rows for good."""

    def write(self, report: Report) -> None:
        if "refuse" in report.job.command.prompt:
            raise RowRefused("Supabase refused the row (23514).", next_step="Run the SQL.")
        super().write(report)


def test_a_log_that_hangs_holds_up_no_job_and_gets_its_row_later(set_scene: SetScene) -> None:
    log = SlowLog()
    scene = set_scene(remote_log=log)
    told = scene.tell("/tinygen Louder.")
    assert (told.state, log.written) == ("done", {})
    log.let_go.set()
    scene.wait(lambda: log.written.get(told.job, [])[-1:] == ["done"], "the row")


def test_rows_of_several_jobs_arrive_in_their_order_and_once_after_an_outage(
    set_scene: SetScene,
) -> None:
    log = RemoteLog()
    log.is_away = True
    scene = set_scene(remote_log=log)
    jobs = [scene.tell("/tinygen help").job for _ in range(5)]
    scene.wait(lambda: log.tries >= 2, "the log to be tried again")
    assert len(scene.database.outbox) == 5
    log.is_away = False
    scene.wait(lambda: not len(scene.database.outbox), "the rows")
    assert list(log.written) == jobs
    assert [len(states) for states in log.written.values()] == [1] * 5


def test_a_row_that_is_refused_for_good_is_reported_and_holds_up_no_other(
    set_scene: SetScene, capsys: pytest.CaptureFixture[str]
) -> None:
    log = PickyLog()
    scene = set_scene(remote_log=log)
    scene.model_says(LOUDER, CONFIDENT, LOUDER, CONFIDENT)
    refused, taken = scene.tell("/tinygen Louder, refuse."), scene.tell("/tinygen Louder.")
    scene.wait(lambda: log.written.get(taken.job, [])[-1:] == ["done"], "the other row")
    assert refused.job not in log.written
    assert "Supabase refused the row (23514)" in capsys.readouterr().out
