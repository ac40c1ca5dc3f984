"""Closes jobs whose workflow ended without their end being told: what is said to be running always is.

That takes a fault, of TinyGen or of its database, in the last moment of a job, or a workflow that an operator removed.
"""

from __future__ import annotations

import structlog

from bot.core.types import FINAL_STATES
from bot.errors import TinyGenError
from bot.job.cancel import run_id
from bot.job.engine import Json
from bot.job.house import House
from bot.job.tell import Teller

SETTLE_S = 60.0
"""A report that was changed more lately may be on its way to the next state."""

_log = structlog.get_logger()


def find_lost(house: House) -> None:
    """Has each job closed whose report is open, though nothing works on it."""
    last = ""
    while found := house.reports.unfinished(SETTLE_S, last):
        last = found[-1].job.id
        for job in (report.job for report in found):
            if not any(house.engine.is_alive(each) for each in (job.id, run_id(job.id))):
                payload = {"id": job.id, "account": job.account}
                house.engine.enqueue("followups", "close", f"{job.id}-close", payload, key=job.account)


def close_lost(house: House, payload: Json) -> None:
    """Ends the job as failed, in its report, its row and its thread."""
    report = house.reports.load(payload["id"])
    if report is None or report.state in FINAL_STATES:
        return
    _log.error("a job was lost and is closed", job=report.job.id)
    error = TinyGenError("TinyGen lost this job before its end.", next_step="Ask for it again.")
    Teller(house, report, None).stopped(error)
