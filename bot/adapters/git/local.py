"""A git directory on this machine, for the command line: read, never written to, whoever owns
it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from bot.adapters.git.index_cache import SqliteIndexCache
from bot.adapters.git.objects import checked_sha
from bot.adapters.git.process import GitFailed, Runner
from bot.adapters.git.repository import ObjectStore
from bot.errors import BadRequest, NotFound, OutsideError, TimedOut
from bot.ports import Remote
from bot.types.snapshot import NO_INDEX_CACHE, Changes, IndexCache, Patch, Snapshot

_LOOK_S = 20.0
"""For what git answers without reading a repository's contents: where it takes longer, something in
it never ends."""


class LocalGit:
    """The Git port over the repository that `path` is in: bare or not, a linked worktree too.

    The methods' `repo` is only a name for messages. Naming the repository's own directory to git,
    and reading its objects from a scratch repository, needs no `safe.directory` and runs nothing
    that its configuration names.
    """

    def __init__(
        self,
        path: Path,
        *,
        words: Path | None = None,
        timeout_s: float = 120.0,
        max_output_bytes: int = 64 << 20,
    ) -> None:
        """`words` is a directory of the bot's own, where what is learnt of the contents is kept."""
        self._path = path
        self._words = words
        self._runner = Runner(timeout_s, max_output_bytes)
        self._quick = replace(self._runner, timeout_s=min(timeout_s, _LOOK_S))

    def resolve(self, ref: str | None) -> str:
        """The sha of the commit that `ref` (a branch, tag, sha or any revision git knows; HEAD by
        default) names.

        "" where the repository has no commit yet; NotFound names the ref.
        """
        git_dir = self._git_dir()
        try:
            return self._commit(git_dir, ref or "HEAD")
        except GitFailed as error:
            if ref is None and not self._look(git_dir, "for-each-ref", "--count=1"):
                return ""
            raise NotFound(
                f"There is no commit {ref or 'HEAD'} in this repository.",
                next_step="Name an existing branch or sha.",
            ) from error

    def fetch(self, repo: str, remote: Remote, sha: str) -> None:
        """Nothing is transferred: NotFound where the directory lacks the commit."""
        del remote
        if sha:
            try:
                self._commit(self._git_dir(), checked_sha(sha))
            except GitFailed as error:
                raise NotFound(
                    f"{repo} has no commit {sha[:12]}.", next_step="Fetch it into that directory."
                ) from error

    def snapshot(self, repo: str, sha: str) -> Snapshot:
        return self._store(repo).snapshot(sha)

    def diff(self, repo: str, base_sha: str, changes: Changes) -> Patch:
        return self._store(repo).diff(base_sha, changes)

    def apply(self, repo: str, patch: Patch) -> tuple[Changes, str]:
        return self._store(repo).apply(patch)

    def rebase(self, repo: str, patch: Patch, onto_sha: str) -> Patch:
        return self._store(repo).rebase(patch, onto_sha)

    def _commit(self, git_dir: Path, revision: str) -> str:
        if revision.startswith("-") or "\0" in revision:
            raise GitFailed("rev-parse", "not a revision")
        revision += "^{commit}"
        try:
            return (
                self._quick.run(git_dir, "rev-parse", "--verify", "--quiet", revision)
                .decode()
                .strip()
            )
        except TimedOut as error:
            raise _unreadable(git_dir) from error

    def _look(self, git_dir: Path, *arguments: str) -> bytes:
        """What git says of the repository."""
        try:
            return self._quick.run(git_dir, *arguments)
        except (GitFailed, TimedOut) as error:
            raise _unreadable(git_dir) from error

    def _store(self, repo: str) -> ObjectStore:
        def on_damage() -> OutsideError:
            return OutsideError(
                f"git cannot read all of that commit of {repo}.",
                next_step="See `git fsck`; in a partial clone, fetch the missing files first.",
            )

        words = self._look(
            self._git_dir(), "rev-parse", "--show-object-format", "--git-path", "objects"
        )
        hash_name, _, objects = (
            words.decode("utf-8", "surrogateescape").rstrip("\n").partition("\n")
        )
        if hash_name != "sha1":
            raise BadRequest(
                f"{repo} names its objects by {hash_name}.",
                next_step="Use a repository with SHA-1 names.",
            )
        directory = (self._path / objects).resolve()
        return ObjectStore(
            self._runner,
            directory,
            on_damage,
            past=directory,
            index_cache=self._index_cache(directory),
        )

    def _index_cache(self, objects: Path) -> IndexCache:
        if self._words is None:
            return NO_INDEX_CACHE
        return SqliteIndexCache(
            self._words / f"{hashlib.sha256(bytes(objects)).hexdigest()[:16]}.sqlite"
        )

    def _git_dir(self) -> Path:
        """As git looks for it, from `path` upwards, but without its question who owns it."""
        start = self._path.resolve()
        for directory in (start, *start.parents):
            for candidate in (directory / ".git", directory):
                if _is_git_dir(candidate):
                    return candidate
        raise NotFound(
            "There is no git repository in that directory.",
            next_step="Name a git directory or a GitHub URL.",
        )


def _is_git_dir(path: Path) -> bool:
    """A file there names the place, as in a linked working tree."""
    return (path.name == ".git" and path.is_file()) or all(
        (path / name).exists() for name in ("HEAD", "refs")
    )


def _unreadable(git_dir: Path) -> BadRequest:
    """No waiting mends it."""
    return BadRequest(
        f"git cannot read the repository in {git_dir}.",
        next_step="See what `git status` says of it.",
    )
