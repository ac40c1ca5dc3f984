"""Where a job's change belongs, and the repository as the job sees it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.core.repo_settings import with_rules
from bot.core.tree import Change, Patch, Snapshot
from bot.core.types import Job, Outsider
from bot.errors import BadRequest, OutsideError
from bot.job.house import House
from bot.ports import GitHub, PullRequest


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job's change belongs: on top of `base_sha` of the branch `base_ref`.

    `push`: "new", a new branch and a pull request into `base_ref`; "head", one more commit on `base_ref`, a pull
    request's own branch; "fork", a branch that is not ours to push to; "none", nowhere (`/run`).
    `branch_of` names the new branch: the job whose diff is delivered. `continues`: the job whose change this one goes
    on from. `is_own`: the pull request is one that TinyGen opened. `rests_on`: the outsiders whose words went into what
    it goes on from.
    """

    base_ref: str
    base_sha: str
    push: Literal["new", "head", "fork", "none"]
    branch_of: Job
    continues: str | None = None
    is_own: bool = False
    rests_on: tuple[Outsider, ...] = ()


def head_place(pull: PullRequest, job: Job, *, continues: str | None = None, is_own: bool = False) -> Place:
    """On a pull request's own branch. BadRequest where it is closed."""
    if pull.state == "closed":
        raise BadRequest("This pull request is closed.", next_step="Reopen it, or ask on an issue.")
    push: Literal["head", "fork"] = "head" if pull.is_within(job.target.repo) else "fork"
    return Place(pull.head_ref, pull.head_sha, push, job, continues, is_own)


class Ground:
    """The repository of one job, in steps: what was fetched is not fetched again after a restart."""

    def __init__(self, house: House, job: Job) -> None:
        self._house, self._target = house, job.target
        self._repo = job.target.repository_key

    def github(self) -> GitHub:
        return self._house.github(self._target)

    def snapshot(self, sha: str) -> Snapshot:
        """Rebuilt from its sha after a restart, from the cache or, where that is gone, from GitHub."""
        if sha:
            self._house.engine.step("fetch", lambda: self._fetch(sha))
        try:
            return self._house.git.snapshot(self._repo, sha)
        except OutsideError:
            self._fetch(sha)
            return self._house.git.snapshot(self._repo, sha)

    def rebased(self, patch: Patch, onto_sha: str) -> Patch:
        """The patch on top of another commit: itself where that is its base. Conflict names the files."""
        if patch.base_sha == onto_sha:
            return patch
        self.snapshot(patch.base_sha)
        self.snapshot(onto_sha)
        return self._house.git.rebase(self._repo, patch, onto_sha)

    def difference(self, base_sha: str, head_sha: str) -> Patch:
        """What the head's files have over the base's, of what may be shown."""
        old, new = (with_rules(self.snapshot(sha), self._house.rules.repo).visible() for sha in (base_sha, head_sha))
        kept = [blob for path, blob in new.blobs.items() if old.blobs.get(path) != blob and blob.mode != "160000"]
        changes = {
            blob.path: Change(blob.path, content, blob.mode) for blob, content in zip(kept, new.read(kept), strict=True)
        }
        gone = {path: Change(path, None) for path in old.blobs if path not in new.blobs}
        return self._house.git.diff(self._repo, base_sha, {**changes, **gone})

    def _fetch(self, sha: str) -> None:
        self._house.git.fetch(self._repo, self.github().remote(), sha)
