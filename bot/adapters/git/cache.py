"""The bare repositories under the data directory, one for each on GitHub: what of it was needed so
far, shallow.

Each goes by GitHub's id for it, since its name may be another repository's tomorrow; by its name
only where nobody knows more, as in direct calls.

A commit is there when `refs/tinygen/<sha>` exists: git writes that last. Whoever writes holds the
repository's lock; readers need none, since objects are only ever added. A repository that turns out
to be damaged is replaced by a new one: all of it can be fetched again.

The caches kept within a size: those that were used longest ago go first. Whatever goes can be
fetched again.

What git needs to reach a remote, and what its complaints about one mean.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from bot.adapters.git.index_cache import SqliteIndexCache
from bot.adapters.git.objects import MAX_COMMITS, checked_sha, disk_errors_named, make_bare
from bot.adapters.git.process import GitFailed, Runner, locked
from bot.adapters.git.repository import ObjectStore
from bot.errors import (
    BadRequest,
    Damaged,
    LimitReached,
    NotFound,
    OutsideError,
    TimedOut,
    TinyGenError,
)
from bot.ports import Remote
from bot.types.names import REPO_NAME
from bot.types.snapshot import Changes, Patch, Snapshot

_USED = "used"


def mark_used(directory: Path) -> None:
    """Now. A cache that is gone stays gone."""
    if directory.exists():
        with disk_errors_named():
            (directory / _USED).touch()


def evict(
    root: Path,
    max_bytes: int,
    unused_since: float,
    lock: Callable[[Path], AbstractContextManager[int]],
    remove: Callable[[Path], None],
) -> int:
    """How many caches went, so that the rest is within `max_bytes`. One that was used after
    `unused_since` (seconds since 1970), or that somebody fetches into, stays."""
    removed = 0
    sizes = {directory: _size_bytes(directory) for directory in root.glob("*/*.git")}
    total_bytes = sum(sizes.values())
    for used_at, directory in sorted((_used_at(directory), directory) for directory in sizes):
        if total_bytes <= max_bytes or used_at > unused_since:
            break
        try:
            with lock(directory):
                if _used_at(directory) > unused_since:  # meanwhile
                    continue
                remove(directory)
        except TimedOut:
            continue
        total_bytes -= sizes[directory]
        removed += 1
    return removed


def _used_at(directory: Path) -> float:
    """Of a cache from before uses were marked, when it was last changed; 0 where it went
    meanwhile."""
    for path in (directory / _USED, directory):
        if path.exists():
            return path.stat().st_mtime
    return 0.0


def _size_bytes(directory: Path) -> int:
    """What its files hold, as far as they stay while they are counted."""
    total = 0
    for folder, _folders, names in os.walk(directory):
        for name in names:
            try:
                total += Path(folder, name).lstat().st_size
            except FileNotFoundError:
                continue
    return total


_NO_ACCESS = re.compile(
    r"repository '[^']*' not found|Repository not found|does not appear to be a git repository"
    r"|could not read Username|Authentication failed|returned error: (401|403|404)"
)
_NO_COMMIT = re.compile(r"not our ref|couldn't find remote ref|unadvertised object")
_MOVED = re.compile(r"returned error: 30\d|unable to update url base from redirection")


def token_environment(remote: Remote) -> dict[str, str]:
    """The token as an environment variable for git: unlike arguments and URLs, that is neither
    listed nor printed.

    https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT
    """
    if remote.token is None:
        return {}
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{remote.url}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {_credentials(remote.token)}",
    }


def _credentials(token: str) -> str:
    """https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation"""
    return base64.b64encode(f"x-access-token:{token}".encode()).decode()


def explain_refusal(said: str, repo: str, sha: str, max_fetch_bytes: int) -> TinyGenError | None:
    """The error to raise where asking again will not help; None for what may be the network's
    fault, or a cache's."""
    if _NO_COMMIT.search(said):
        return NotFound(
            f"{repo} has no commit {sha[:12]}.",
            next_step="It may be gone: ask again on the present branch.",
        )
    if _MOVED.search(said):
        return NotFound(f"{repo} has moved.", next_step="Use its present name.")
    if _NO_ACCESS.search(said):
        return NotFound(
            f"There is no repository {repo}, or no access to it.",
            next_step="Check its name and access.",
        )
    if "File too large" in said:
        return LimitReached(
            f"{repo} is larger than {max_fetch_bytes >> 20} MB at that commit.",
            next_step="Ask for a smaller one.",
        )
    return None


