"""The bare repositories under the data directory, one for each repository on GitHub, with the
commits that jobs have needed.

A cache is identified by the repository's id at GitHub, because a name may belong to another
repository tomorrow; by its name only if the caller has no id. It is shallow: each commit was
fetched without its parents. A commit is in the cache if the ref `refs/tinygen/<sha>` exists, which
git writes last. Writers hold the repository's lock; readers need none, since objects are only
added. Everything can be fetched again: a damaged cache is replaced by a new one, and those that
were not used for the longest time are removed to keep all of them within a size.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from bot.adapters.git.fetch import Fetcher, WantedCommit
from bot.adapters.git.index_cache import SqliteIndexCache
from bot.adapters.git.lock import locked
from bot.adapters.git.object_store import FETCH_BLOBS_S, ObjectStore
from bot.adapters.git.objects import (
    checked_sha,
    disk_errors_explained,
    make_bare,
    remove_leftover_scratches,
)
from bot.adapters.git.process import GitFailed, Runner
from bot.errors import BadRequest, Damaged, LimitReached, OutsideError, TimedOut
from bot.types.github import Remote
from bot.types.names import REPO_NAME
from bot.types.snapshot import Changes, Patch, Snapshot

RESERVE_BYTES = 256 << 20
"""What stays free on the disk for the database and the logs."""
MIN_ROOM_BYTES = 1 << 20

_REPO_ID = re.compile(r"[0-9]{1,20}")
_MAX_PACKS = 50
_LOCK_FOR_LOG_S = 1.0
"""How long the log of a file waits for whoever fetches a commit."""
_USED_MARK = "used"
"""An empty file in each cache. The time of its last change is when the cache was last used."""
_HISTORY_DIR = "past"
_INDEX_FILE = "words.sqlite"


class GitCache:
    """The Git port over the caches below `root`. Threads and processes may share one root.

    The methods' `repo` is a repository's id, or `owner/name`, at `server` (a host). `protocols` are
    those that git may use ("http" only for test servers on loopback). One command of git takes at
    most `timeout_s`, and a listing or a patch at most `max_output_bytes`; a commit whose pack is
    over `max_fetch_bytes` is refused, or over half of `max_cache_bytes` (0: no limit), or over half
    of what is free on the disk beyond RESERVE_BYTES. `wait` sleeps for a number of seconds.
    """

    def __init__(
        self,
        root: Path,
        *,
        server: str = "",
        protocols: tuple[str, ...] = ("https",),
        timeout_s: float = 120.0,
        max_output_bytes: int = 64 << 20,
        max_fetch_bytes: int = 1 << 30,
        max_cache_bytes: int = 0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._root = root
        self._prefix = f"{server.lower()}+" if server else ""
        self._runner = Runner(timeout_s, max_output_bytes)
        self._fetcher = Fetcher(self._runner, protocols, max_fetch_bytes, wait)
        self._max_cache_bytes = max_cache_bytes
        self._wait = wait

    def fetch(self, repo: str, remote: Remote, sha: str) -> None:
        if not sha:
            return
        wanted = WantedCommit(repo, remote, checked_sha(sha))
        directory = self._directory(repo)
        _mark_used(directory)
        with disk_errors_explained():
            if self._has_commit(directory, wanted):
                return
            with self._locked(directory) as lock_fd:
                if self._has_commit(directory, wanted):  # another job fetched it meanwhile
                    return
                fetcher = replace(self._fetcher, max_bytes=self._room_bytes(directory))
                if not self._add_commit(fetcher, directory, wanted, lock_fd):
                    self._make_cache(fetcher, directory, wanted, lock_fd)
                self._fetcher.fetch_history(directory / _HISTORY_DIR, wanted, lock_fd)

    def forget(self, repo: str) -> None:
        directory = self._directory(repo)
        with disk_errors_explained(), self._locked(directory):
            _remove(directory)

    def snapshot(self, repo: str, sha: str, remote: Callable[[], Remote] | None = None) -> Snapshot:
        return self._store(repo, sha, remote).snapshot(sha)

    def diff(self, repo: str, base_sha: str, changes: Changes) -> Patch:
        return self._store(repo, base_sha).diff(base_sha, changes)

    def difference(
        self, repo: str, base_sha: str, head_sha: str, hidden: Iterable[str], max_chars: int
    ) -> str:
        return self._store(repo, head_sha).difference(base_sha, head_sha, hidden, max_chars)

    def apply(self, repo: str, patch: Patch) -> tuple[Changes, str]:
        return self._store(repo, patch.base_sha).apply(patch)

    def rebase(self, repo: str, patch: Patch, onto_sha: str) -> Patch:
        return self._store(repo, onto_sha).rebase(patch, onto_sha)

    def remove_leftovers(self) -> int:
        """Removes what killed processes left: half-made caches, and temporary repositories. For a
        worker's start. Returns how many were removed."""
        removed = remove_leftover_scratches()
        with disk_errors_explained():
            for leftover in self._root.glob("*/*+new-*"):
                directory = leftover.with_name(leftover.name.partition("+new-")[0])
                try:
                    with self._locked(directory, timeout_s=0.0):
                        shutil.rmtree(leftover, ignore_errors=True)
                except TimedOut:  # somebody is making it
                    continue
                removed += 1
        return removed

    def evict(self, max_bytes: int, *, unused_since: float) -> int:
        """Removes the caches that were not used for the longest time, until the rest is within
        `max_bytes`. Returns how many were removed. A cache stays if it was used after
        `unused_since`, in seconds since 1970, or if a job fetches into it."""
        removed = 0
        with disk_errors_explained():
            sizes_bytes = {path: _size_bytes(path) for path in self._root.glob("*/*.git")}
            total_bytes = sum(sizes_bytes.values())
            for used_at, directory in sorted((_used_at(path), path) for path in sizes_bytes):
                if total_bytes <= max_bytes or used_at > unused_since:
                    break
                if self._evict_one(directory, unused_since):
                    total_bytes -= sizes_bytes[directory]
                    removed += 1
        return removed

    def _evict_one(self, directory: Path, unused_since: float) -> bool:
        """False if the cache is in use."""
        try:
            with self._locked(directory, timeout_s=0.0):
                if _used_at(directory) > unused_since:
                    return False
                _remove(directory)
        except TimedOut:
            return False
        return True

    def _directory(self, repo: str) -> Path:
        """GitHub's names are the same in any case, and never contain a `+`."""
        if _REPO_ID.fullmatch(repo):
            return self._root / f"{self._prefix}+id" / f"{repo}.git"
        if not REPO_NAME.fullmatch(repo):
            raise BadRequest(
                "That is not a repository's name.", next_step="Write it as owner/name."
            )
        return self._root / f"{self._prefix}{repo.lower()}.git"

    def _locked(
        self, directory: Path, *, timeout_s: float | None = None
    ) -> AbstractContextManager[int]:
        if timeout_s is None:
            timeout_s = self._runner.timeout_s
        return locked(directory.with_suffix(".lock"), timeout_s, self._wait)

    def _has_commit(self, directory: Path, wanted: WantedCommit) -> bool:
        """Whether the commit, its trees and the names of its files are in the cache."""
        if not (directory / wanted.ref).exists():
            return False
        try:
            self._runner.run(directory, "rev-list", "--objects", "--no-walk", "--quiet", wanted.sha)
        except GitFailed:
            return False
        return True

    def _room_bytes(self, directory: Path) -> int:
        """How large the commit's pack may be. LimitReached if there is no room at all: the disk
        holds the database, too."""
        existing = next(path for path in (directory, *directory.parents) if path.exists())
        free_bytes = (shutil.disk_usage(existing).free - RESERVE_BYTES) // 2
        if free_bytes < MIN_ROOM_BYTES:
            raise LimitReached(
                "The bot's disk has too little space left to fetch a repository.",
                next_step="The operator must free space on it, or lower TINYGEN_CACHE_MB.",
            )
        return min(self._fetcher.max_bytes, free_bytes, self._share_bytes())

    def _share_bytes(self) -> int:
        """How much of the cache one repository may take."""
        return self._max_cache_bytes // 2 or self._fetcher.max_bytes

    def _add_commit(
        self, fetcher: Fetcher, directory: Path, wanted: WantedCommit, lock_fd: int
    ) -> bool:
        """Whether the commit could be fetched into the existing cache. False if there is none, if
        it may be damaged, or if it has grown over its share: a new one has only this commit."""
        if not directory.exists() or _size_bytes(directory) > self._share_bytes():
            return False
        _remove_leftovers(directory)
        try:
            if len(list(directory.glob("objects/pack/*.pack"))) > _MAX_PACKS:
                repacking = replace(self._runner, inherited_fds=(lock_fd,))
                repacking.run(directory, "repack", "-a", "-d", "-q")
            fetcher.fetch_commit(directory, wanted, lock_fd)
        except GitFailed:
            return False
        return self._has_commit(directory, wanted)

    def _make_cache(
        self, fetcher: Fetcher, directory: Path, wanted: WantedCommit, lock_fd: int
    ) -> None:
        """Makes a new cache in place of the old one, if there is one. It becomes visible only when
        it is complete."""
        for leftover in directory.parent.glob(f"{directory.name}+new-*"):
            shutil.rmtree(leftover)
        new = _temporary_beside(directory)
        try:
            make_bare(new)
            fetcher.fetch_commit_with_retries(new, wanted, lock_fd)
            _remove(directory)
            new.rename(directory)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _store(
        self, repo: str, sha: str, remote: Callable[[], Remote] | None = None
    ) -> ObjectStore:
        directory = self._directory(repo)
        if sha and not (directory / "refs/tinygen" / checked_sha(sha)).exists():
            raise Damaged(
                f"The commit {sha[:12]} is not in the cache any more.", next_step="Try again."
            )
        _mark_used(directory)
        made_at_ns = _made_at_ns(directory)

        def fetch_blobs(oids: list[str]) -> None:
            if remote is None or not oids:
                return
            wanted = WantedCommit(repo, remote(), sha)
            fetcher = replace(self._fetcher, runner=replace(self._runner, timeout_s=FETCH_BLOBS_S))
            with self._locked(directory, timeout_s=_LOCK_FOR_LOG_S) as lock_fd:
                fetcher.fetch_blobs(directory / _HISTORY_DIR, wanted, oids, lock_fd)

        def on_damage() -> OutsideError:
            with disk_errors_explained(), self._locked(directory):
                if _made_at_ns(directory) == made_at_ns:  # not replaced by another job meanwhile
                    _remove(directory)
            return Damaged(
                "The repository's cache was damaged and is thrown away.", next_step="Try again."
            )

        return ObjectStore(
            self._runner,
            directory / "objects",
            history_objects=directory / _HISTORY_DIR / "objects",
            index_cache=SqliteIndexCache(directory / _INDEX_FILE),
            fetch_blobs=fetch_blobs,
            on_damage=on_damage,
        )


