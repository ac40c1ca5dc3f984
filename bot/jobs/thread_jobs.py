"""How a job is stopped: because somebody says so, deletes the comment that asked for it, or closes
its issue.

Who deletes or closes needs no permission of TinyGen's: GitHub let them, and nothing is made by
stopping.

What was asked and made in a thread before: what `apply`, `retry` and a further prompt go on from.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.errors import Cancelled
from bot.jobs.engine import Json
from bot.jobs.policy import JobContext
from bot.jobs.progress import ProgressReporter
from bot.ports import PullRequest
from bot.thread.webhooks import OWN_BRANCH
from bot.types import FINAL_STATES, WORK, Job, Report, Target
from bot.types.serialization import dump_report, load_report


def run_id(job_id: str) -> str:
    """The id of the workflow that does a job's work."""
    return f"{job_id}-run"


def cancel_id(job_id: str) -> str:
    """The id of the workflow whose existence says that a job is to be cancelled."""
    return f"{job_id}-cancel"


def is_cancelled(context: JobContext, job_id: str) -> bool:
    return context.engine.state(cancel_id(job_id)) != "unknown"


def is_deleted(context: JobContext, job: Job) -> bool:
    """Whether GitHub said that the job's comment is gone: it may say so before the comment itself
    arrives."""
    return (
        job.target.comment_id is not None
        and context.engine.state(_deleted_id(job.target)) != "unknown"
    )


def _deleted_id(target: Target) -> str:
    """The id of the workflow whose existence says that a comment was deleted. Comments on lines are
    numbered apart."""
    return (
        f"deleted {'comment' if target.reply_to is None else 'review comment'} {target.comment_id}"
    )


def cancel(context: JobContext, job_id: str) -> None:
    """Asks a job to stop. One that runs sees it within a second and ends itself; one that waits is
    ended here."""
    context.engine.start("cancel", cancel_id(job_id), {"id": job_id})
    waiting = context.engine.step(f"drop {job_id}", lambda: _drop(context, job_id))
    if waiting is not None:
        ProgressReporter(context, load_report(waiting), None).stopped(Cancelled())


def withdraw(context: JobContext, job: Job) -> None:
    """Stops what the deleted comment asked for or, where the job names no comment, all that was
    asked in the thread."""
    comment_id = job.target.comment_id
    if comment_id is not None:
        context.engine.start("cancel", _deleted_id(job.target), {"id": job.id})
    found: list[str] = context.engine.step(
        "find jobs",
        lambda: [
            each.id
            for each in open_in_thread(context, job)
            if comment_id in (None, each.target.comment_id)
        ],
    )
    for job_id in found:
        cancel(context, job_id)


def open_in_thread(context: JobContext, job: Job) -> list[Job]:
    """What else was asked in the job's thread and has not ended."""
    number = job.target.issue_number
    jobs = (
        context.reports.open_jobs(job.target.repository_key, number) if number is not None else ()
    )
    return [each for each in jobs if each.id != job.id]


def asked_in_thread(context: JobContext, job: Job) -> list[Report]:
    """What else was asked in the job's thread, newest first."""
    number = job.target.issue_number
    reports = (
        context.reports.latest(job.target.repository_key, number) if number is not None else ()
    )
    return [
        report for report in reports if report.job.id != job.id and report.job.command.verb in WORK
    ]


def _drop(context: JobContext, job_id: str) -> Json:
    """The report of a job that will not run any more, though it never ended; None for any other."""
    if context.engine.state(run_id(job_id)) == "queued":
        context.engine.drop(run_id(job_id))
    report = context.reports.load(job_id)
    if (
        report is None
        or report.state in FINAL_STATES
        or context.engine.state(run_id(job_id)) != "ended"
    ):
        return None
    return dump_report(report)


MAX_STEPS_BACK = 20
MAX_REPORTS = 100
_PULL = re.compile(r"/pull/(\d{1,18})\Z")


def latest(context: JobContext, job: Job, wanted: Callable[[Report], bool]) -> Report | None:
    """The newest of the thread's other jobs that is wanted."""
    return next((report for report in asked_here(context, job) if wanted(report)), None)


def asked_here(context: JobContext, job: Job) -> list[Report]:
    """The thread's other jobs, newest first. In a review, each thread on a line is one of its
    own."""
    target = job.target
    if target.issue_number is None:
        return []
    reports = context.reports.latest(target.repository_key, target.issue_number, MAX_REPORTS)
    return [
        each
        for each in reports
        if each.job.id != job.id and each.job.target.reply_to == target.reply_to
    ]


def is_request(report: Report) -> bool:
    """Whether `retry` means this one: what its asker may not ask, or what cannot be carried out, it
    never is. What a limit refused may be asked again; an `apply` is tried again only where that may
    help."""
    command = report.job.command
    may_help = report.state == "cancelled" or (
        report.failure is not None and report.failure.retryable
    )
    if (report.state == "refused" and not may_help) or command.problem or report.together_with:
        return False
    if report.job.check:  # nobody's words; its own rules say when it is tried again
        return may_help
    return command.verb == "solve" or (command.verb == "apply" and may_help)


def has_diff(report: Report) -> bool:
    return report.state == "done" and report.patch is not None and report.patch.text != ""


def lineage(context: JobContext, report: Report) -> tuple[Report, ...]:
    """The report and those that it went on from, oldest first."""
    line = [report]
    while line[0].continues and len(line) < MAX_STEPS_BACK:
        before = context.reports.load(line[0].continues)
        if before is None:
            break
        line.insert(0, before)
    return tuple(line)


def pull_number(line: tuple[Report, ...]) -> int | None:
    """The pull request that the newest of them opened."""
    found = [
        _PULL.search(report.pull_request_url)
        for report in reversed(line)
        if report.pull_request_url
    ]
    return int(found[0][1]) if found and found[0] else None


def opener(context: JobContext, target: Target, pull: PullRequest) -> Report | None:
    """The job that opened the pull request, where TinyGen did."""
    branch = OWN_BRANCH.fullmatch(pull.head_ref)
    if branch is None or not pull.is_within(target.repo):
        return None
    reports = context.reports.latest(target.repository_key, int(branch[1]))
    return next(
        (
            report
            for report in reports
            if has_diff(report) and pull_number((report,)) == pull.number
        ),
        None,
    )
