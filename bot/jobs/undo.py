"""`undo`: closes the pull request that TinyGen opened, and deletes its branch, while nobody else has
pushed to it. No model is asked."""

from __future__ import annotations

from bot.errors import BadRequest
from bot.jobs.engine import TEXT
from bot.jobs.policy import JobContext
from bot.jobs.thread_jobs import MAX_REPORTS, latest_in_thread, open_in_thread, opener
from bot.thread.history import pull_number
from bot.thread.render import render_kept_branch, render_undone, still_runs
from bot.types import Job, Report
from bot.types.github import PullRequest
from bot.types.serialization import Codec, codec_of

_PULL: Codec[PullRequest] = codec_of(PullRequest)


def undo(context: JobContext, job: Job) -> str:
    """Returns the answer for the thread."""
    engine, github = context.engine, context.github(job.target)
    pull = engine.step("find pull request", lambda: _find(context, job), _PULL)

    def close() -> str:
        github.edit_pull(pull.number, state="closed")
        return pull.url

    engine.step("close pull request", close, TEXT)

    def delete_branch() -> str:
        # A push may have arrived since.
        if github.pull(pull.number).head_sha != pull.head_sha:
            return render_kept_branch(pull)
        github.delete_branch(pull.head_ref)
        return render_undone(pull)

    return engine.step("delete branch", delete_branch, TEXT)


def _find(context: JobContext, job: Job) -> PullRequest:
    """The pull request, if it may be closed."""
    github, target = context.github(job.target), job.target
    if open_in_thread(context, job):
        raise still_runs()
    opened: Report | None
    if target.is_pull:
        number: int | None = target.issue_number
        opened = opener(context, target, github.pull(number or 0))
    else:
        reports = latest_in_thread(context, job)
        opened = next((each for each in reports if each.pull_request_url), None)
        number = pull_number([opened]) if opened else None
    if opened is None or number is None:
        raise BadRequest(
            "TinyGen has opened no pull request from this thread.",
            next_step="A commit of it on your own pull request is undone by `git revert`.",
        )
    pull = github.pull(number)
    if pull.state == "closed":
        raise BadRequest(
            "The pull request is closed already.",
            next_step="If it was merged, its page has a button that reverts it.",
        )
    if _has_others_commits(context, job, opened, pull):
        raise BadRequest(
            "Somebody else has pushed to the branch of the pull request, so it was left alone.",
            next_step="Close it on its page, if their commits are not needed either.",
        )
    return pull


def _has_others_commits(context: JobContext, job: Job, opened: Report, pull: PullRequest) -> bool:
    """Whether the branch holds a commit that is not TinyGen's. Each commit of TinyGen's is on top of
    the head that it found: the first one on the base, the others on one of TinyGen's."""
    there = opened.job.target
    reports = [
        report
        for number in {there.issue_number, pull.number, job.target.issue_number}
        if number is not None
        for report in context.reports.latest(there.repository_key, number, MAX_REPORTS)
    ]
    own = {report.head_sha for report in (opened, *reports) if report.head_sha}
    followed = {report.base_sha for report in reports if report.commit_url}
    return pull.head_sha not in own or not followed <= own
