"""`apply`: delivers a diff that was shown in the thread, exactly, as a commit or a pull request. No
model is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.jobs.deliver import deliver, rebased_note
from bot.jobs.deliver.destination import (
    DESTINATION,
    Destination,
    JobRepository,
    on_branch,
    on_pull_request,
    own_pull,
)
from bot.jobs.engine import FLAG
from bot.jobs.policy import JobContext
from bot.jobs.progress import ProgressReporter
from bot.jobs.thread_jobs import asked_here
from bot.thread.history import choose_diff, pull_number
from bot.thread.render import render_asker_note
from bot.types import Job, Report, Task
from bot.types.serialization import REPORT
from bot.types.snapshot import Patch

CLOCK_SKEW = timedelta(seconds=60)
DELIVERED = "This change had been delivered already; nothing new was made."
THERE_ALREADY = "The branch holds this change already; nothing new was made."


def apply(
    context: JobContext,
    reporter: ProgressReporter,
    repository: JobRepository,
    read_task: Callable[[], Task],
    repeats: Report | None,
) -> None:
    """Ends the job. If the base moved, the diff is rebased by git's three-way merge; Conflict if
    that is not clean. `repeats` is the `apply` that a `retry` repeats."""
    job = reporter.report.job
    shown = context.engine.step("find diff", lambda: _find(context, job, repeats), REPORT)
    patch = shown.patch or Patch("", "")
    reporter.update(
        mode="pr",
        base_ref=shown.base_ref,
        base_sha=patch.base_sha,
        patch=patch,
        summary=shown.summary,
        continues=shown.job.id,
        rests_on=shown.rests_on,
    )
    if shown.job.asker_key != job.asker_key:
        reporter.note(render_asker_note(shown))
    is_closed = context.engine.step("closed?", lambda: _is_closed(context, job, shown), FLAG)
    if (shown.pull_request_url or shown.commit_url) and not is_closed:
        reporter.note(DELIVERED)
        reporter.finish(
            pull_request_url=shown.pull_request_url,
            commit_url=shown.commit_url,
            withheld=shown.withheld,
        )
        return
    destination = context.engine.step(
        "place", lambda: _destination(context, job, repository, shown), DESTINATION
    )
    if is_closed:  # its branch belongs to the closed pull request
        destination = replace(destination, branch_of=job)
    reporter.update(push=destination.push)
    repository.view(destination.base_sha)
    rebased = repository.rebased(patch, destination.base_sha)
    if not rebased.text:
        reporter.note(THERE_ALREADY)
        reporter.finish()
        return
    if rebased is not patch:
        reporter.update(base_sha=destination.base_sha, patch=rebased)
        reporter.note(rebased_note(destination))
    deliver(context, reporter, destination, read_task())


def _find(context: JobContext, job: Job, repeats: Report | None) -> Report:
    """The report of the diff to deliver."""
    if repeats and repeats.continues:
        meant = context.reports.load(repeats.continues)
        if meant is not None:
            return meant
    asked = repeats.job if repeats else job
    return choose_diff(
        [each for each in asked_here(context, job) if _had_ended(each, asked)], asked
    )


def _is_closed(context: JobContext, job: Job, shown: Report) -> bool:
    """Whether the diff was delivered as a pull request that is closed. Where it was merged, its base
    holds the change."""
    number = pull_number([shown])
    return number is not None and context.github(job.target).pull(number).state == "closed"


def _had_ended(report: Report, job: Job) -> bool:
    """Whether the reported job had ended before the command was written, and before it arrived."""
    if not (report.finished_at and job.received_at):
        return True
    until = datetime.fromisoformat(job.received_at)
    if job.given_at:  # by GitHub's clock, which may be behind ours
        until = min(until, datetime.fromisoformat(job.given_at) + CLOCK_SKEW)
    return datetime.fromisoformat(report.finished_at) <= until


def _destination(
    context: JobContext, job: Job, repository: JobRepository, shown: Report
) -> Destination:
    """The destination that the diff was made for. The branch is named by the job that made the
    diff, so that applying it twice makes one branch."""
    github, target = repository.github(), job.target
    if target.is_pull and target.issue_number is not None:
        pull = github.pull(target.issue_number)
        return replace(on_pull_request(github, pull, job), branch_of=shown.job)
    own = own_pull(context, github, shown)
    if own and own.head_ref == shown.base_ref:
        return on_pull_request(github, own, job, is_own=True)
    return replace(on_branch(github, job, shown.base_ref), branch_of=shown.job)