def _mark_used(directory: Path) -> None:
    if directory.exists():
        with disk_errors_explained():
            (directory / _USED_MARK).touch()


def _used_at(directory: Path) -> float:
    """In seconds since 1970; 0 if the cache was removed meanwhile. A cache that was never marked
    counts as used when its directory was last changed."""
    for path in (directory / _USED_MARK, directory):
        if path.exists():
            return path.stat().st_mtime
    return 0.0


def _size_bytes(directory: Path) -> int:
    """The total size of the files, without those that are removed while they are counted."""
    total = 0
    for folder, _folders, names in os.walk(directory):
        for name in names:
            try:
                total += Path(folder, name).lstat().st_size
            except FileNotFoundError:
                continue
    return total


def _made_at_ns(directory: Path) -> int | None:
    """When the cache was made: another time means that it was replaced. None if there is none."""
    config = directory / "config"
    return config.stat().st_mtime_ns if config.exists() else None


def _remove_leftovers(directory: Path) -> None:
    """Removes what a killed git left. Call it only with the lock held: no other git writes then."""
    for pattern in ("**/*.lock", "objects/pack/tmp_*"):
        for leftover in directory.glob(pattern):
            leftover.unlink()


def _remove(directory: Path) -> None:
    """Renames the cache and then deletes it, so that nobody finds half of it. Readers finish with
    the files that they have open."""
    if directory.exists():
        aside = _temporary_beside(directory)
        shutil.rmtree(directory.rename(aside / "old"), ignore_errors=True)
        aside.rmdir()


def _temporary_beside(directory: Path) -> Path:
    """A new directory on the same file system, which `_make_cache` removes if a crash leaves it."""
    return Path(tempfile.mkdtemp(prefix=f"{directory.name}+new-", dir=directory.parent))
