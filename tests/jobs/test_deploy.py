"""Jobs in flight while the code changes: what they did is kept as far as the new code would have
done the same."""

from __future__ import annotations

import operator
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from dbos import DBOS

from bot.jobs.engine import FLAG, NOTHING, RESUME, Engine, Resumption, Workflow
from bot.jobs.workflows import CANCEL, JobReference
from tests.polling import poll

Body = Callable[[Engine, list[str]], None]


RUN: Workflow[JobReference] = Workflow("run", CANCEL.payload)


def steps(*names: str) -> Body:
    def body(engine: Engine, done: list[str]) -> None:
        for name in names:
            engine.step(name, partial(done.append, name), NOTHING)

    return body


@contextmanager
def running(root: Path, body: Body, done: list[str], *, dies: bool = False) -> Iterator[Engine]:
    """An engine that is stopped at the end, or ends without a word."""
    engine = Engine(
        f"sqlite:///{root}/jobs.sqlite",
        executor_id="local",
        concurrency=2,
        clean=lambda words: words,
        poll_s=0.01,
    )
    engine.register(RUN, lambda _job: body(engine, done))

    def resume(resumption: Resumption) -> None:
        while not engine.step("go on", partial(engine.resume, resumption), FLAG):
            time.sleep(0.01)  # the job is still about to end

    engine.register(RESUME, resume)
    engine.launch()
    try:
        yield engine
    finally:
        if dies:
            DBOS.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)
        else:
            engine.stop(0)


def killed_after(root: Path, body: Body) -> list[str]:
    """What a job had done when its worker was replaced in the middle of its third step."""
    done: list[str] = []
    reached, leave = threading.Event(), threading.Event()

    def cut(engine: Engine, done: list[str]) -> None:
        body(engine, done)
        reached.set()
        leave.wait(20)
        raise SystemExit

    with running(root, cut, done) as engine:
        engine.enqueue("jobs", RUN, "job-run", JobReference("job"), key="octocat/greeter")
        assert reached.wait(20)
    leave.set()
    return done


def gone_on(root: Path, body: Body) -> list[str]:
    done: list[str] = []
    ended = threading.Event()

    def whole(engine: Engine, done: list[str]) -> None:
        body(engine, done)
        ended.set()

    with running(root, whole, done):
        assert ended.wait(20), f"the job did not go on: {done}"
    return done


def test_a_job_of_the_same_steps_goes_on_after_the_last(tmp_path: Path) -> None:
    assert killed_after(tmp_path, steps("read", "ask")) == ["read", "ask"]
    assert gone_on(tmp_path, steps("read", "ask", "deliver", "a new last step")) == [
        "deliver",
        "a new last step",
    ]


def test_a_job_of_other_steps_goes_on_from_where_they_differ(tmp_path: Path) -> None:
    assert killed_after(tmp_path, steps("read", "ask", "tell")) == ["read", "ask", "tell"]
    assert gone_on(tmp_path, steps("read", "ask", "check", "tell")) == ["check", "tell"]


def test_a_workflow_in_flight_is_known_as_in_progress_also_after_a_restart(tmp_path: Path) -> None:
    """An asker's next command must not pass it."""
    leave = threading.Event()

    def wait(engine: Engine, _done: list[str]) -> None:
        engine.step("wait", lambda: leave.wait(20), FLAG)

    with running(tmp_path, wait, []) as engine:
        assert engine.in_progress(RUN, 60) == ()
        engine.start(RUN, "job", JobReference("job"))
        assert engine.in_progress(RUN, 60) == ((JobReference("job"), True),)
        assert engine.in_progress(RUN, -60) == ()
    with running(tmp_path, wait, []) as engine:
        assert [job for job, _is_here in engine.in_progress(RUN, 60)] == [JobReference("job")]
        leave.set()
        assert poll(lambda: not engine.in_progress(RUN, 60), within_s=20)


def endless(began: list[str], leave: threading.Event) -> Callable[[Engine, list[str]], None]:
    """A workflow that stays after its first step until its worker has ended."""

    def work(engine: Engine, done: list[str]) -> None:
        engine.step("before", lambda: done.append("before"), NOTHING)
        began.append("run")
        leave.wait(20)
        raise SystemExit

    return work


def test_a_job_whose_worker_dies_ever_again_in_one_step_is_given_up(tmp_path: Path) -> None:
    """What it kills is the worker, and with it the jobs beside it."""
    began: list[str] = []
    leave = threading.Event()
    for number in range(5):
        with running(tmp_path, endless(began, leave), [], dies=True) as engine:
            if number == 0:
                engine.enqueue("jobs", RUN, "job-run", JobReference("job"), key="octocat/greeter")
            has_begun = partial(operator.gt, began, ["run"] * number)
            lives = poll(has_begun, within_s=20 if number < 3 else 2)
            assert bool(lives) is (number < 3)
    leave.set()
    assert len(began) == 3


def test_a_job_that_gets_on_between_the_deaths_of_its_worker_goes_on(tmp_path: Path) -> None:
    done: list[str] = []
    leave = threading.Event()

    def work(engine: Engine, done: list[str]) -> None:
        for number in range(6):
            before = len(done)
            engine.step(f"{number}", partial(done.append, f"{number}"), NOTHING)
            if len(done) > before and number < 5:
                leave.wait(20)
                raise SystemExit

    for number in range(6):
        with running(tmp_path, work, done, dies=True) as engine:
            if number == 0:
                engine.enqueue("jobs", RUN, "job-run", JobReference("job"), key="octocat/greeter")
            assert poll(partial(operator.contains, done, f"{number}"), within_s=20)
    leave.set()
    assert done == [f"{number}" for number in range(6)]


def test_an_orderly_stop_is_no_death(tmp_path: Path) -> None:
    began: list[str] = []
    leave = threading.Event()
    for number in range(5):
        with running(tmp_path, endless(began, leave), []) as engine:
            if number == 0:
                engine.enqueue("jobs", RUN, "job-run", JobReference("job"), key="octocat/greeter")
            assert poll(partial(operator.gt, began, ["run"] * number), within_s=20)
    leave.set()
