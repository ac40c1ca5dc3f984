"""What comes late: an end that GitHub did not take when it was due, and the rest of a job that was put off.

Each try is a workflow of its own, queued behind the wait that was asked for, or one that doubles: what fails for days
holds up nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import structlog

from bot.errors import DatabaseFailed
from bot.job.engine import NOBODY, Json
from bot.job.house import House
from bot.job.tell import Teller
from bot.job.wait import go_on

FIRST_WAIT_S = 1.0
MAX_WAIT_S = 300.0
MAX_TRIES = 2_000
"""Almost a week."""

_log = structlog.get_logger()


def tell_end(house: House, payload: Json) -> None:
    """Brings a job's end to its thread."""
    _try(house, "tell", payload, of=payload["id"], body=lambda: _tell(house, payload["id"], payload["comment_id"]))


def go_on_later(house: House, payload: Json) -> None:
    """Lets a job that was put off go on."""
    _try(house, "go on", payload, of=payload["stamp"], body=lambda: None if go_on(house, payload) else 0.0)


def _tell(house: House, job_id: str, comment_id: int | None) -> float | None:
    report = house.reports.load(job_id)
    if report is None:
        return None
    teller = Teller(house, report, comment_id)
    return None if teller.tell_thread(report) else teller.asked_s


def _try(
    house: House, name: Literal["tell", "go on"], payload: Json, *, of: str, body: Callable[[], float | None]
) -> None:
    """`body` gives None once it is done, else in how many seconds to try again; 0 leaves that open."""
    try:
        asked_s = house.engine.step(f"try to {name}", body)
    except DatabaseFailed:
        asked_s = 0.0
    tries = payload.get("tries", 1)
    if asked_s is None:
        return
    if tries == MAX_TRIES:
        _log.error("given up after the last of many tries", what=name)
        return
    wait_s = asked_s or min(FIRST_WAIT_S * 2 ** min(tries - 1, 10), MAX_WAIT_S)
    again = {**payload, "tries": tries + 1}
    key = payload.get("account", NOBODY)
    house.engine.enqueue("followups", name, f"{of}-{name}-{tries + 1}", again, key=key, wait_s=wait_s)
