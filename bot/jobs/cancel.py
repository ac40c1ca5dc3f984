"""Cancels jobs: on a command, when the comment that asked for the job is deleted, or when the issue
is closed.

Whoever may cancel here stops all jobs so; everybody else only those that they asked for. GitHub lets
the author of an issue close it, who may be anybody.
"""

from __future__ import annotations

import structlog

from bot.errors import Cancelled, TinyGenError
from bot.jobs.engine import FLAG, TEXTS
from bot.jobs.policy import Authorization, JobContext, authorize
from bot.jobs.progress import ProgressReporter
from bot.jobs.thread_jobs import open_in_thread
from bot.jobs.workflows import CANCEL, JobReference, cancel_id, run_id
from bot.types import FINAL_STATES, Job, Report, Target
from bot.types.serialization import MAYBE_REPORT

_log = structlog.get_logger()


def is_cancelled(context: JobContext, job_id: str) -> bool:
    return context.engine.state(cancel_id(job_id)) != "unknown"


def is_deleted(context: JobContext, job: Job) -> bool:
    """Whether GitHub reported that the job's comment was deleted. That delivery may arrive before
    the delivery of the comment itself."""
    if job.target.comment_id is None:
        return False
    ids = (_deletion_id(job.target), _deletion_id(job.target, by=job.asker_key))
    return any(context.engine.state(each) != "unknown" for each in ids)


def _deletion_id(target: Target, *, by: str = "") -> str:
    """The id of the workflow whose existence records that a comment was deleted, by somebody who
    may cancel or `by` another. It names the kind of the comment, because an issue comment and a
    review comment may have the same id."""
    kind = "comment" if target.reply_to is None else "review comment"
    return f"deleted {kind} {target.comment_id}" + (f" by {by}" if by else "")


def cancel(context: JobContext, job_id: str) -> None:
    """Asks a job to stop. A running job notices it within a second and ends itself; a queued job is
    ended here."""
    engine = context.engine
    engine.start(CANCEL, cancel_id(job_id), JobReference(job_id))
    dropped = engine.step(f"drop {job_id}", lambda: _drop(context, job_id), MAYBE_REPORT)
    if dropped is not None:
        ProgressReporter(context, dropped, None).fail(Cancelled())


def _drop(context: JobContext, job_id: str) -> Report | None:
    """Takes the job out of its queue. Returns the report of a job that no longer runs but whose end
    is not reported yet; None for any other job."""
    engine, workflow_id = context.engine, run_id(job_id)
    if engine.state(workflow_id) == "queued":
        engine.drop(workflow_id)
    report = context.reports.load(job_id)
    if report is None or report.state in FINAL_STATES or engine.state(workflow_id) != "ended":
        return None
    return report


def withdraw(context: JobContext, job: Job) -> None:
    """Cancels the jobs of the deleted comment or, if the job names no comment, of the closed issue:
    those that were asked for before."""
    engine, comment_id = context.engine, job.target.comment_id
    may_cancel = engine.step("may cancel", lambda: _may_cancel(context, job), FLAG)
    if comment_id is not None:
        recorded = _deletion_id(job.target, by="" if may_cancel else job.asker_key or "nobody")
        engine.start(CANCEL, recorded, JobReference(job.id))

    def is_meant(each: Job) -> bool:
        if comment_id not in (None, each.target.comment_id):
            return False
        is_own = job.actor_id is not None and each.asker_key == job.asker_key
        return (may_cancel or is_own) and not (job.given_at and each.given_at > job.given_at)

    def find() -> tuple[str, ...]:
        return tuple(each.id for each in open_in_thread(context, job) if is_meant(each))

    for job_id in engine.step("find jobs", find, TEXTS):
        cancel(context, job_id)


def _may_cancel(context: JobContext, job: Job) -> bool:
    """False if GitHub cannot be asked: then only the sender's own jobs stop."""
    if job.actor is None:
        return False
    try:
        return isinstance(authorize(context, job), Authorization)
    except TinyGenError as error:
        _log.warning("who may cancel is not known", job=job.id, error=error.message)
        return False
