"""A patch on its way to people: as a diff in the comment, as a commit on a pull request's branch,
or as a new one.

The patch text is the one truth: what is pushed is what `git apply` makes of it at its base,
compared by tree with what GitHub made of it.

`apply`: a diff that was shown in a thread, exactly, as a commit or a pull request; no model is
asked.

It is the asker's own newest, or the one that is named: what somebody else was shown a moment before
is never taken for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from bot.errors import AskerError, BadRequest, BranchMoved, Cancelled, NotPermitted, Unworkable
from bot.jobs.destination import Destination, JobRepository, on_branch, on_pull_request, own_pull
from bot.jobs.engine import Json
from bot.jobs.policy import JobContext
from bot.jobs.progress import ProgressReporter
from bot.jobs.thread_jobs import asked_here, has_diff, is_cancelled
from bot.thread.render import (
    branch_name,
    code,
    delivered_instead,
    fits_comment,
    is_small,
    render_commit_message,
    render_pull_body,
    render_title,
    short_id,
    suggest,
)
from bot.thread.settings import protects
from bot.types import Job, Report, Task
from bot.types.serialization import dump_report, load_report
from bot.types.snapshot import Change, Changes, Patch

WORKFLOWS = ".github/workflows/"
"""Changing these needs a permission of its own, which this App does not ask for unless its operator
adds it.
https://docs.github.com/en/apps/creating-github-apps/registering-a-github-app/choosing-permissions-for-a-github-app"""
WAITS = (
    "it rests on words of people who may not have changes made here, and waits for `/tinygen"
    " apply`."
)
MAX_FOLLOWS = 3
"""How often a branch that moves meanwhile is followed."""


def deliver(
    context: JobContext, reporter: ProgressReporter, place: Destination, task: Task
) -> None:
    """Ends the job: with its diff shown, or with the commit or pull request made."""
    report = reporter.report
    patch = report.patch
    if patch is None or not patch.text:
        reporter.done(mode="diff")
        return
    suggestion = _suggestion(context, report.job, place, patch)
    if suggestion is not None:
        _done(reporter, mode="diff", suggestion=suggestion)
        return
    if report.mode == "pr" and place.push == "fork":
        _as_diff(reporter, "this branch belongs to a fork, which TinyGen cannot push to.")
    elif report.mode == "pr" and (reason := _why_not_push(context, report)):
        _as_diff(reporter, reason)
    elif report.mode == "pr" and place.push != "none":
        _push(context, reporter, place, task)
    elif place.push in ("none", "fork") or _why_not_push(context, report) or _fits(report):
        _done(reporter, mode="diff")
    else:
        # Also on a pull request: nobody asked for a commit on its branch.
        reporter.update(
            mode="pr",
            notes=(*report.notes, delivered_instead("diff", "it is too long for a comment.")),
        )
        _push(context, reporter, replace(place, push="new"), task)


def _why_not_push(context: JobContext, report: Report) -> str:
    """Why the change may not become a commit; "" where it may. What rests on outsiders' words waits
    until somebody who may has seen its diff, and says `apply`."""
    waits = (
        report.rests_on and report.job.command.verb != "apply" and context.policy.outsiders != "pr"
    )
    return context.policy.why_not_write or (WAITS if waits else "")


def _suggestion(context: JobContext, job: Job, place: Destination, patch: Patch) -> str | None:
    """The change as a suggestion, where one remark asked for it, it lies inside the lines, and
    nothing else was said: on a branch that may be pushed to, only a small one that was not asked
    for as a commit."""
    if (
        len(job.remarks) != 1
        or job.command.verb == "apply"
        or job.remarks[0].commit_sha != patch.base_sha
    ):
        return None
    remark, mode = job.remarks[0], job.command.mode or context.policy.mode
    changes, _tree = context.git.apply(job.target.repository_key, patch)
    change = changes.get(remark.path)
    old = context.git.snapshot(job.target.repository_key, patch.base_sha)
    if (
        len(changes) != 1
        or change is None
        or change.content is None
        or remark.path not in old.blobs
    ):
        return None
    (before,) = old.read([old.blobs[remark.path]])
    is_same_mode = old.blobs[remark.path].mode == change.mode
    suggestion = suggest(remark, before, change.content) if is_same_mode else None
    if suggestion is None or place.push == "fork":
        return suggestion
    return suggestion if mode == "diff" and is_small(suggestion) else None


def _fits(report: Report) -> bool:
    """Whether the comment that will end the job takes its diff."""
    return fits_comment(replace(report, state="done"))


def _done(reporter: ProgressReporter, **changes: Any) -> None:
    """The end, with where to find a diff that the comment does not take."""
    reporter.update(**changes)
    report = reporter.report
    if report.job.target.issue_number is not None and not _fits(report):
        words = f"The diff is too long for a comment. It is kept at /jobs/{report.job.id}.diff."
        reporter.update(notes=(*report.notes, words))
    reporter.done()


