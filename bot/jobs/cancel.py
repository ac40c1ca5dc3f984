"""How a job is stopped: by a command, by deleting the comment that asked for it, or by closing its
issue.

Deleting and closing need no permission of TinyGen's: GitHub allowed them, and stopping makes
nothing.
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
    """Whether GitHub said that the job's comment is gone, which it may do before the comment itself
    arrives."""
    has_comment = job.target.comment_id is not None
    return has_comment and context.engine.state(_deletion_id(job.target)) != "unknown"


def _deletion_id(target: Target) -> str:
    """The id of the workflow whose existence says that a comment was deleted. Comments on lines
    have numbers of their own."""
    kind = "comment" if target.reply_to is None else "review comment"
    return f"deleted {kind} {target.comment_id}"


def cancel(context: JobContext, job_id: str) -> None:
    """Asks a job to stop. One that runs sees it within a second and ends itself; one that waits is
    ended here."""
    engine = context.engine
    engine.start(CANCEL, cancel_id(job_id), JobReference(job_id))
    dropped = engine.step(f"drop {job_id}", lambda: _drop(context, job_id), MAYBE_REPORT)
    if dropped is not None:
        ProgressReporter(context, dropped, None).fail(Cancelled())


def _drop(context: JobContext, job_id: str) -> Report | None:
    """The report of a job that will not run any more, though it has not ended; None for any
    other."""
    engine, workflow_id = context.engine, run_id(job_id)
    if engine.state(workflow_id) == "queued":
        engine.drop(workflow_id)
    report = context.reports.load(job_id)
    if report is None or report.state in FINAL_STATES or engine.state(workflow_id) != "ended":
        return None
    return report


def withdraw(context: JobContext, job: Job) -> None:
    """Stops what the deleted comment asked for; all that was asked in the thread if the job names
    no comment."""
    comment_id = job.target.comment_id
    if comment_id is not None:
        context.engine.start(CANCEL, _deletion_id(job.target), JobReference(job.id))

    def find() -> tuple[str, ...]:
        jobs = open_in_thread(context, job)
        return tuple(each.id for each in jobs if comment_id in (None, each.target.comment_id))

    for job_id in context.engine.step("find jobs", find, TEXTS):
        cancel(context, job_id)
