"""Reads the other jobs of a job's thread."""

from __future__ import annotations

from collections.abc import Callable

from bot.jobs.policy import JobContext
from bot.thread.history import has_diff, pull_number
from bot.types import Job, Report, Target
from bot.types.github import PullRequest
from bot.types.names import OWN_BRANCH

MAX_LINEAGE = 20
MAX_REPORTS = 100


def open_in_thread(context: JobContext, job: Job) -> list[Job]:
    """The thread's other jobs that have not ended."""
    target = job.target
    if target.issue_number is None:
        return []
    jobs = context.reports.open_jobs(target.repository_key, target.issue_number)
    return [each for each in jobs if each.id != job.id]


def latest_in_thread(context: JobContext, job: Job, limit: int = 20) -> list[Report]:
    """The newest of the thread's other jobs that need a run, newest first."""
    target = job.target
    if target.issue_number is None:
        return []
    reports = context.reports.latest(target.repository_key, target.issue_number, limit)
    return [each for each in reports if each.job.id != job.id]


def asked_here(context: JobContext, job: Job) -> list[Report]:
    """The thread's other jobs that need a run, newest first. In a review, each thread on a line is
    a thread of its own."""
    here = job.target.reply_to
    reports = latest_in_thread(context, job, MAX_REPORTS)
    return [each for each in reports if each.job.target.reply_to == here]


def latest(context: JobContext, job: Job, wanted: Callable[[Report], bool]) -> Report | None:
    """The newest of the thread's other jobs that `wanted` accepts."""
    return next(filter(wanted, asked_here(context, job)), None)


def lineage(context: JobContext, report: Report) -> tuple[Report, ...]:
    """The report and the reports of the changes that it continues, oldest first."""
    line = [report]
    while line[0].continues and len(line) < MAX_LINEAGE:
        earlier = context.reports.load(line[0].continues)
        if earlier is None:
            break
        line.insert(0, earlier)
    return tuple(line)


def opener(context: JobContext, target: Target, pull: PullRequest) -> Report | None:
    """The report of the job that opened the pull request; None if no job of TinyGen's did."""
    branch = OWN_BRANCH.fullmatch(pull.head_ref)
    if branch is None or not pull.is_within(target.repo):
        return None
    reports = context.reports.latest(target.repository_key, int(branch[1]), MAX_REPORTS)
    for report in reports:
        if has_diff(report) and pull_number([report]) == pull.number:
            return report
    return None
