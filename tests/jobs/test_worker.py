"""The worker's intake: the one thread that starts jobs must not die."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from bot.errors import OutsideError, SetupError
from bot.jobs.engine import check_sqlite
from bot.jobs.policy import JobContext
from bot.jobs.worker import Worker
from bot.ports import ChooseWaiting
from bot.types import Command, Job, Target
from tests.fakes import MemoryInbox, NoRefusals


class FakeEngine:
    """Remembers what was started; fails as often as it is told to, before that."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.started = list(failures), list[str]()
        self.others: tuple[tuple[Job, bool], ...] = ()
        """The commands that any worker is accepting, and whether it is this one."""

    def register(self, workflow: Any, body: Callable[[Any], Any]) -> None: ...

    def start(self, workflow: Any, workflow_id: str, payload: Any, *, account: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.started.append(workflow_id)

    def release_held(self, cap: int) -> None: ...

    def in_progress(self, workflow: Any, within_s: float) -> tuple[tuple[Job, bool], ...]:
        return self.others


class FakePolicy:
    installation_concurrency = 0


class FakeContext:
    policy = FakePolicy()
    refusals = NoRefusals()

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine


class StopAfter(MemoryInbox):
    """Ends the worker's intake after so many looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks
        self.stop: Callable[[], None] = lambda: None

    def waiting(self, limit: int, choose: ChooseWaiting | None = None) -> Sequence[Job]:
        self.looks -= 1
        if self.looks == 0:
            self.stop()
        return super().waiting(limit, choose)


def job(job_id: str) -> Job:
    return Job(job_id, "run", Target(f"o/{job_id}"), Command("solve", "x"))


def worker(engine: FakeEngine, inbox: StopAfter) -> Worker:
    made = Worker(cast(JobContext, FakeContext(engine)), inbox, wait_s=0.0)
    inbox.stop = made.stop_intake
    return made


def test_what_waits_is_started_and_taken() -> None:
    engine, inbox = FakeEngine(), StopAfter(2)
    inbox.accept(job("a"))
    inbox.accept(job("b"))
    worker(engine, inbox).take_in_until_stopped()
    assert engine.started == ["a", "b"]
    assert not inbox.jobs


def test_a_failure_of_any_kind_is_survived_and_what_waits_is_started_later() -> None:
    engine, inbox = (
        FakeEngine(OutsideError("Away.", next_step="Wait."), ZeroDivisionError()),
        StopAfter(5),
    )
    inbox.accept(job("a"))
    worker(engine, inbox).take_in_until_stopped()
    assert engine.started == ["a"]


class Picky(FakeEngine):
    """Never starts the job "odd"."""

    def start(self, workflow: Any, workflow_id: str, payload: Any, *, account: str) -> None:
        if workflow_id == "odd":
            raise ZeroDivisionError
        super().start(workflow, workflow_id, payload, account=account)


def test_a_job_that_cannot_be_started_does_not_stop_those_behind_it() -> None:
    engine, inbox = Picky(), StopAfter(2)
    for name in ("a", "odd", "b"):
        inbox.accept(job(name))
    worker(engine, inbox).take_in_until_stopped()
    assert engine.started == ["a", "b"]
    assert list(inbox.jobs) == ["odd"]


def test_a_later_command_of_an_asker_waits_while_any_worker_accepts_the_earlier_one() -> None:
    engine, inbox = FakeEngine(), StopAfter(2)
    inbox.accept(job("later"))
    inbox.accept(job("another's"))
    earlier = replace(job("earlier"), target=job("later").target)
    engine.others = ((earlier, False),)
    inbox.asker_keys["later"] = earlier.asker_key
    worker(engine, inbox).take_in_until_stopped()
    assert engine.started == ["another's"]


@pytest.mark.parametrize("pair", [((3, 12), (3, 40, 1)), ((3, 13), (3, 41, 2))], ids=str)
def test_a_sqlite_that_does_not_go_with_this_python_is_told(
    pair: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    with pytest.raises(SetupError, match="is too old for Python"):
        check_sqlite(*pair)


@pytest.mark.parametrize("pair", [((3, 11), (3, 40, 1)), ((3, 13), (3, 42, 0))], ids=str)
def test_a_sqlite_that_goes_with_this_python_is_taken(
    pair: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    check_sqlite(*pair)
