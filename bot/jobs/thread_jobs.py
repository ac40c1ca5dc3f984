"""The other jobs of a job's thread: the earlier requests and their changes, which `apply`, `retry`
and a further prompt continue."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.jobs.policy import JobContext
from bot.types import WORK, Job, Report, Target
from bot.types.github import PullRequest
from bot.types.names import OWN_BRANCH

MAX_LINEAGE = 20
MAX_REPORTS = 100
_PULL_REQUEST_URL = re.compile(r"/pull/(\d{1,18})\Z")


def open_in_thread(context: JobContext, job: Job) -> list[Job]:
    """The thread's other jobs that have not ended."""
    target = job.target
    if target.issue_number is None:
        return []
    jobs = context.reports.open_jobs(target.repository_key, target.issue_number)
    return [each for each in jobs if each.id != job.id]


def latest_in_thread(context: JobContext, job: Job) -> list[Report]:
    """The newest of the thread's other jobs, newest first."""
    target = job.target
    if target.issue_number is None:
        return []
    reports = context.reports.latest(target.repository_key, target.issue_number)
    return [each for each in reports if each.job.id != job.id and each.job.command.verb in WORK]


def asked_here(context: JobContext, job: Job) -> list[Report]:
    """The thread's other jobs, newest first. In a review, each thread on a line is a thread of its
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


def latest(context: JobContext, job: Job, wanted: Callable[[Report], bool]) -> Report | None:
    """The newest of the thread's other jobs that `wanted` accepts."""
    return next((report for report in asked_here(context, job) if wanted(report)), None)


def is_request(report: Report) -> bool:
    """Whether `retry` may repeat this job: not if its command is invalid, if its asker has no
    permission for it, or if another job did it. A job that a limit refused may be repeated; an
    `apply`, or a fix of a failed check, only if it was cancelled or if a second try may succeed."""
    command = report.job.command
    is_retryable = report.failure is not None and report.failure.retryable
    may_help = report.state == "cancelled" or is_retryable
    if command.problem or report.together_with or (report.state == "refused" and not may_help):
        return False
    if report.job.check or command.verb == "apply":
        return may_help
    return command.verb == "solve"


def has_diff(report: Report) -> bool:
    return report.state == "done" and report.patch is not None and report.patch.text != ""


def lineage(context: JobContext, report: Report) -> tuple[Report, ...]:
    """The report and the reports of the changes that it continues, oldest first."""
    line = [report]
    while line[0].continues and len(line) < MAX_LINEAGE:
        earlier = context.reports.load(line[0].continues)
        if earlier is None:
            break
        line.insert(0, earlier)
    return tuple(line)


def pull_number(line: tuple[Report, ...]) -> int | None:
    """The number of the pull request that the newest of them opened."""
    for report in reversed(line):
        if report.pull_request_url:
            found = _PULL_REQUEST_URL.search(report.pull_request_url)
            return int(found[1]) if found else None
    return None


def opener(context: JobContext, target: Target, pull: PullRequest) -> Report | None:
    """The report of the job that opened the pull request; None if no job of TinyGen's did."""
    branch = OWN_BRANCH.fullmatch(pull.head_ref)
    if branch is None or not pull.is_within(target.repo):
        return None
    reports = context.reports.latest(target.repository_key, int(branch[1]))
    for report in reports:
        if has_diff(report) and pull_number((report,)) == pull.number:
            return report
    return None
