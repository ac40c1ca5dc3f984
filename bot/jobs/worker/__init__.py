"""What a worker process does: start what the web part accepted, run it, and stop without losing any
of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

import structlog

from bot.errors import OutsideError
from bot.jobs.accept import accept, refused_again
from bot.jobs.engine import MAX_STARTING, Json, choose_starting
from bot.jobs.policy import JobContext, kind_of
from bot.jobs.retry import resume_later, tell_end
from bot.jobs.run import run
from bot.jobs.worker.log_sync import send_on
from bot.jobs.worker.maintenance import Heartbeat, close_lost
from bot.ports import Inbox, Waiting
from bot.types import Job
from bot.types.serialization import dump_job

INTAKE_S = 0.05
"""How often the inbox is looked at, while nothing in it can be started."""
ACCEPT_S = 300.0
"""A command that is accepted for longer counts no more as being at work: it ended without a
word."""
FREE_S = 0.5
"""How often it is seen whose turn has come."""
FAILED_WAIT_S = 1.0

_log = structlog.get_logger()


class BackgroundLoop(Protocol):
    """A thread of its own in the worker."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Worker:
    def __init__(
        self,
        context: JobContext,
        inbox: Inbox,
        *,
        beside: Sequence[BackgroundLoop] = (),
        lease: Heartbeat | None = None,
        wait_s: float = FAILED_WAIT_S,
    ) -> None:
        """`beside` runs with the jobs; `lease` says to others that this worker is alive. `wait_s`:
        after an inbox that failed."""
        self._context, self._inbox, self._beside, self._lease = context, inbox, beside, lease
        self._wait_s = wait_s
        self._free_at = 0.0
        self._stopping = threading.Event()
        self._intake = threading.Thread(
            target=self.take_in_until_stopped, name="intake", daemon=True
        )
        self._starting: dict[str, tuple[Waiting, float]] = {}
        """What is being accepted here, and since when."""
        engine = context.engine
        engine.workflow("accept", self._accept)
        engine.workflow("run", lambda payload: run(context, payload))
        engine.workflow("tell", lambda payload: tell_end(context, payload))
        engine.workflow("log", lambda payload: send_on(context, payload))
        engine.workflow("go on", lambda payload: resume_later(context, payload))
        engine.workflow("close", lambda payload: close_lost(context, payload))
        engine.workflow("cancel", lambda _payload: None)

    def start(self) -> None:
        """From here on jobs run; those in flight at the last stop go on."""
        if self._lease:
            self._lease.start()
        self._context.engine.launch()
        self._intake.start()
        for each in self._beside:
            each.start()
        _log.info("worker started")

    def stop(self, drain_s: int) -> None:
        self.stop_intake()
        self._intake.join()
        for each in self._beside:
            each.stop()
        self._context.engine.stop(drain_s)
        if self._lease:
            self._lease.stop()
        _log.info("worker stopped")

    def stop_intake(self) -> None:
        self._stopping.set()

    def take_in_until_stopped(self) -> None:
        """The one thread that starts jobs: it outlives whatever it meets."""
        began_nothing = False
        while not self._stopping.wait(INTAKE_S if began_nothing else 0):
            try:
                began_nothing = not self._take_in()
                self._free_held()
            except Exception as error:  # this thread alone starts jobs
                _log.error(
                    "jobs cannot be taken in",
                    error=str(error),
                    exc_info=not isinstance(error, OutsideError),
                )
                self._stopping.wait(self._wait_s)
                began_nothing = True

    def _free_held(self) -> None:
        """Lets jobs go whose installation has a place again."""
        if time.monotonic() >= self._free_at:
            self._free_at = time.monotonic() + FREE_S
            self._context.engine.free(self._context.policy.installation_concurrency)

    def _take_in(self) -> bool:
        """Starts the jobs whose turn it is; whether there was any. One that was started before a
        crash could say so is found again by its id."""
        found = self._inbox.waiting(MAX_STARTING, self._choose)
        for job in found:
            try:
                self._start(job)
            except OutsideError:
                raise
            except Exception:  # what only this job brings about must not stop those behind it
                _log.exception("a job cannot be taken in", job=job.id)
        return bool(found)

    def _start(self, job: Job) -> None:
        """A person who was refused lately is not asked about again: the refusal counts, and costs a
        row."""
        standing = (
            self._context.refusals.standing(job, kind=kind_of(job.command))
            if job.actor_id is not None
            else None
        )
        if standing is not None:
            self._inbox.refuse(
                refused_again(self._context, job, standing), ship=self._context.outbox is not None
            )
            return
        if (
            self._context.engine.state(job.id) == "unknown"
        ):  # what was started before ends elsewhere, or has ended
            place = Waiting(job.id, job.asker_key, job.target.repository_key, job.account)
            self._starting[job.id] = (place, time.monotonic())
        try:
            self._context.engine.start(
                "accept", job.id, {**dump_job(job), "id": job.id}, group=job.account
            )
        except BaseException:
            self._starting.pop(job.id, None)
            raise
        self._inbox.taken(job.id)

    def _accept(self, payload: Json) -> Json:
        try:
            return accept(self._context, payload)
        finally:
            self._starting.pop(payload["id"], None)

    def _choose(self, waiting: Sequence[Waiting]) -> Sequence[str]:
        since = time.monotonic() - ACCEPT_S
        for job_id, (_, began) in tuple(self._starting.items()):
            if began < since:
                self._starting.pop(job_id, None)
        return choose_starting(waiting, [place for place, _ in tuple(self._starting.values())])
