"""What comes late: an end that GitHub, or a row that the request log elsewhere, did not take when it was due, and the
rest of a job that was put off.

Each try is a workflow of its own, queued behind a wait that doubles: what fails for days holds up nothing else.
"""

from __future__ import annotations

from typing import Literal

import structlog

from bot.errors import TinyGenError
from bot.job.engine import Json
from bot.job.house import House
from bot.job.tell import Teller
from bot.job.wait import go_on

FIRST_WAIT_S = 1.0
MAX_WAIT_S = 300.0
MAX_TRIES = 2_000
"""Almost a week."""

_log = structlog.get_logger()


def send_row(house: House, payload: Json) -> None:
    """Brings a job's newest report to the request log elsewhere."""
    if not house.engine.step("send row", lambda: _send(house, payload["id"])):
        _again(house, "log", payload, of=payload["id"])


def tell_end(house: House, payload: Json) -> None:
    """Brings a job's end to its thread."""
    if not house.engine.step("tell end", lambda: _tell(house, payload["id"], payload["comment_id"])):
        _again(house, "tell", payload, of=payload["id"])


def go_on_later(house: House, payload: Json) -> None:
    """Lets a job that was put off go on."""
    if not house.engine.step("go on", lambda: go_on(house, payload)):
        _again(house, "go on", payload, of=payload["stamp"])


def _send(house: House, job_id: str) -> bool:
    try:
        report = house.reports.load(job_id)
        if report is not None and house.remote_log is not None:
            house.remote_log.write(report)
    except TinyGenError as error:
        _log.warning("the request log did not take a row", error=str(error))
        return False
    return True


def _tell(house: House, job_id: str, comment_id: int | None) -> bool:
    report = house.reports.load(job_id)
    return report is None or Teller(house, report, comment_id).tell_thread(report)


def _again(house: House, name: Literal["log", "tell", "go on"], payload: Json, *, of: str) -> None:
    tries = payload.get("tries", 1)
    if tries == MAX_TRIES:
        _log.error("given up after the last of many tries", what=name)
        return
    wait_s = min(FIRST_WAIT_S * 2 ** min(tries - 1, 10), MAX_WAIT_S)
    again = {**payload, "tries": tries + 1}
    house.engine.enqueue("late", name, f"{of}-{name}-{tries + 1}", again, wait_s=wait_s)
