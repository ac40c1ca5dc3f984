"""What was asked and made in a thread before: what `apply`, `retry` and a further prompt go on from."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.core.delivery import OWN_BRANCH
from bot.core.report import Report
from bot.core.types import Job, Target
from bot.job.house import House
from bot.ports import PullRequest

MAX_STEPS_BACK = 20
MAX_REPORTS = 100
_PULL = re.compile(r"/pull/(\d{1,18})\Z")


def latest(house: House, job: Job, wanted: Callable[[Report], bool]) -> Report | None:
    """The newest of the thread's other jobs that is wanted."""
    return next((report for report in asked_here(house, job) if wanted(report)), None)


def asked_here(house: House, job: Job) -> list[Report]:
    """The thread's other jobs, newest first. In a review, each thread on a line is one of its own."""
    target = job.target
    if target.issue_number is None:
        return []
    reports = house.reports.latest(target.repository_key, target.issue_number, MAX_REPORTS)
    return [each for each in reports if each.job.id != job.id and each.job.target.reply_to == target.reply_to]


def is_request(report: Report) -> bool:
    """Whether `retry` means this one: what its asker may not ask, or what cannot be carried out, it never is. What a
    limit refused may be asked again; an `apply` is tried again only where that may help."""
    command = report.job.command
    may_help = report.state == "cancelled" or (report.failure is not None and report.failure.retryable)
    if (report.state == "refused" and not may_help) or command.problem or report.together_with:
        return False
    if report.job.check:  # nobody's words; its own rules say when it is tried again
        return may_help
    return command.verb == "solve" or (command.verb == "apply" and may_help)


def has_diff(report: Report) -> bool:
    return report.state == "done" and report.patch is not None and report.patch.text != ""


def lineage(house: House, report: Report) -> tuple[Report, ...]:
    """The report and those that it went on from, oldest first."""
    line = [report]
    while line[0].continues and len(line) < MAX_STEPS_BACK:
        before = house.reports.load(line[0].continues)
        if before is None:
            break
        line.insert(0, before)
    return tuple(line)


def pull_number(line: tuple[Report, ...]) -> int | None:
    """The pull request that the newest of them opened."""
    found = [_PULL.search(report.pull_request_url) for report in reversed(line) if report.pull_request_url]
    return int(found[0][1]) if found and found[0] else None


def opener(house: House, target: Target, pull: PullRequest) -> Report | None:
    """The job that opened the pull request, where TinyGen did."""
    branch = OWN_BRANCH.fullmatch(pull.head_ref)
    if branch is None or not pull.is_within(target.repo):
        return None
    reports = house.reports.latest(target.repository_key, int(branch[1]))
    return next((report for report in reports if has_diff(report) and pull_number((report,)) == pull.number), None)