def _as_diff(reporter: ProgressReporter, reason: str) -> None:
    _done(reporter, mode="diff", notes=(*reporter.report.notes, delivered_instead("pr", reason)))


def rebased_note(place: Destination) -> str:
    moved = f"`{place.base_ref}` had moved on to {place.base_sha[:12]}"
    return f"{moved}: the same change was carried over by git's three-way merge, which was clean."


def _push(
    context: JobContext,
    reporter: ProgressReporter,
    place: Destination,
    task: Task,
    follows: int = MAX_FOLLOWS,
) -> None:
    patch = reporter.report.patch
    if patch is None:
        return
    reporter.progress("deliver")
    ours, withheld = _split(context, reporter, patch)
    if not ours.text:
        _as_diff(reporter, "changes of workflow files need the App's workflows permission.")
        return
    if withheld.text:
        words = (
            "The change of workflow files is delivered as a diff: the App lacks the workflows"
            " permission."
        )
        reporter.update(
            withheld=withheld, notes=tuple(dict.fromkeys((*reporter.report.notes, words)))
        )
    title = render_title(reporter.report.summary, task)
    branch = branch_name(place.branch_of) if place.push == "new" else place.base_ref
    try:
        sha = context.engine.step(
            "push",
            lambda: _commit(context, reporter, ours, branch, title, create=place.push == "new"),
        )
    except BranchMoved:
        if not follows or reporter.report.job.check:  # a person who pushed is at it
            raise
        _push(context, reporter, _follow(context, reporter, place, patch), task, follows - 1)
        return
    reporter.update(head_sha=sha)
    if place.push == "head":
        target = reporter.report.job.target
        _done(
            reporter,
            mode="pr",
            commit_url=f"{context.policy.server_url}/{target.repo}/commit/{sha}",
        )
        return
    url = context.engine.step(
        "open pull request", lambda: _open_pull(context, reporter, branch, place.base_ref, title)
    )
    own = context.policy.repo
    if own.labels or own.reviewers:
        left = context.engine.step("label", lambda: _label(context, reporter, url))
        reporter.update(notes=(*reporter.report.notes, *left))
    _done(reporter, mode="pr", pull_request_url=url)


def _follow(
    context: JobContext, reporter: ProgressReporter, place: Destination, patch: Patch
) -> Destination:
    """The place where the branch is now, with the change carried over to there."""
    repository = JobRepository(context, reporter.report.job)
    _name, head_sha = context.engine.step(
        "head", lambda: repository.github().resolve(place.base_ref)
    )
    place = replace(place, base_sha=head_sha)
    rebased = repository.rebased(patch, head_sha)
    if not rebased.text:
        raise Unworkable(
            "Somebody else has made the same change meanwhile.", next_step="Nothing is left to do."
        )
    reporter.update(
        base_sha=head_sha, patch=rebased, notes=(*reporter.report.notes, rebased_note(place))
    )
    return place


def _split(context: JobContext, reporter: ProgressReporter, patch: Patch) -> tuple[Patch, Patch]:
    """The patch as (what may be pushed, what may not)."""
    nothing = Patch(patch.base_sha, "")
    if (
        not any(file.path.startswith(WORKFLOWS) for file in patch.files)
        and WORKFLOWS not in patch.text
    ):
        return patch, nothing
    target = reporter.report.job.target
    allowed = context.engine.step(
        "may write workflows", lambda: context.github(target).may_write_workflows()
    )
    changes, _tree = context.git.apply(target.repository_key, patch)
    ours = {path: change for path, change in changes.items() if not path.startswith(WORKFLOWS)}
    if allowed or len(ours) == len(changes):
        return patch, nothing
    theirs = {path: change for path, change in changes.items() if path not in ours}
    return _diff(context, target.repository_key, patch, ours), _diff(
        context, target.repository_key, patch, theirs
    )


def _diff(context: JobContext, repo: str, patch: Patch, changes: Mapping[str, Change]) -> Patch:
    return context.git.diff(repo, patch.base_sha, changes)


def _commit(
    context: JobContext,
    reporter: ProgressReporter,
    patch: Patch,
    branch: str,
    title: str,
    *,
    create: bool,
) -> Json:
    job = reporter.report.job
    if is_cancelled(context, job.id):
        raise Cancelled
    target = job.target
    changes: Changes
    changes, tree_sha = context.git.apply(target.repository_key, patch)
    barred = [path for path in changes if protects(context.policy.repo, path)]
    if barred:
        raise NotPermitted(
            "The change touches what the repository protects:"
            f" {', '.join(map(code, barred[:10]))}.",
            next_step="Apply that part by hand, or change `protected` in `.github/tinygen.yml`.",
        )
    message = render_commit_message(
        reporter.report, title, server_host=urlsplit(context.policy.server_url).netloc
    )
    github = context.github(target)
    return github.push(
        branch,
        patch.base_sha,
        changes,
        message=context.clean(message),
        tree_sha=tree_sha,
        create=create,
    )


