"""The periodic tasks of a worker: watching the App and its deliveries, closing lost jobs, and the
tasks that `bot.app` adds.

It does no harm if several workers do the same task, or if one does it twice.

A job is lost if its workflow ended, but its end was not reported: because of a defect of TinyGen or
of its database in the last moment of the job, or because an operator removed the workflow. Unless
it is closed, such a job is shown as running for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from bot.errors import TinyGenError
from bot.jobs.policy import JobContext
from bot.jobs.progress import ProgressReporter
from bot.jobs.workflows import CLOSE_LOST, JobReference, run_id
from bot.ports import DELIVERIES_KEPT, AppRecord, Deliveries, LastSeen
from bot.thread.webhooks import address_of, choose_redeliveries, find_dead
from bot.types import FINAL_STATES, DeliveryAttempt
from bot.types.pages import AppStatus

LOOK_S = 1.0
SETTLE_S = 60.0
"""A report that changed within this time may be about to reach the next state."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    name: str
    every_s: float
    do: Callable[[], None]


class Maintenance:
    """Does each task at the start, and every `every_s` from then on. A failure is logged, and the
    task is done again when it is next due."""

    def __init__(
        self, tasks: Sequence[PeriodicTask], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._due_s = [(task, float("-inf")) for task in tasks]
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def do_due(self) -> None:
        """Does the tasks that are due now."""
        for at, (task, due_s) in enumerate(self._due_s):
            if self._clock() < due_s:
                continue
            self._due_s[at] = (task, self._clock() + task.every_s)
            try:
                task.do()
            except TinyGenError as error:
                _log.warning("a chore failed", chore=task.name, error=str(error))
            except Exception:  # a defect in one task must not stop the others
                _log.exception("a chore met a fault", chore=task.name)

    def _go(self) -> None:
        self.do_due()
        while not self._stopping.wait(LOOK_S):
            self.do_due()


def watch_app(app: AppRecord, last_seen: LastSeen, now: datetime) -> None:
    """Has missed deliveries sent again, and stores the App as GitHub has it on record, for the
    pages."""
    deliveries = app.deliveries()
    attempts = deliveries.recent(now - DELIVERIES_KEPT)
    redeliver_missed(deliveries, attempts)
    facts, address = app.fetch_registration(), address_of(app.fetch_webhook_config().url)
    dead = find_dead(attempts)
    last_seen.save_app(AppStatus(now.isoformat(), facts.name, facts.page_url, address, dead))


def redeliver_missed(deliveries: Deliveries, attempts: Sequence[DeliveryAttempt]) -> int:
    """Asks GitHub to send again the deliveries that never arrived by its `attempts`, and returns how
    many. A delivery that did arrive, though our answer was lost, starts nothing twice: its id is
    known."""
    missed = choose_redeliveries(attempts)
    for attempt_id in missed:
        deliveries.redeliver(attempt_id)
    if missed:
        _log.warning("missed deliveries are sent again", count=len(missed))
    return len(missed)


def find_lost(context: JobContext) -> None:
    """Queues CLOSE_LOST for each job whose report is open though none of its workflows is."""
    last = ""
    while found := context.reports.unfinished(SETTLE_S, last):
        last = found[-1].job.id
        for report in found:
            job = report.job
            if not any(context.engine.is_alive(each) for each in (job.id, run_id(job.id))):
                lost = JobReference(job.id, job.account)
                context.engine.enqueue(
                    "followups", CLOSE_LOST, f"{job.id}-{CLOSE_LOST.name}", lost, key=job.account
                )


def close_lost(context: JobContext, lost: JobReference) -> None:
    """Ends the job as failed, in its report, its row and its thread."""
    report = context.reports.load(lost.id)
    if report is None or report.state in FINAL_STATES:
        return
    error = TinyGenError("TinyGen lost this job before its end.", next_step="Ask for it again.")
    ProgressReporter(context, report, None).fail(error)
