"""The destination of a job's change: the branch, the commit that it is made on, and the earlier
change of its thread that it continues."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.errors import BadRequest, OutsideError
from bot.jobs.engine import NOTHING
from bot.jobs.policy import JobContext
from bot.jobs.spending import find_open_pulls
from bot.jobs.task.outsiders import outsiders_of_pull
from bot.jobs.thread_jobs import latest, lineage, opener
from bot.ports import GitHub
from bot.thread.history import has_diff, pull_number
from bot.thread.markdown.quote import code_span
from bot.thread.settings import repository_policy
from bot.types import Job, Outsider, Push, Report
from bot.types.github import PullRequest
from bot.types.serialization import Codec, codec_of
from bot.types.snapshot import Patch, RepositoryView, view_repository

MAX_HIDDEN = 1_000
"""Where the settings hide more files, the model is shown no difference of commits."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The destination of a job's change: on top of the commit `base_sha` of the branch
    `base_ref`."""

    base_ref: str
    base_sha: str
    push: Push
    """"head" is `base_ref`, a pull request's own branch."""
    branch_of: Job
    """The job that names the new branch: the one whose diff is delivered."""
    continues: str | None = None
    """The id of the job whose change this one continues."""
    is_own: bool = False
    """Whether TinyGen opened the pull request."""
    rests_on: tuple[Outsider, ...] = ()
    """The outsiders whose words the earlier change depends on."""
    why_new: str = ""
    """Why a change of a pull request's branch goes into a branch of its own, for people."""
    open_pulls: tuple[str, ...] = ()
    """The open pull requests for the issue that a new one would compete with, unless the command
    says `--force`."""


DESTINATION: Codec[Destination] = codec_of(Destination)


class JobRepository:
    """The repository of one job, read in steps: what was fetched is not fetched again after a
    restart."""

    def __init__(self, context: JobContext, job: Job) -> None:
        self._context, self._target = context, job.target
        self._key = job.target.repository_key

    def github(self) -> GitHub:
        return self._context.github(self._target)

    def view(self, sha: str) -> RepositoryView:
        """The repository at a commit, from the cache; from GitHub if the cache is gone."""
        if sha:
            self._context.engine.step("fetch", lambda: self._fetch(sha, self.github()), NOTHING)
        try:
            return self._cached(sha)
        except OutsideError:
            self._fetch(sha, self.github())
            return self._cached(sha)

    def default_branch(self) -> RepositoryView:
        """The head of the default branch. For use inside a step."""
        github = self.github()
        _name, sha = github.resolve(None)
        self._fetch(sha, github)
        return self._cached(sha)

    def rebased(self, patch: Patch, onto_sha: str) -> Patch:
        """The patch rebased onto another commit; the same object if that commit is its base.
        Conflict names the files that do not merge."""
        if patch.base_sha == onto_sha:
            return patch
        self.view(patch.base_sha)
        self.view(onto_sha)
        return self._context.git.rebase(self._key, patch, onto_sha)

    def difference(self, base_sha: str, head_sha: str, max_chars: int) -> str:
        """The difference of two commits as text, without files that the model may not be shown."""
        views = [self.view(sha) for sha in (base_sha, head_sha)]
        hidden = dict.fromkeys(path for view in views for path in view.blobs if view.hides(path))
        if len(hidden) > MAX_HIDDEN:
            return ""
        return self._context.git.difference(self._key, base_sha, head_sha, hidden, max_chars)

    def _cached(self, sha: str) -> RepositoryView:
        snapshot = self._context.git.snapshot(self._key, sha, lambda: self.github().remote())
        return view_repository(snapshot, repository_policy(self._context.policy.settings))

    def _fetch(self, sha: str, github: GitHub) -> None:
        self._context.git.fetch(self._key, github.remote(), sha)


