"""What puts a job off, and how it goes on from where it was: a limit of GitHub or the model, which ends later, a
damaged cache, which is made anew, or a database that failed in the middle of a step.

Until then it is no running workflow: it holds no thread and no place in a queue, and a restart changes nothing. Waits
of seconds are the adapters' own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.core.types import FINAL_STATES, Job
from bot.errors import Damaged, DatabaseFailed, OutsideError
from bot.job.engine import Json
from bot.job.house import House

SHORT_S = 30.0
"""A limit that asks for less was waited for in vain already, where it was met."""
MEND_S = 1.0


def put_off_where_needed(house: House, job: Job, work: Callable[[], None]) -> Json:
    """Does the work. Where that cannot go on now, but can within the job's time, what is returned from the workflow
    lets it go on then."""
    try:
        work()
    except OutsideError as error:
        is_ours = isinstance(error, Damaged | DatabaseFailed)
        wait_s = MEND_S if is_ours else error.retry_in_s or 0.0
        if not is_ours and wait_s < SHORT_S:
            raise
        off = house.engine.put_off(wait_s, job.id, step=error.step, may=lambda: _has_time(house, job, wait_s))
        if off is None:
            raise
        return off
    return None


def go_on(house: House, payload: Json) -> bool:
    """Lets the job go on, unless it ended meanwhile, as where it was cancelled; False where it is too early."""
    report = house.reports.load(payload["id"])
    if report is None or report.state in FINAL_STATES:
        return True
    return house.engine.go_on(payload)


def _has_time(house: House, job: Job, wait_s: float) -> bool:
    ends = datetime.fromisoformat(job.received_at) + timedelta(seconds=house.rules.job_s)
    return house.now() + timedelta(seconds=wait_s) < ends
