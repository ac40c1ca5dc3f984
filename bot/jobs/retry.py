"""What comes late: an end that GitHub did not take when it was due, and the rest of a job that was
put off.

Each try is a workflow of its own, queued behind the wait that was asked for, or one that doubles:
what fails for days holds up nothing else.

What puts a job off, and how it goes on from where it was: a limit of GitHub or the model, which
ends later, a damaged cache, which is made anew, or a database that failed in the middle of a step.

Until then it is no running workflow: it holds no thread and no place in a queue, and a restart
changes nothing. Waits of seconds are the adapters' own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import structlog

from bot.errors import Damaged, DatabaseFailed, OutsideError
from bot.jobs.engine import NOBODY, Json
from bot.jobs.policy import JobContext
from bot.jobs.progress import ProgressReporter, ending
from bot.types import FINAL_STATES

SHORT_S = 1.0
"""A limit that asks for less was waited for already, where it was met."""
MEND_S = 1.0
TELL_S = 3600.0
"""How much longer than a job's time its end is tried to be told, where our own database does not
take it."""


def run_reporting_errors(
    context: JobContext, reporter: ProgressReporter, work: Callable[[], None]
) -> Json:
    """Does a job's work, and tells its end whatever that is. Where that cannot go on now, but can
    within its time, what is returned from the workflow lets it go on then."""

    def to_its_end() -> Json:
        with ending(reporter):
            return _put_off_where_needed(context, reporter, work)

    return _put_off_where_needed(context, reporter, to_its_end)


def _put_off_where_needed(
    context: JobContext, reporter: ProgressReporter, work: Callable[[], Json]
) -> Json:
    try:
        return work()
    except OutsideError as error:
        is_ours = isinstance(error, Damaged | DatabaseFailed)
        wait_s = MEND_S if is_ours else error.retry_in_s or 0.0
        if not is_ours and wait_s < SHORT_S:
            raise
        is_over = reporter.report.state in FINAL_STATES
        ends_s = context.policy.job_s + (TELL_S if is_over else 0.0)
        job = reporter.report.job
        given = {"id": job.id, "is_over": is_over, "account": job.account}
        off = context.engine.postpone(
            wait_s, given, step=error.step, may=lambda: _has_time(context, reporter, ends_s, wait_s)
        )
        if off is None:
            raise
        return off


def go_on(context: JobContext, payload: Json) -> bool:
    """Lets the job go on; False where it is too early. One that was cancelled meanwhile has ended,
    and stays so; one that was over, and met a database that did not take its end, goes on to tell
    it."""
    report = context.reports.load(payload["id"])
    if report is None or (report.state in FINAL_STATES and not payload.get("is_over")):
        return True
    return context.engine.go_on(payload)


def _has_time(
    context: JobContext, reporter: ProgressReporter, ends_s: float, wait_s: float
) -> bool:
    ends = datetime.fromisoformat(reporter.report.job.received_at) + timedelta(seconds=ends_s)
    return context.now() + timedelta(seconds=wait_s) < ends


FIRST_WAIT_S = 1.0
MAX_WAIT_S = 300.0
MAX_TRIES = 2_000
"""Almost a week."""

_log = structlog.get_logger()


def tell_end(context: JobContext, payload: Json) -> None:
    """Brings a job's end to its thread."""
    _try(
        context,
        "tell",
        payload,
        of=payload["id"],
        body=lambda: _tell(context, payload["id"], payload["comment_id"]),
    )


def resume_later(context: JobContext, payload: Json) -> None:
    """Lets a job that was put off go on."""
    _try(
        context,
        "go on",
        payload,
        of=payload["stamp"],
        body=lambda: None if go_on(context, payload) else 0.0,
    )


def _tell(context: JobContext, job_id: str, comment_id: int | None) -> float | None:
    report = context.reports.load(job_id)
    if report is None:
        return None
    reporter = ProgressReporter(context, report, comment_id)
    return None if reporter.tell_thread(report) else reporter.asked_s


def _try(
    context: JobContext,
    name: Literal["tell", "go on"],
    payload: Json,
    *,
    of: str,
    body: Callable[[], float | None],
) -> None:
    """`body` gives None once it is done, else in how many seconds to try again; 0 leaves that
    open."""
    try:
        asked_s = context.engine.step(f"try to {name}", body)
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
    context.engine.enqueue(
        "followups", name, f"{of}-{name}-{tries + 1}", again, key=key, wait_s=wait_s
    )
