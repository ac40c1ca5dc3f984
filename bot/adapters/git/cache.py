"""The bare repositories under the data directory, one for each on GitHub: what of it was needed so far, shallow.

A commit is there when `refs/tinygen/<sha>` exists: git writes that last. Whoever writes holds the repository's lock;
readers need none, since objects are only ever added. A repository that turns out to be damaged is replaced by a new
one: all of it can be fetched again.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.git.bare import checked_sha, disk_errors_named, make_bare
from bot.adapters.git.process import GitFailed, Runner
from bot.adapters.git.remote import fetch_failure, token_environment
from bot.adapters.git.store import ObjectStore
from bot.core.types import Changes, Patch, Snapshot
from bot.errors import BadRequest, OutsideError, TimedOut
from bot.ports import Remote

# https://docs.github.com/en/rest/repos/repos: the characters that names of owners and repositories may have.
_REPO = re.compile(r"[A-Za-z0-9_-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_LOCK_POLL_S = 0.02
_MAX_PACKS = 50


class GitCache:
    """The Git port over caches below `root`; threads and processes may share one root.

    `protocols` are those that git may use ("http" only for stand-ins on loopback). One call of git takes at most
    `timeout_s`, and a listing or a patch at most `max_output_bytes`; a commit whose pack is over `max_fetch_bytes` is
    refused.
    """

    def __init__(
        self,
        root: Path,
        *,
        protocols: tuple[str, ...] = ("https",),
        timeout_s: float = 120.0,
        max_output_bytes: int = 64 << 20,
        max_fetch_bytes: int = 1 << 30,
    ) -> None:
        self._root = root
        self._protocols = protocols
        self._runner = Runner(timeout_s, max_output_bytes)
        self._max_fetch_bytes = max_fetch_bytes

    def fetch(self, repo: str, remote: Remote, sha: str) -> None:
        if not sha:
            return
        want = _Want(repo, remote, checked_sha(sha))
        directory = self._directory(repo)
        if self._holds(directory, sha):
            return
        with disk_errors_named(), self._locked(directory) as lock:
            if not self._holds(directory, sha) and not self._added(directory, want, lock):
                self._fetch_anew(directory, want, lock)

    def snapshot(self, repo: str, sha: str) -> Snapshot:
        return self._store(repo, sha).snapshot(sha)

    def diff(self, repo: str, base_sha: str, changes: Changes) -> Patch:
        return self._store(repo, base_sha).diff(base_sha, changes)

    def apply(self, repo: str, patch: Patch) -> tuple[Changes, str]:
        return self._store(repo, patch.base_sha).apply(patch)

    def _directory(self, repo: str) -> Path:
        """GitHub's names are the same in any case."""
        if not _REPO.fullmatch(repo):
            raise BadRequest("That is not a repository's name.", next_step="Write it as owner/name.")
        return self._root / f"{repo.lower()}.git"

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
        """Whether the commit could be fetched into the existing cache. False also where that may be damaged."""
        if not directory.exists():
            return False
        _sweep(directory)
        try:
            if len(list(directory.glob("objects/pack/*.pack"))) > _MAX_PACKS:
                self._runner.run(directory, "repack", "-a", "-d", "-q", keep_open=(lock,))
            self._fetch_into(directory, want, lock)
        except GitFailed as error:
            failure = fetch_failure(error, want.repo, want.sha, self._max_fetch_bytes)
            if error.disk_full or not isinstance(failure, OutsideError):
                raise failure from error
            return False
        return self._holds(directory, want.sha)

    def _fetch_anew(self, directory: Path, want: _Want, lock: int) -> None:
        """A new cache in place of the old one, if there was one; visible only when it is whole."""
        for leftover in directory.parent.glob(f"{directory.name}.new-*"):
            shutil.rmtree(leftover)
        new = Path(tempfile.mkdtemp(prefix=f"{directory.name}.new-", dir=directory.parent))
        make_bare(new)
        try:
            self._fetch_into(new, want, lock)
        except GitFailed as error:
            raise fetch_failure(error, want.repo, want.sha, self._max_fetch_bytes) from error
        else:
            _remove(directory)
            new.rename(directory)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _fetch_into(self, directory: Path, want: _Want, lock: int) -> None:
        self._runner.run(
            directory,
            *["fetch", "--depth=1", "--no-tags", "--no-write-fetch-head", "--quiet", "--"],
            want.remote.url,
            f"+{want.sha}:refs/tinygen/{want.sha}",
            env={"GIT_ALLOW_PROTOCOL": ":".join(self._protocols), **token_environment(want.remote)},
            keep_open=(lock,),
            max_file_bytes=self._max_fetch_bytes,
        )

    def _store(self, repo: str, sha: str) -> ObjectStore:
        directory = self._directory(repo)
        if sha and not _ref(directory, checked_sha(sha)).exists():
            raise OutsideError(f"{repo} at {sha[:12]} is not in the cache any more.", next_step="Try again.")
        inode = directory.stat().st_ino if sha else None

        def on_damage() -> OutsideError:
            with disk_errors_named(), self._locked(directory):
                if directory.exists() and directory.stat().st_ino == inode:
                    _remove(directory)
            return OutsideError(f"The cache of {repo} was damaged and is thrown away.", next_step="Try again.")

        return ObjectStore(self._runner, directory / "objects", on_damage)

    @contextmanager
    def _locked(self, directory: Path) -> Iterator[int]:
        """The descriptor of the repository's lock, which ends with the last process that holds it open.

        A git that outlives its killed worker holds it too, so nobody works beside it.
        """
        directory.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self._runner.timeout_s
        with directory.with_suffix(".lock").open("ab") as file:
            while not _lock(file.fileno()):
                if time.monotonic() > deadline:
                    raise TimedOut("Another job is fetching this repository.", next_step="Try again in a few minutes.")
                time.sleep(_LOCK_POLL_S)
            yield file.fileno()


@dataclass(frozen=True, slots=True)
class _Want:
    repo: str
    remote: Remote
    sha: str


def _ref(directory: Path, sha: str) -> Path:
    return directory / "refs/tinygen" / sha


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(directory: Path) -> None:
    """Removes what a killed git left. Only for the holder of the lock: no other git writes here."""
    for pattern in ("**/*.lock", "objects/pack/tmp_*"):
        for leftover in directory.glob(pattern):
            leftover.unlink()


def _remove(directory: Path) -> None:
    """Gone at one moment for those who come now; those who read on finish with what they have open."""
    if directory.exists():
        aside = Path(tempfile.mkdtemp(prefix=f"{directory.name}.new-", dir=directory.parent))
        shutil.rmtree(directory.rename(aside / "old"), ignore_errors=True)
        aside.rmdir()
