"""What a worker process does: start what the web part accepted, run it, and stop without losing any of it."""

from __future__ import annotations

import threading
from typing import Any

import structlog

from bot.core.record import dump_job
from bot.errors import OutsideError, TinyGenError
from bot.job.accept import accept
from bot.job.engine import Json
from bot.job.house import House
from bot.job.lease import Lease
from bot.job.run import run
from bot.ports import Inbox

INTAKE_S = 0.05
"""How often the inbox is looked at."""
INTAKE_BATCH = 16
LOG_RETRY_S = 5.0
MAX_LOG_RETRY_S = 300.0
MAX_LOG_TRIES = 2_000
"""Almost a week of an absent request log."""

_log = structlog.get_logger()


class Worker:
    def __init__(self, house: House, inbox: Inbox, lease: Lease | None = None) -> None:
        """`lease` where several workers share the database."""
        self._house, self._inbox, self._lease = house, inbox, lease
        self._stopping = threading.Event()
        self._intake = threading.Thread(target=self._take_in, name="intake", daemon=True)
        engine = house.engine
        engine.workflow("accept", lambda payload: accept(house, payload))
        engine.workflow("run", lambda payload: run(house, payload))
        engine.workflow("log", lambda payload: send_row(house, payload))
        engine.workflow("cancel", lambda _payload: None)

    def start(self) -> None:
        """From here on jobs run; those in flight at the last stop go on."""
        if self._lease:
            self._lease.start()
        self._house.engine.launch()
        self._intake.start()
        _log.info("worker started")

    def stop(self, drain_s: int) -> None:
        self._stopping.set()
        self._intake.join()
        self._house.engine.stop(drain_s)
        if self._lease:
            self._lease.stop()
        _log.info("worker stopped")

    def _take_in(self) -> None:
        while not self._stopping.wait(INTAKE_S):
            try:
                self.take_in()
            except OutsideError as error:
                _log.error("the inbox cannot be read", error=error.message)
                self._stopping.wait(1.0)

    def take_in(self) -> None:
        """Starts the jobs that wait. One that was started before a crash could say so is found again by its id."""
        for job in self._inbox.waiting(INTAKE_BATCH):
            self._house.engine.start("accept", job.id, {**dump_job(job), "id": job.id})
            self._inbox.taken(job.id)


def send_row(house: House, payload: Json) -> None:
    """Brings a job's newest report to the request log elsewhere, however long that is away."""
    wait_s = LOG_RETRY_S
    for _ in range(MAX_LOG_TRIES):
        try:
            house.engine.step("send row", lambda: _send(house, payload["id"]))
        except TinyGenError as error:
            _log.warning("the request log did not take a row", error=str(error), again_in_s=wait_s)
            house.engine.sleep(wait_s)
            wait_s = min(wait_s * 2, MAX_LOG_RETRY_S)
        else:
            return
    _log.error("the request log took a row in none of its tries; it is in the embedded log", job=payload["id"])


def _send(house: House, job_id: str) -> Any:
    report = house.reports.load(job_id)
    if report is not None and house.remote_log is not None:
        house.remote_log.write(report)