def _open_pull(
    context: JobContext, reporter: ProgressReporter, branch: str, base: str, title: str
) -> Json:
    target = reporter.report.job.target
    github = context.github(target)
    body = context.clean(render_pull_body(reporter.report, ci_fixes=context.policy.ci_fixes))
    return github.open_pull(
        branch, base, title=context.clean(title), body=body, draft=context.policy.draft
    ).url


def _label(context: JobContext, reporter: ProgressReporter, url: str) -> list[str]:
    """Labels the pull request and asks for its reviews, as the repository wishes; what GitHub
    refused, in words."""
    target, own, number = (
        reporter.report.job.target,
        context.policy.repo,
        int(url.rpartition("/")[2]),
    )
    github, refused = context.github(target), []
    try:
        github.label(number, own.labels)
    except AskerError as error:
        refused.append(f"The labels could not be put on the pull request: {error.message}")
    try:
        github.request_reviews(number, own.reviewers)
    except AskerError as error:
        refused.append(f"The reviews could not be asked for: {error.message}")
    return refused


SKEW = timedelta(seconds=60)
DELIVERED = "This change had been delivered already; nothing new was made."
THERE_ALREADY = "The branch holds this change already; nothing new was made."

_places = TypeAdapter(Destination)


def apply(
    context: JobContext,
    reporter: ProgressReporter,
    repository: JobRepository,
    read_task: Callable[[], Task],
    *,
    again: Report | None = None,
) -> None:
    """Ends the job. A base that moved is followed by git's three-way merge; Conflict where that is
    not clean. `again`: the `apply` that is tried again, whose diff it is."""
    found = context.engine.step(
        "find diff", lambda: dump_report(_find(context, reporter.report.job, again))
    )
    shown = load_report(found)
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
    if shown.pull_request_url or shown.commit_url:
        urls = {"pull_request_url": shown.pull_request_url, "commit_url": shown.commit_url}
        reporter.done(**urls, withheld=shown.withheld, notes=(*reporter.report.notes, DELIVERED))
        return
    step = context.engine.step(
        "place",
        lambda: _places.dump_python(_place(context, reporter, repository, shown), mode="json"),
    )
    place = _places.validate_python(step)
    repository.view(place.base_sha)
    rebased = repository.rebased(patch, place.base_sha)
    if not rebased.text:
        reporter.done(notes=(*reporter.report.notes, THERE_ALREADY))
        return
    if rebased is not patch:
        reporter.update(
            base_sha=place.base_sha,
            patch=rebased,
            notes=(*reporter.report.notes, rebased_note(place)),
        )
    deliver(context, reporter, place, read_task())


def _find(context: JobContext, job: Job, again: Report | None) -> Report:
    """The diff that is meant: it had been shown when the command came."""
    meant = context.reports.load(again.continues) if again and again.continues else None
    if meant is not None:
        return meant
    asked = again.job if again else job
    shown = [each for each in asked_here(context, job) if has_diff(each) and _was_over(each, asked)]
    if wanted := asked.command.prompt:
        found = [each for each in shown if short_id(each.job.id) == wanted]
    else:
        own = [each for each in shown if each.job.asker_key == asked.asker_key]
        made = {each.job.id for each in own if each.job.command.verb != "apply"}
        found = [each for each in own if each.job.id in made or each.continues in made]
    if found:
        return found[0]
    if not shown:
        raise BadRequest(
            "No diff was shown in this thread yet.",
            next_step="Ask for one: `/tinygen --diff PROMPT`.",
        )
    whose = f"has the name {code(wanted)}" if wanted else "was asked for by you"
    others = [
        f"`/tinygen apply {short_id(each.job.id)}` (asked for by {code(each.job.actor)})"
        for each in shown[:3]
    ]
    raise BadRequest(
        f"None of the diffs in this thread {whose}.", next_step=f"Name one: {', '.join(others)}."
    )


def _was_over(report: Report, job: Job) -> bool:
    """Whether it had ended when the command was written, and when it came."""
    if not (report.finished_at and job.received_at):
        return True
    until = datetime.fromisoformat(job.received_at)
    if job.given_at:  # by GitHub's clock, which ours may be ahead of
        until = min(until, datetime.fromisoformat(job.given_at) + SKEW)
    return datetime.fromisoformat(report.finished_at) <= until


def _place(
    context: JobContext, reporter: ProgressReporter, repository: JobRepository, shown: Report
) -> Destination:
    """Where the diff was made for. Its own job names the branch, so that applying it twice makes
    one."""
    job, github = reporter.report.job, repository.github()
    if job.target.is_pull and job.target.issue_number is not None:
        return replace(
            on_pull_request(github.pull(job.target.issue_number), job), branch_of=shown.job
        )
    own = own_pull(context, github, shown)
    if own and own.head_ref == shown.base_ref:
        return on_pull_request(own, job, is_own=True)
    return replace(on_branch(github, job, shown.base_ref), branch_of=shown.job)
