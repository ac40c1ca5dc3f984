"""A worker process: starts what the web part accepted, runs it, and stops without losing any of
it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import structlog

from bot.errors import OutsideError
from bot.job_lines import log_ended
from bot.jobs.accept import accept, refused_again
from bot.jobs.engine import RESUME
from bot.jobs.engine.fairness import MAX_STARTING, choose_starting
from bot.jobs.policy import JobContext, kind_of
from bot.jobs.progress import report_end, resume
from bot.jobs.run import run
from bot.jobs.worker.heartbeat import Heartbeat
from bot.jobs.worker.maintenance import close_lost
from bot.jobs.workflows import ACCEPT, CANCEL, CLOSE_LOST, REPORT_END, RUN
from bot.ports import Inbox
from bot.types import Job, WaitingJob

INTAKE_S = 0.05
"""The interval at which the inbox is read while nothing in it can be started."""
ACCEPT_S = 300.0
"""A command that takes longer to be accepted no longer counts as in progress: its workflow must
have ended unnoticed."""
RELEASE_S = 0.5
"""The interval at which held jobs are released that may run."""
FAILED_WAIT_S = 1.0
"""The wait after the inbox failed."""

_log = structlog.get_logger()


class BackgroundLoop(Protocol):
    """Something that runs in a thread of its own in the worker."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Worker:
    def __init__(
        self,
        context: JobContext,
        inbox: Inbox,
        *,
        loops: Sequence[BackgroundLoop] = (),
        heartbeat: Heartbeat | None = None,
        wait_s: float = FAILED_WAIT_S,
    ) -> None:
        """`loops` run beside the jobs. `heartbeat` shows other workers that this one is alive."""
        self._context, self._inbox = context, inbox
        self._loops, self._heartbeat = loops, heartbeat
        self._wait_s = wait_s
        self._release_at = 0.0
        self._stopping = threading.Event()
        self._intake = threading.Thread(
            target=self.take_in_until_stopped, name="intake", daemon=True
        )
        engine = context.engine
        engine.register(ACCEPT, partial(accept, context))
        engine.register(RUN, partial(run, context))
        engine.register(REPORT_END, partial(report_end, context))
        engine.register(RESUME, partial(resume, context))
        engine.register(CLOSE_LOST, partial(close_lost, context))
        engine.register(CANCEL, lambda _job: None)

    def start(self) -> None:
        """Starts to run jobs; those in flight at the last stop continue."""
        if self._heartbeat:
            self._heartbeat.start()
        self._context.engine.launch()
        self._intake.start()
        for loop in self._loops:
            loop.start()
        _log.info("worker started")

    def stop(self, drain_s: int) -> None:
        self.stop_intake()
        self._intake.join()
        for loop in self._loops:
            loop.stop()
        self._context.engine.stop(drain_s)
        if self._heartbeat:
            self._heartbeat.stop()
        _log.info("worker stopped")

    def stop_intake(self) -> None:
        self._stopping.set()

    def take_in_until_stopped(self) -> None:
        """The body of the only thread that starts jobs."""
        began_nothing = False
        while not self._stopping.wait(INTAKE_S if began_nothing else 0):
            try:
                began_nothing = not self._take_in()
                self._release_held()
            except Exception as error:  # without this thread no job would start
                is_defect = not isinstance(error, OutsideError)
                _log.error("jobs cannot be taken in", error=str(error), exc_info=is_defect)
                self._stopping.wait(self._wait_s)
                began_nothing = True

    def _release_held(self) -> None:
        """Lets held jobs run whose installation is below its limit again."""
        if time.monotonic() >= self._release_at:
            self._release_at = time.monotonic() + RELEASE_S
            self._context.engine.release_held(self._context.policy.installation_concurrency)

    def _take_in(self) -> bool:
        """Starts the waiting jobs that may start, and returns whether there was any. A job that was
        started before a crash is not started twice, since its id is known."""
        found = self._inbox.waiting(MAX_STARTING, self._choose)
        for job in found:
            try:
                self._start(job)
            except OutsideError:
                raise
            except Exception:  # an error that only this job causes must not stop those behind it
                _log.exception("a job cannot be taken in", job=job.id)
        return bool(found)

    def _start(self, job: Job) -> None:
        context = self._context
        if job.actor_id is not None:
            # For a person who was refused lately GitHub is not asked again: this costs one row.
            standing = context.refusals.standing(job, kind=kind_of(job.command))
            if standing is not None:
                report = refused_again(context, job, standing)
                self._inbox.refuse(report, ship=context.outbox is not None)
                log_ended(report)
                return
        context.engine.start(ACCEPT, job.id, job, account=job.account)
        self._inbox.taken(job.id)

    def _choose(self, waiting: Sequence[WaitingJob]) -> Sequence[str]:
        """Looked up after the waiting jobs were, since a job is started before it is taken from
        them: one that is in neither was accepted."""
        starting = self._context.engine.in_progress(ACCEPT, ACCEPT_S)
        room = MAX_STARTING - sum(is_here for _, is_here in starting)
        others = [
            WaitingJob(job.id, job.asker_key, job.target.repository_key, job.account)
            for job, _ in starting
        ]
        return choose_starting(waiting, others, room)
