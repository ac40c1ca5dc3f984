"""Several workers on one PostgreSQL: what a killed one had begun goes on in another, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.job.lease import DEAD_S, Lease
from tests.adapters.conftest import postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.demo import REPO, VERDICT, sample_files, scripted
from tests.doubles.model import Messages, ModelDouble, Reply, hang
from tests.stage import ROOT, Stage, state_of


class FakeEngine:
    def __init__(self, *owners: str) -> None:
        self.jobs, self.taken = set(owners), list[list[str]]()

    def owners(self) -> frozenset[str]:
        return frozenset(self.jobs)

    def take_over(self, executor_ids: list[str]) -> int:
        self.taken.append(executor_ids)
        return len(executor_ids)


class FakeWorkers:
    def __init__(self, *alive: str) -> None:
        self.seen = set(alive)

    def beat(self, worker: str) -> None:
        self.seen.add(worker)

    def alive(self, within_s: float) -> frozenset[str]:
        return frozenset(self.seen)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def lease(engine: FakeEngine, workers: FakeWorkers, clock: Clock) -> Lease:
    return Lease(engine, workers, "me", clock=clock)  # type: ignore[arg-type]


def test_jobs_of_a_dead_worker_are_taken_over_and_those_of_the_living_are_not() -> None:
    engine, workers, clock = FakeEngine("me", "dead", "other"), FakeWorkers("other"), Clock()
    mine = lease(engine, workers, clock)
    mine.beat()
    clock.now_s += DEAD_S + 1
    assert mine.take_over() == 1
    assert engine.taken == [["dead"]]


def test_a_worker_that_just_began_lets_the_others_speak_first() -> None:
    engine, clock = FakeEngine("dead"), Clock()
    mine = lease(engine, FakeWorkers(), clock)
    mine.beat()
    assert mine.take_over() == 0


def test_so_does_one_that_could_not_beat_for_as_long_as_the_dead() -> None:
    engine, workers, clock = FakeEngine("dead"), FakeWorkers(), Clock()
    mine = lease(engine, workers, clock)
    mine.beat()
    clock.now_s += 10 * DEAD_S
    mine.beat()
    assert mine.take_over() == 0
    clock.now_s += DEAD_S + 1
    assert mine.take_over() == 1


@pytest.mark.postgres
@pytest.mark.slow
def test_a_killed_workers_job_goes_on_in_another(postgres_url: str, tmp_path: Path) -> None:  # noqa: F811
    asked: list[str] = []

    def reply(messages: Messages) -> Reply:
        said = scripted(messages)
        asked.append(said)
        return hang(600) if said == VERDICT and asked.count(VERDICT) == 1 else said

    with ModelDouble(reply) as model, Stage(tmp_path, model.url, {"TINYGEN_DATABASE_URL": postgres_url}) as stage:
        repo = stage.github.add_repository(REPO, files=sample_files(), permissions={"octocat": "admin"})
        stage.github.install(stage.app, "octocat")
        issue = repo.open_issue("octocat", "Names", "Mend them.")
        repo.comment(issue.number, "octocat", "/tinygen fix greet")
        stage.wait(lambda: VERDICT in asked, "the reflection to hang")
        second = subprocess.Popen(
            [sys.executable, "-m", "bot", "worker"],
            cwd=ROOT,
            env={**stage.environment, "TINYGEN_DATA_DIR": str(tmp_path / "second")},
            stdin=subprocess.DEVNULL,
        )
        try:
            for pid in stage.pids("worker"):
                os.kill(pid, signal.SIGKILL)
            body = stage.finished(REPO, issue.number, within_s=90)
        finally:
            second.terminate()
            second.wait()
        assert state_of(body) == "done"
        assert len(stage.bot_comments(REPO, issue.number)) == 1
        assert len(asked) == 4, "the draft, the revision, the verdict that hung, and that verdict again"