_log = structlog.get_logger()

_ID = re.compile(r"[0-9]{1,20}")
_FETCH = "fetch --depth=1 --no-tags --no-write-fetch-head --quiet --"
_FETCH_PAST = (
    f"fetch --depth={MAX_COMMITS} --filter=blob:none --no-tags --no-write-fetch-head --quiet --"
)
_MAX_PAST_BYTES = 128 << 20
"""A server that does not know the filter would send every file of all those commits."""
_RETRY_WAITS_S = (0.5, 2.0)
_MAX_PACKS = 50
_PAST = "past"


class GitCache:
    """The Git port over caches below `root`; threads and processes may share one root.

    Its methods' `repo` is a repository's id, or `owner/name`, at `server` (a host). `protocols` are
    those that git may use ("http" only for stand-ins on loopback). One call of git takes at most
    `timeout_s`, and a listing or a patch at most `max_output_bytes`; a commit whose pack is over
    `max_fetch_bytes` is refused.
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
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._root = root
        self._prefix = f"{server.lower()}+" if server else ""
        self._protocols = protocols
        self._runner = Runner(timeout_s, max_output_bytes)
        self._max_fetch_bytes = max_fetch_bytes
        self._wait = wait

    def fetch(self, repo: str, remote: Remote, sha: str) -> None:
        if not sha:
            return
        want = _Want(repo, remote, checked_sha(sha))
        directory = self._directory(repo)
        mark_used(directory)
        with disk_errors_named():
            if self._holds(directory, sha):
                return
            with self._locked(directory) as lock:
                if self._holds(directory, sha):
                    return
                if not self._added(directory, want, lock):
                    self._fetch_anew(directory, want, lock)
                self._fetch_past(directory / _PAST, want, lock)

    def snapshot(self, repo: str, sha: str) -> Snapshot:
        return self._store(repo, sha).snapshot(sha)

    def diff(self, repo: str, base_sha: str, changes: Changes) -> Patch:
        return self._store(repo, base_sha).diff(base_sha, changes)

    def apply(self, repo: str, patch: Patch) -> tuple[Changes, str]:
        return self._store(repo, patch.base_sha).apply(patch)

    def rebase(self, repo: str, patch: Patch, onto_sha: str) -> Patch:
        return self._store(repo, onto_sha).rebase(patch, onto_sha)

    def evict(self, max_bytes: int, *, unused_since: float) -> int:
        """How many repositories went, those used longest ago first, so that the rest is within
        `max_bytes`. What was used after `unused_since`, in seconds since 1970, stays."""

        def lock(directory: Path) -> AbstractContextManager[int]:
            return locked(directory.with_suffix(".lock"), 0.0, self._wait)

        with disk_errors_named():
            return evict(self._root, max_bytes, unused_since, lock, _remove)

    def _directory(self, repo: str) -> Path:
        """GitHub's names are the same in any case, and hold no `+`."""
        if _ID.fullmatch(repo):
            return self._root / f"{self._prefix}+id" / f"{repo}.git"
        if not REPO_NAME.fullmatch(repo):
            raise BadRequest(
                "That is not a repository's name.", next_step="Write it as owner/name."
            )
        return self._root / f"{self._prefix}{repo.lower()}.git"

    def _holds(self, directory: Path, sha: str) -> bool:
        """Whether the commit is there with its trees, and its files by name."""
        if not _ref(directory, sha).exists():
            return False
        try:
            self._runner.run(directory, "rev-list", "--objects", "--no-walk", "--quiet", sha)
        except GitFailed:
            return False
        return True

    def _added(self, directory: Path, want: _Want, lock: int) -> bool:
        """Whether the commit could be fetched into the existing cache. False also where that may be
        damaged."""
        if not directory.exists():
            return False
        _sweep(directory)
        try:
            if len(list(directory.glob("objects/pack/*.pack"))) > _MAX_PACKS:
                replace(self._runner, keep_open=(lock,)).run(directory, "repack", "-a", "-d", "-q")
            self._fetch_into(directory, want, lock)
        except GitFailed:
            return False
        return self._holds(directory, want.sha)

    def _fetch_anew(self, directory: Path, want: _Want, lock: int) -> None:
        """A new cache in place of the old one, if there was one; visible only when it is whole."""
        for leftover in directory.parent.glob(f"{directory.name}+new-*"):
            shutil.rmtree(leftover)
        new = Path(tempfile.mkdtemp(prefix=f"{directory.name}+new-", dir=directory.parent))
        try:
            make_bare(new)
            self._fetch_patiently(new, want, lock)
            _remove(directory)
            new.rename(directory)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _fetch_patiently(self, directory: Path, want: _Want, lock: int) -> None:
        for wait_s in (*_RETRY_WAITS_S, None):
            try:
                self._fetch_into(directory, want, lock)
                return
            except GitFailed as error:
                _log.warning("git could not fetch", repo=want.name, said=error.said)
                if wait_s is None:
                    message = f"git could not fetch {want.name}."
                    raise OutsideError(message, next_step="Try again in a few minutes.") from error
                self._wait(wait_s)

    def _fetch_into(self, directory: Path, want: _Want, lock: int) -> None:
        try:
            self._run_fetch(directory, _FETCH, want, lock, self._max_fetch_bytes)
        except GitFailed as error:
            if refusal := explain_refusal(error.said, want.name, want.sha, self._max_fetch_bytes):
                raise refusal from error
            raise

    def _fetch_past(self, directory: Path, want: _Want, lock: int) -> None:
        """The commits before, in a repository of their own: in this one they would be a history
        full of holes."""
        try:
            if not directory.exists():
                directory.mkdir()
                make_bare(directory)
            self._run_fetch(directory, _FETCH_PAST, want, lock, _MAX_PAST_BYTES)
        except OutsideError as error:
            _log.warning("the past commits cannot be fetched", repo=want.name, error=error.message)
            shutil.rmtree(directory, ignore_errors=True)

    def _run_fetch(
        self, directory: Path, command: str, want: _Want, lock: int, max_bytes: int
    ) -> None:
        runner = replace(
            self._runner,
            max_file_bytes=max_bytes,
            keep_open=(lock,),
            environment={
                "GIT_ALLOW_PROTOCOL": ":".join(self._protocols),
                **token_environment(want.remote),
            },
        )
        runner.run(
            directory, *command.split(), want.remote.url, f"+{want.sha}:refs/tinygen/{want.sha}"
        )

    def _store(self, repo: str, sha: str) -> ObjectStore:
        directory = self._directory(repo)
        if sha and not _ref(directory, checked_sha(sha)).exists():
            raise Damaged(
                f"The commit {sha[:12]} is not in the cache any more.", next_step="Try again."
            )
        mark_used(directory)
        made_at_ns = _made_at_ns(directory)

        def on_damage() -> OutsideError:
            with disk_errors_named(), self._locked(directory):
                if _made_at_ns(directory) == made_at_ns:
                    _remove(directory)
            return Damaged(
                "The repository's cache was damaged and is thrown away.", next_step="Try again."
            )

        past, index_cache = (
            directory / _PAST / "objects",
            SqliteIndexCache(directory / "words.sqlite"),
        )
        return ObjectStore(self._runner, directory / "objects", on_damage, past, index_cache)

    def _locked(self, directory: Path) -> AbstractContextManager[int]:
        return locked(directory.with_suffix(".lock"), self._runner.timeout_s, self._wait)


@dataclass(frozen=True, slots=True)
class _Want:
    repo: str
    remote: Remote
    sha: str

    @property
    def name(self) -> str:
        """For people."""
        return (
            self.repo
            if "/" in self.repo
            else urlsplit(self.remote.url).path.strip("/").removesuffix(".git")
        )


def _ref(directory: Path, sha: str) -> Path:
    return directory / "refs/tinygen" / sha


def _made_at_ns(directory: Path) -> int | None:
    """When this cache was made, which tells it from one that came in its place; None where there is
    none."""
    config = directory / "config"
    return config.stat().st_mtime_ns if config.exists() else None


def _sweep(directory: Path) -> None:
    """Removes what a killed git left. Only for the holder of the lock: no other git writes here."""
    for pattern in ("**/*.lock", "objects/pack/tmp_*"):
        for leftover in directory.glob(pattern):
            leftover.unlink()


def _remove(directory: Path) -> None:
    """Gone at one moment for those who come now; those who read on finish with what they have
    open."""
    if directory.exists():
        aside = Path(tempfile.mkdtemp(prefix=f"{directory.name}+new-", dir=directory.parent))
        shutil.rmtree(directory.rename(aside / "old"), ignore_errors=True)
        aside.rmdir()
