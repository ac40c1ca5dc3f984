"""What a worker process does: start what the web part accepted, run it, and stop without losing any of it."""

from __future__ import annotations

import threading

import structlog

from bot.core.record import dump_job
from bot.errors import OutsideError
from bot.job.accept import accept
from bot.job.house import House
from bot.job.late import send_row, tell_end
from bot.job.lease import Lease
from bot.job.run import run
from bot.job.upkeep import Upkeep
from bot.ports import Inbox

INTAKE_S = 0.05
"""How often the inbox is looked at."""
INTAKE_BATCH = 16

_log = structlog.get_logger()


class Worker:
    def __init__(self, house: House, inbox: Inbox, upkeep: Upkeep, lease: Lease | None = None) -> None:
        """`lease` where several workers share the database."""
        self._house, self._inbox, self._upkeep, self._lease = house, inbox, upkeep, lease
        self._stopping = threading.Event()
        self._intake = threading.Thread(target=self._take_in, name="intake", daemon=True)
        engine = house.engine
        engine.workflow("accept", lambda payload: accept(house, payload))
        engine.workflow("run", lambda payload: run(house, payload))
        engine.workflow("tell", lambda payload: tell_end(house, payload))
        engine.workflow("log", lambda payload: send_row(house, payload))
        engine.workflow("cancel", lambda _payload: None)

    def start(self) -> None:
        """From here on jobs run; those in flight at the last stop go on."""
        if self._lease:
            self._lease.start()
        self._house.engine.launch()
        self._intake.start()
        self._upkeep.start()
        _log.info("worker started")

    def stop(self, drain_s: int) -> None:
        self._stopping.set()
        self._intake.join()
        self._upkeep.stop()
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
