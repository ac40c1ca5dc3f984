"""Several workers on one PostgreSQL: what a killed one had begun goes on in another, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bot.app import lock_worker
from bot.config import load_config
from bot.errors import SetupError
from bot.jobs.worker.heartbeat import DEAD_S, Heartbeat
from tests import ROOT
from tests.adapters.conftest import postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.demo import REPO, VERDICT, sample_files, scripted
from tests.doubles.clock import ManualClock
from tests.doubles.model import Fault, Messages, ModelDouble, Reply, hang
from tests.fakes import MemoryWorkers
from tests.scene import CONFIDENT, FILES, LOUDER
from tests.stage import Stage, state_of


class FakeEngine:
    def __init__(self, *owners: str) -> None:
        self.jobs, self.taken = set(owners), list[list[str]]()

    def owners(self) -> frozenset[str]:
        return frozenset(self.jobs)

    def take_over(self, executor_ids: list[str]) -> int:
        self.taken.append(executor_ids)
        return len(executor_ids)


def lease(engine: FakeEngine, workers: MemoryWorkers, clock: ManualClock) -> Heartbeat:
    return Heartbeat(engine, workers, "me", clock=clock)  # type: ignore[arg-type]


def test_jobs_of_a_dead_worker_are_taken_over_and_those_of_the_living_are_not() -> None:
    engine, workers, clock = (
        FakeEngine("me", "dead", "other"),
        MemoryWorkers("other"),
        ManualClock(),
    )
    mine = lease(engine, workers, clock)
    mine.beat()
    clock.now_s += DEAD_S + 1
    assert mine.take_over() == 1
    assert engine.taken == [["dead"]]


def test_a_worker_that_just_began_lets_the_others_speak_first() -> None:
    engine, clock = FakeEngine("dead"), ManualClock()
    mine = lease(engine, MemoryWorkers(), clock)
    mine.beat()
    assert mine.take_over() == 0


def test_so_does_one_that_could_not_beat_for_as_long_as_the_dead() -> None:
    engine, workers, clock = FakeEngine("dead"), MemoryWorkers(), ManualClock()
    mine = lease(engine, workers, clock)
    mine.beat()
    clock.now_s += 10 * DEAD_S
    mine.beat()
    assert mine.take_over() == 0
    clock.now_s += DEAD_S + 1
    assert mine.take_over() == 1


def test_a_lease_survives_whatever_it_meets() -> None:
    again = threading.Event()

    class Faulty(FakeEngine):
        faults = 0

        def owners(self) -> frozenset[str]:
            self.faults += 1
            if self.faults == 2:
                again.set()
            raise ZeroDivisionError

    mine = Heartbeat(Faulty(), MemoryWorkers(), "me", beat_s=0.001, dead_s=0.0)  # type: ignore[arg-type]
    mine.start()
    assert again.wait(20)
    mine.stop()


def test_a_second_worker_on_sqlite_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    config = load_config({"TINYGEN_DATA_DIR": str(tmp_path)}, env_file=None)
    first = lock_worker(config)
    assert first
    with pytest.raises(SetupError, match="Another worker already runs") as refused:
        lock_worker(config)
    assert "TINYGEN_DATABASE_URL" in refused.value.next_step
    first.close()
    again = lock_worker(config)
    assert again
    again.close()


@pytest.mark.postgres
@pytest.mark.slow
def test_a_killed_workers_job_goes_on_in_another(postgres_url: str, tmp_path: Path) -> None:  # noqa: F811
    asked: list[str] = []

    def reply(messages: Messages) -> Reply:
        said = scripted(messages)
        asked.append(said)
        return hang(600) if said == VERDICT and asked.count(VERDICT) == 1 else said

    with (
        ModelDouble(reply) as model,
        Stage(tmp_path, model.url, {"TINYGEN_DATABASE_URL": postgres_url}) as stage,
    ):
        repo = stage.github.add_repository(
            REPO, files=sample_files(), permissions={"octocat": "admin"}
        )
        stage.github.install(stage.app, "octocat")
        issue = repo.open_issue("octocat", "Names", "Mend them.")
        repo.comment(issue.number, "octocat", "/tinygen fix greet")
        stage.wait(lambda: VERDICT in asked, "the reflection to hang")
        second = _worker(stage, tmp_path / "second")
        try:
            for pid in stage.pids("worker"):
                os.kill(pid, signal.SIGKILL)
            body = stage.finished(REPO, issue.number, within_s=90)
        finally:
            second.terminate()
            second.wait()
        assert state_of(body) == "done"
        assert len(stage.bot_comments(REPO, issue.number)) == 1
        assert len(asked) == 5, (
            "the draft, the revision, the comparison, the verdict that hung, and that verdict again"
        )


@pytest.mark.postgres
@pytest.mark.slow
def test_a_worker_that_was_away_for_longer_than_its_lease_delivers_nothing(
    postgres_url: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    """As on a machine that was frozen, or cut off from the database: another finished its job
    meanwhile."""
    asked: list[str] = []

    def reply(messages: Messages) -> Reply:
        said = "reflect" if "[REVISION NEEDED]" in str(messages) else "generate"
        asked.append(said)
        if asked.count("reflect") == 1 and said == "reflect":
            return Fault(hang_s=3.0, text=CONFIDENT)
        return CONFIDENT if said == "reflect" else LOUDER

    with (
        ModelDouble(reply) as model,
        Stage(
            tmp_path,
            model.url,
            {"TINYGEN_DATABASE_URL": postgres_url, "TINYGEN_LOG_LEVEL": "debug"},
        ) as stage,
    ):
        repo = stage.github.add_repository(REPO, files=FILES, permissions={"octocat": "admin"})
        stage.github.install(stage.app, "octocat")
        issue = repo.open_issue("octocat", "Too quiet", "It whispers.")
        repo.comment(issue.number, "octocat", "/tinygen --pr Louder.")
        stage.wait(lambda: "reflect" in asked, "the reflection to hang")
        (frozen,) = stage.pids("worker")
        os.kill(frozen, signal.SIGSTOP)
        second = _worker(stage, tmp_path / "second")
        try:
            body = stage.finished(REPO, issue.number, within_s=90)
            os.kill(frozen, signal.SIGCONT)
            stage.wait(
                lambda: "'ask reflect'" in stage.log.read_text(),
                "the frozen worker to have its reply",
            )
            other = repo.open_issue("octocat", "Too loud", "It shouts.")
            repo.comment(other.number, "octocat", "/tinygen help")
            stage.finished(REPO, other.number)
        finally:
            second.terminate()
            second.wait()
        assert state_of(body) == "done"
        assert stage.bot_comments(REPO, issue.number) == [body]
        assert (len(repo.pulls), asked) == (1, ["generate", "reflect", "reflect"])
        assert "'push'" not in stage.log.read_text()


def _worker(stage: Stage, data_dir: Path) -> subprocess.Popen[bytes]:
    """Another worker on the same database."""
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "worker"],
        cwd=ROOT,
        env={**stage.environment, "TINYGEN_DATA_DIR": str(data_dir)},
        stdin=subprocess.DEVNULL,
    )
