"""`undo`: closes the pull request that TinyGen opened, and deletes its branch, while nobody else has
pushed to it. No model is asked."""

from __future__ import annotations

from dataclasses import replace

from bot.errors import BadRequest, NotFound
from bot.jobs.engine import TEXT
from bot.jobs.policy import JobContext
from bot.jobs.thread_jobs import MAX_REPORTS, latest_in_thread, open_in_thread, opener
from bot.thread.history import pull_number
from bot.thread.render import render_kept_branch, render_undone, still_runs
from bot.types import Job, Report
from bot.types.github import PullRequest
from bot.types.names import OWN_BRANCH
from bot.types.serialization import Codec, codec_of

MAX_PULLS = 5
"""Of the thread's pull requests, how many GitHub is asked about."""
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
        # Of a closed pull request GitHub no longer says where its branch is.
        try:
            _name, head_sha = github.resolve(pull.head_ref)
        except NotFound:
            return render_undone(pull)
        if head_sha != pull.head_sha:
            return render_kept_branch(pull, "was pushed to meanwhile")
        if github.has_open_pull(pull.head_ref):
            return render_kept_branch(pull, "is used by another pull request")
        github.delete_branch(pull.head_ref)
        return render_undone(pull)

    return engine.step("delete branch", delete_branch, TEXT)


def _find(context: JobContext, job: Job) -> PullRequest:
    """The pull request, if it may be closed."""
    opened, pull = _opened_here(context, job)
    if opened is None or pull is None or not OWN_BRANCH.fullmatch(pull.head_ref):
        raise BadRequest(
            "TinyGen has opened no pull request from this thread.",
            next_step="A commit of it on your own pull request is undone by `git revert`.",
        )
    if pull.state == "closed":
        raise BadRequest(
            f"The pull request {pull.url} is closed already.",
            next_step="If it was merged, its page has a button that reverts it.",
        )
    threads = {opened.job.target.issue_number, pull.number, job.target.issue_number} - {None}
    for thread in threads:
        there = replace(job, target=replace(job.target, issue_number=thread))
        if open_in_thread(context, there):
            raise still_runs()
    if _has_others_commits(context, job, opened, pull):
        raise BadRequest(
            "Somebody else has pushed to the branch of the pull request, so it was left alone.",
            next_step="Close it on its page, if their commits are not needed either.",
        )
    return pull


def _opened_here(context: JobContext, job: Job) -> tuple[Report | None, PullRequest | None]:
    """The newest open pull request that TinyGen opened from this thread, or this thread itself; a
    closed one if none is open."""
    github, target = context.github(job.target), job.target
    if target.is_pull:
        here = github.pull(target.issue_number or 0)
        opened = opener(context, target, here)
        if opened is not None:
            return opened, here
    found: tuple[Report | None, PullRequest | None] = (None, None)
    seen = set[int]()
    for report in latest_in_thread(context, job, MAX_REPORTS):
        number = pull_number([report])
        if number is None or len(seen) == MAX_PULLS or number in seen:
            continue
        seen.add(number)
        pull = github.pull(number)
        if pull.state == "open":
            return report, pull
        if found == (None, None):
            found = (report, pull)
    return found


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
