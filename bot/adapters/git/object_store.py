"""The Git port's operations on one directory of git objects: what the cache and a local repository
have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from bot.adapters.git.log import FetchBlobs, find_commits, show_commits
from bot.adapters.git.objects import checked_sha, list_blobs, read_blobs, read_history, scratch
from bot.adapters.git.patch import apply_patch, make_patch, merge_patch, read_difference
from bot.adapters.git.process import GitFailed, Runner
from bot.errors import AskerError, OutsideError
from bot.types.snapshot import (
    Blob,
    Changes,
    FileCommit,
    IndexCache,
    LineRange,
    PastCommit,
    Patch,
    Snapshot,
)

FIND_COMMITS_S = 2.0
FETCH_BLOBS_S = 5.0
SHOW_COMMITS_S = 2.0
"""The most that each part of a file's log may take. With the wait for the lock these are ten
seconds together: a job waits for it, on the word of a model."""
HISTORY_S = 5.0
"""A few hundred commits take less than one; a tree can be made that takes minutes."""
_MAX_LOG_BYTES = 8 << 20
_MAX_HISTORY_BYTES = 16 << 20
_MAX_HISTORY_MEMORY_BYTES = 1 << 30
_MAX_PATCH_BYTES = 16 << 20
"""The text of a change is kept with its job several times."""
_MAX_DIFFERENCE_S = 20.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Reads `objects`, the objects directory of a repository."""

    runner: Runner
    objects: Path
    history_objects: Path
    """The objects directory that has the earlier commits."""
    index_cache: IndexCache
    fetch_blobs: FetchBlobs
    """Fetches earlier contents of a file into `history_objects`."""
    on_damage: Callable[[], OutsideError]
    """Called if git cannot read the objects. Returns the error to raise."""

    def snapshot(self, sha: str) -> Snapshot:
        if not sha:
            return Snapshot("", {}, self.read)
        with self._damage_explained():
            blobs = list_blobs(self.runner, self.objects, checked_sha(sha))
        return Snapshot(
            sha,
            blobs,
            self.read,
            partial(self.history, sha),
            self.index_cache,
            partial(self.log, sha),
        )

    def history(self, sha: str) -> tuple[PastCommit, ...]:
        """Empty if the commits cannot be read: they are a hint, and no job depends on them."""
        runner = replace(
            self.runner,
            timeout_s=HISTORY_S,
            max_output_bytes=_MAX_HISTORY_BYTES,
            max_memory_bytes=_MAX_HISTORY_MEMORY_BYTES,
        )
        try:
            with scratch(self.history_objects) as git_dir:
                return read_history(runner, git_dir, sha)
        except (OutsideError, AskerError) as error:
            _log.warning("the past commits cannot be read", sha=sha, error=error.message)
            return ()

    def log(self, sha: str, path: str, lines: LineRange | None) -> tuple[FileCommit, ...]:
        """Empty if the commits cannot be read in time, as with `history`."""
        runner = replace(self.runner, max_output_bytes=_MAX_LOG_BYTES)
        find, show = (replace(runner, timeout_s=s) for s in (FIND_COMMITS_S, SHOW_COMMITS_S))
        try:
            with scratch(self.history_objects) as git_dir:
                commits = find_commits(find, git_dir, sha, path)
                self.fetch_blobs([oid for commit in commits for oid in commit.blobs])
                return show_commits(show, git_dir, commits, path, lines)
        except (OutsideError, AskerError) as error:  # no job fails for want of a log
            _log.warning("the log of a file cannot be read", sha=sha, error=error.message)
            return ()

    def read(self, blobs: Iterable[Blob]) -> Iterator[bytes]:
        with self._damage_explained():
            yield from read_blobs(self.runner, self.objects, blobs)

    def diff(self, base_sha: str, changes: Changes) -> Patch:
        with self._damage_explained():
            if base_sha:
                checked_sha(base_sha)
            max_bytes = min(_MAX_PATCH_BYTES, self.runner.max_output_bytes)
            runner = replace(self.runner, max_output_bytes=max_bytes)
            return make_patch(runner, self.objects, base_sha, changes)

    def difference(
        self, base_sha: str, head_sha: str, hidden: Iterable[str], max_chars: int
    ) -> str:
        runner = replace(self.runner, timeout_s=_MAX_DIFFERENCE_S)
        with self._damage_explained(), scratch(self.objects) as git_dir:
            return read_difference(
                runner,
                git_dir,
                (checked_sha(base_sha), checked_sha(head_sha)),
                hidden=hidden,
                max_chars=max_chars,
            )

    def apply(self, patch: Patch) -> tuple[Changes, str]:
        if patch.base_sha:
            checked_sha(patch.base_sha)
        with self._damage_explained():
            return apply_patch(self.runner, self.objects, patch)

    def rebase(self, patch: Patch, onto_sha: str) -> Patch:
        checked_sha(patch.base_sha)
        checked_sha(onto_sha)
        with self._damage_explained():
            changes = merge_patch(self.runner, self.objects, patch, onto_sha)
            return make_patch(self.runner, self.objects, onto_sha, changes)

    @contextmanager
    def _damage_explained(self) -> Iterator[None]:
        try:
            yield
        except GitFailed as error:
            raise self.on_damage() from error
