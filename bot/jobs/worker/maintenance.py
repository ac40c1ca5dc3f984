"""What a worker does now and then, beside its jobs: ask for missed deliveries, forget what is old.

Each chore may be done by several workers, or twice by one, without harm. One that fails is logged,
and done again when it is next due.

Each worker says that it is alive, and takes over the jobs of one that no longer does.

The engine recovers only what the same executor left behind, and there a restarted worker is another
executor. A worker that could not say so itself (it just started, or the database was away) first
lets the others speak: it takes nothing over until everyone has had the time to.

Closes jobs whose workflow ended without their end being told: what is said to be running always is.

That takes a fault, of TinyGen or of its database, in the last moment of a job, or a workflow that
an operator removed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.errors import OutsideError, TinyGenError
from bot.jobs.engine import Engine, Json
from bot.jobs.policy import JobContext
from bot.jobs.progress import ProgressReporter
from bot.jobs.thread_jobs import run_id
from bot.ports import Deliveries, Workers
from bot.thread.webhooks import choose_missed
from bot.types import FINAL_STATES

LOOK_S = 1.0
LOOK_BACK = timedelta(days=3)
"""GitHub keeps a delivery for three days."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    name: str
    every_s: float
    do: Callable[[], None]


class Maintenance:
    """Does each chore when it starts, and every `every_s` from then on."""

    def __init__(
        self, chores: Sequence[PeriodicTask], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._due_s = [(chore, float("-inf")) for chore in chores]
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def do_due(self) -> None:
        """Does what is due now."""
        for at, (chore, due_s) in enumerate(self._due_s):
            if self._clock() < due_s:
                continue
            self._due_s[at] = (chore, self._clock() + chore.every_s)
            try:
                chore.do()
            except TinyGenError as error:
                _log.warning("a chore failed", chore=chore.name, error=str(error))
            except Exception:  # the thread outlives whatever it meets
                _log.exception("a chore met a fault", chore=chore.name)

    def _go(self) -> None:
        self.do_due()
        while not self._stopping.wait(LOOK_S):
            self.do_due()


def redeliver_missed(deliveries: Deliveries, since: datetime) -> int:
    """How many deliveries that never arrived GitHub was asked to send again. A delivery that did
    arrive, though its answer was lost, starts nothing twice: its id is known."""
    missed = choose_missed(deliveries.recent(since))
    for attempt_id in missed:
        deliveries.redeliver(attempt_id)
    if missed:
        _log.warning("missed deliveries are sent again", count=len(missed))
    return len(missed)


BEAT_S = 5.0
DEAD_S = 25.0
"""A worker that was not heard of for so long is dead. One that only slept is fenced: the engine
takes nothing of what it does from then on."""


class Heartbeat:
    def __init__(
        self,
        engine: Engine,
        workers: Workers,
        me: str,
        *,
        beat_s: float = BEAT_S,
        dead_s: float = DEAD_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._workers, self._me = engine, workers, me
        self._beat_s, self._dead_s, self._clock = beat_s, dead_s, clock
        self._last_beat = float("-inf")
        self._quiet_until = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go, name="lease", daemon=True)

    def start(self) -> None:
        """Alive from here on; to be called before the engine may own a job."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def beat(self) -> None:
        """Says that this worker is alive."""
        self._workers.beat(self._me)
        now = self._clock()
        if now - self._last_beat > self._dead_s:
            self._quiet_until = now + self._dead_s
        self._last_beat = now

    def take_over(self) -> int:
        """How many jobs of dead workers go on here."""
        if self._clock() < self._quiet_until:
            return 0
        dead = self._engine.owners() - self._workers.alive(self._dead_s) - {self._me}
        if not dead:
            return 0
        count = self._engine.take_over(sorted(dead))
        _log.warning("jobs of dead workers go on here", workers=sorted(dead), jobs=count)
        return count

    def _go(self) -> None:
        while not self._stopping.wait(self._beat_s):
            try:
                self.beat()
                self.take_over()
            except OutsideError as error:
                _log.error("the lease cannot be renewed", error=str(error))
            except (
                Exception
            ):  # a worker whose lease ended with its thread would lose its jobs for ever
                _log.exception("the lease met a fault")


SETTLE_S = 60.0
"""A report that was changed more lately may be on its way to the next state."""


def find_lost(context: JobContext) -> None:
    """Has each job closed whose report is open, though nothing works on it."""
    last = ""
    while found := context.reports.unfinished(SETTLE_S, last):
        last = found[-1].job.id
        for job in (report.job for report in found):
            if not any(context.engine.is_alive(each) for each in (job.id, run_id(job.id))):
                payload = {"id": job.id, "account": job.account}
                context.engine.enqueue(
                    "followups", "close", f"{job.id}-close", payload, key=job.account
                )


def close_lost(context: JobContext, payload: Json) -> None:
    """Ends the job as failed, in its report, its row and its thread."""
    report = context.reports.load(payload["id"])
    if report is None or report.state in FINAL_STATES:
        return
    _log.error("a job was lost and is closed", job=report.job.id)
    error = TinyGenError("TinyGen lost this job before its end.", next_step="Ask for it again.")
    ProgressReporter(context, report, None).stopped(error)
