"""Cancels jobs: on a command, when the comment that asked for the job is deleted, or when the issue
is closed.

For a deleted comment or a closed issue TinyGen checks no permission: GitHub has checked its own,
and cancelling a job changes nothing in the repository.
"""

from __future__ import annotations

from bot.errors import Cancelled
from bot.jobs.engine import TEXTS
from bot.jobs.policy import JobContext
from bot.jobs.progress import ProgressReporter
from bot.jobs.thread_jobs import open_in_thread
from bot.jobs.workflows import CANCEL, JobReference, cancel_id, run_id
from bot.types import FINAL_STATES, Job, Report, Target
from bot.types.serialization import MAYBE_REPORT


def is_cancelled(context: JobContext, job_id: str) -> bool:
    return context.engine.state(cancel_id(job_id)) != "unknown"


def is_deleted(context: JobContext, job: Job) -> bool:
    """Whether GitHub reported that the job's comment was deleted. That delivery may arrive before
    the delivery of the comment itself."""
    has_comment = job.target.comment_id is not None
    return has_comment and context.engine.state(_deletion_id(job.target)) != "unknown"


def _deletion_id(target: Target) -> str:
    """The id of the workflow whose existence records that a comment was deleted. It names the kind
    of the comment, because an issue comment and a review comment may have the same id."""
    kind = "comment" if target.reply_to is None else "review comment"
    return f"deleted {kind} {target.comment_id}"


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
    """Cancels the jobs of the deleted comment or, if the job names no comment, of the closed
    issue."""
    comment_id = job.target.comment_id
    if comment_id is not None:
        context.engine.start(CANCEL, _deletion_id(job.target), JobReference(job.id))

    def find() -> tuple[str, ...]:
        jobs = open_in_thread(context, job)
        return tuple(each.id for each in jobs if comment_id in (None, each.target.comment_id))

    for job_id in context.engine.step("find jobs", find, TEXTS):
        cancel(context, job_id)