def find_destination(context: JobContext, job: Job, repeats: Report | None) -> Destination:
    """`repeats` is the request that a `retry` repeats: the retry starts from where that request
    started."""
    target = job.target
    github = context.github(target)
    pull = None
    if target.is_pull and target.issue_number is not None:
        pull = github.pull(target.issue_number)
    if pull and pull.state == "closed" and job.command.verb == "ask":
        return on_branch(github, job, base_of(context, job))  # a question changes nothing there
    opened = opener(context, target, pull) if pull else None
    earlier = _earlier(context, job, repeats, opened)
    own = own_pull(context, github, earlier) if earlier else None
    if own and earlier and own.state == "open":
        found = on_pull_request(github, own, job, continues=earlier.job.id, is_own=True)
    elif pull:
        continues = earlier.job.id if earlier and not own else None
        found = on_pull_request(github, pull, job, continues=continues, is_own=opened is not None)
    elif own or earlier is None:
        found = on_branch(github, job, base_of(context, job))
    else:
        found = on_branch(github, job, earlier.base_ref, continues=earlier.job.id)
    if earlier and found.continues:
        found = replace(found, rests_on=_inherited(context, job, earlier, own))
    is_new = found.push == "new" and found.continues is None and not target.is_pull
    if is_new and job.command.verb == "solve" and not job.command.force:
        return replace(found, open_pulls=find_open_pulls(context, job))
    return found


def on_pull_request(
    github: GitHub,
    pull: PullRequest,
    job: Job,
    *,
    continues: str | None = None,
    is_own: bool = False,
) -> Destination:
    """On a pull request's own branch or, if nothing may be pushed there, on a new one that goes
    into it. BadRequest if it is closed."""
    if pull.state == "closed":
        raise BadRequest("This pull request is closed.", next_step="Reopen it, or ask on an issue.")
    found = Destination(pull.head_ref, pull.head_sha, "head", job, continues, is_own)
    if not pull.is_within(job.target.repo):
        return replace(found, push="fork")
    why = "" if is_own else github.why_not_push(pull.head_ref)
    if why:
        why_new = f"{code_span(pull.head_ref)} {why}, so the change has a branch of its own."
        return replace(found, push="new", why_new=why_new)
    return found


def on_branch(
    github: GitHub, job: Job, base: str | None, *, continues: str | None = None
) -> Destination:
    """On a branch of the repository; None is the default branch."""
    ref, sha = github.resolve(base)
    is_call = job.target.issue_number is None
    if ref == sha and not is_call:
        raise BadRequest(
            "`--base` takes a branch, not a commit.", next_step="Name the branch to start from."
        )
    return Destination(ref, sha, "none" if is_call else "new", job, continues)


def base_of(context: JobContext, job: Job) -> str | None:
    """The branch to start from; None is the default branch. The repository's setting `base` does
    not apply to direct calls."""
    in_thread = job.target.issue_number is not None
    return job.command.base or (context.policy.settings.base if in_thread else None)


def own_pull(context: JobContext, github: GitHub, report: Report) -> PullRequest | None:
    """The pull request that TinyGen opened with this change, or with a change that it continues."""
    number = pull_number(lineage(context, report))
    return None if number is None else github.pull(number)


def _earlier(
    context: JobContext, job: Job, repeats: Report | None, opened: Report | None
) -> Report | None:
    """The report of the change that the request continues; None if it starts afresh, as a request
    with `--new`, with another branch or without a prompt does."""
    if repeats is not None:
        return context.reports.load(repeats.continues) if repeats.continues else None
    command = job.command
    if command.fresh or not command.prompt or job.source == "run":
        return None
    earlier = latest(context, job, has_diff) or opened
    if earlier is None or command.base not in (None, earlier.base_ref):
        return None
    return earlier


def _inherited(
    context: JobContext, job: Job, earlier: Report, own: PullRequest | None
) -> tuple[Outsider, ...]:
    """The outsiders whose words the change depends on that the job continues."""
    if own is None:
        return earlier.rests_on
    there = replace(job, target=replace(job.target, issue_number=own.number, is_pull=True))
    return outsiders_of_pull(context, there, earlier)
