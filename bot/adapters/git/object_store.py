"""The Git port's operations on one directory of git objects: what the cache and a local repository
have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from bot.adapters.git.log import FetchBlobs, read_log
from bot.adapters.git.objects import checked_sha, list_blobs, read_blobs, read_history, scratch
from bot.adapters.git.patch import apply_patch, make_patch, merge_patch
from bot.adapters.git.process import GitFailed, Runner
from bot.errors import LimitReached, OutsideError
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

MAX_LOG_S = 10.0
"""For each of the three commands of git that the log of a file takes."""
_MAX_LOG_BYTES = 8 << 20

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
        try:
            with scratch(self.history_objects) as git_dir:
                return read_history(self.runner, git_dir, sha)
        except OutsideError as error:
            _log.warning("the past commits cannot be read", sha=sha, error=error.message)
            return ()

    def log(self, sha: str, path: str, lines: LineRange | None) -> tuple[FileCommit, ...]:
        """Empty if the commits cannot be read within `MAX_LOG_S`, as with `history`."""
        runner = replace(self.runner, timeout_s=MAX_LOG_S, max_output_bytes=_MAX_LOG_BYTES)
        try:
            with scratch(self.history_objects) as git_dir:
                return read_log(runner, git_dir, sha, path, lines, self.fetch_blobs)
        except (OutsideError, LimitReached) as error:
            _log.warning("the log of a file cannot be read", sha=sha, error=error.message)
            return ()

    def read(self, blobs: Iterable[Blob]) -> Iterator[bytes]:
        with self._damage_explained():
            yield from read_blobs(self.runner, self.objects, blobs)

    def diff(self, base_sha: str, changes: Changes) -> Patch:
        with self._damage_explained():
            if base_sha:
                checked_sha(base_sha)
            return make_patch(self.runner, self.objects, base_sha, changes)

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
