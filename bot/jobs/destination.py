"""Where a job's change belongs, and the repository as the job sees it there.

Where a request belongs, and what it goes on from: the change that was made in its thread before, if
any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from bot.errors import BadRequest, OutsideError
from bot.jobs.policy import JobContext
from bot.jobs.task import of_pull
from bot.jobs.thread_jobs import has_diff, latest, lineage, opener, pull_number
from bot.ports import GitHub, PullRequest
from bot.thread.settings import repository_policy
from bot.types import Job, Outsider, Report
from bot.types.snapshot import Change, Patch, RepositoryView, view_repository


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a job's change belongs: on top of `base_sha` of the branch `base_ref`.

    `push`: "new", a new branch and a pull request into `base_ref`; "head", one more commit on
    `base_ref`, a pull request's own branch; "fork", a branch that is not ours to push to; "none",
    nowhere (`/run`). `branch_of` names the new branch: the job whose diff is delivered.
    `continues`: the job whose change this one goes on from. `is_own`: the pull request is one that
    TinyGen opened. `rests_on`: the outsiders whose words went into what it goes on from.
    """

    base_ref: str
    base_sha: str
    push: Literal["new", "head", "fork", "none"]
    branch_of: Job
    continues: str | None = None
    is_own: bool = False
    rests_on: tuple[Outsider, ...] = ()


def on_pull_request(
    pull: PullRequest, job: Job, *, continues: str | None = None, is_own: bool = False
) -> Destination:
    """On a pull request's own branch. BadRequest where it is closed."""
    if pull.state == "closed":
        raise BadRequest("This pull request is closed.", next_step="Reopen it, or ask on an issue.")
    push: Literal["head", "fork"] = "head" if pull.is_within(job.target.repo) else "fork"
    return Destination(pull.head_ref, pull.head_sha, push, job, continues, is_own)


class JobRepository:
    """The repository of one job, in steps: what was fetched is not fetched again after a
    restart."""

    def __init__(self, context: JobContext, job: Job) -> None:
        self._context, self._target = context, job.target
        self._repo = job.target.repository_key

    def github(self) -> GitHub:
        return self._context.github(self._target)

    def view(self, sha: str) -> RepositoryView:
        """Rebuilt from its sha after a restart, from the cache or, where that is gone, from
        GitHub."""
        if sha:
            self._context.engine.step("fetch", lambda: self._fetch(sha))
        try:
            snapshot = self._context.git.snapshot(self._repo, sha)
        except OutsideError:
            self._fetch(sha)
            snapshot = self._context.git.snapshot(self._repo, sha)
        return view_repository(snapshot, repository_policy(self._context.policy.repo))

    def rebased(self, patch: Patch, onto_sha: str) -> Patch:
        """The patch on top of another commit: itself where that is its base. Conflict names the
        files."""
        if patch.base_sha == onto_sha:
            return patch
        self.view(patch.base_sha)
        self.view(onto_sha)
        return self._context.git.rebase(self._repo, patch, onto_sha)

    def difference(self, base_sha: str, head_sha: str) -> Patch:
        """What the head's files have over the base's, of what may be shown."""
        old, new = (self.view(sha).visible() for sha in (base_sha, head_sha))
        kept = [
            blob
            for path, blob in new.blobs.items()
            if old.blobs.get(path) != blob and blob.mode != "160000"
        ]
        changes = {
            blob.path: Change(blob.path, content, blob.mode)
            for blob, content in zip(kept, new.read(kept), strict=True)
        }
        gone = {path: Change(path, None) for path in old.blobs if path not in new.blobs}
        return self._context.git.diff(self._repo, base_sha, {**changes, **gone})

    def _fetch(self, sha: str) -> None:
        self._context.git.fetch(self._repo, self.github().remote(), sha)


def find_destination(context: JobContext, job: Job, again: Report | None) -> Destination:
    """The job's place. `again` is the request that it repeats: it starts from where that one
    started."""
    target = job.target
    github = context.github(target)
    pull = (
        github.pull(target.issue_number)
        if target.is_pull and target.issue_number is not None
        else None
    )
    opened = opener(context, target, pull) if pull else None
    before = _before(context, job, again, opened)
    own = own_pull(context, github, before) if before else None
    if own and before and own.state == "open":
        place = on_pull_request(own, job, continues=before.job.id, is_own=True)
    elif pull:
        place = on_pull_request(
            pull,
            job,
            continues=before.job.id if before and not own else None,
            is_own=opened is not None,
        )
    elif own or before is None:
        place = on_branch(github, job, base_of(context, job))
    else:
        place = on_branch(github, job, before.base_ref, continues=before.job.id)
    return (
        replace(place, rests_on=_inherited(context, job, before, own))
        if before and place.continues
        else place
    )


def _inherited(
    context: JobContext, job: Job, before: Report, own: PullRequest | None
) -> tuple[Outsider, ...]:
    """The outsiders whose words went into the change that the job goes on from."""
    if own is None:
        return before.rests_on
    there = replace(job, target=replace(job.target, issue_number=own.number, is_pull=True))
    return of_pull(context, there, before)


def base_of(context: JobContext, job: Job) -> str | None:
    """The branch to start from; None for the default one. Direct calls name theirs, or have the
    default one."""
    in_thread = job.target.issue_number is not None
    return job.command.base or (context.policy.repo.base if in_thread else None)


def on_branch(
    github: GitHub, job: Job, base: str | None, *, continues: str | None = None
) -> Destination:
    """On a branch of the repository, the default one where none is named."""
    ref, sha = github.resolve(base)
    if ref == sha and job.target.issue_number is not None:
        raise BadRequest(
            "`--base` takes a branch, not a commit.", next_step="Name the branch to start from."
        )
    return Destination(
        ref, sha, "none" if job.target.issue_number is None else "new", job, continues
    )


def own_pull(context: JobContext, github: GitHub, report: Report) -> PullRequest | None:
    """The pull request that TinyGen opened with this change or one that it went on from."""
    number = pull_number(lineage(context, report))
    return None if number is None else github.pull(number)


def _before(
    context: JobContext, job: Job, again: Report | None, opened: Report | None
) -> Report | None:
    """What the request goes on from. One with `--new`, with another branch, or without words of its
    own starts anew."""
    if again is not None:
        return context.reports.load(again.continues) if again.continues else None
    command = job.command
    if command.fresh or not command.prompt or job.source == "run":
        return None
    before = latest(context, job, has_diff) or opened
    return before if before and command.base in (None, before.base_ref) else None
