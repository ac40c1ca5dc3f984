"""A git repository on this machine, for the command line: read, whoever owns it, and never written
to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from bot.adapters.git.index_cache import SqliteIndexCache
from bot.adapters.git.object_store import ObjectStore
from bot.adapters.git.objects import checked_sha, scratch
from bot.adapters.git.process import GitFailed, Runner
from bot.errors import AskerError, BadRequest, NotFound, OutsideError, TimedOut
from bot.types.github import Remote
from bot.types.snapshot import NO_INDEX_CACHE, Changes, IndexCache, Patch, Snapshot

_MAX_LOOKUP_S = 20.0
"""For what git answers without reading contents. If it takes longer, git waits for something that
never ends, such as a pipe in the place of a file."""
_MAX_STATUS_S = 2.0
_MAX_EXCLUDE_BYTES = 1 << 20
_STATUS = (
    # What a repository's configuration would say of file systems that keep no modes or times.
    *("-c", "core.fileMode=false", "-c", "core.trustctime=false", "-c", "core.checkStat=minimal"),
    *("status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal"),
    "--ignore-submodules=all",
)


class LocalGit:
    """The Git port over the repository that contains `path`: bare or not, a linked worktree too.

    The methods' `repo` is only a name for messages. git is given the repository's own directory by
    name, and objects are read through a scratch repository: this needs no `safe.directory`, and
    runs nothing that the repository's configuration names.
    """

    def __init__(
        self,
        path: Path,
        *,
        index_cache_dir: Path | None = None,
        timeout_s: float = 120.0,
        max_output_bytes: int = 64 << 20,
    ) -> None:
        """`index_cache_dir` is a directory of the bot's own; without it no index is kept."""
        self._path = path
        self._index_cache_dir = index_cache_dir
        self._runner = Runner(timeout_s, max_output_bytes)
        self._lookup_runner = replace(self._runner, timeout_s=min(timeout_s, _MAX_LOOKUP_S))

    def resolve(self, ref: str | None) -> str:
        """The sha of the commit that `ref` names: a branch, a tag, a sha or any revision that git
        knows; HEAD by default.

        "" if the repository has no commit yet. NotFound if `ref` names no commit.
        """
        git_dir = self._git_dir()
        try:
            return self._commit_sha(git_dir, ref or "HEAD")
        except GitFailed as error:
            if ref is None and not self._look_up(git_dir, "for-each-ref", "--count=1"):
                return ""
            raise NotFound(
                f"There is no commit {ref or 'HEAD'} in this repository.",
                next_step="Name an existing branch or sha.",
            ) from error

    def count_uncommitted(self) -> int:
        """How many files of the working tree differ from HEAD, staged or not, or are new and not
        ignored; a new directory counts once. 0 of a bare repository, and where it cannot be told
        within two seconds.

        Neither configuration nor hooks of the repository are read, so no filter and no file monitor
        of its choice is run: git works on a scratch repository that has its index.
        """
        try:
            git_dir = self._git_dir()
            if git_dir.name != ".git":
                return 0
            output = self._look_up(
                git_dir,
                *("rev-parse", "--git-path", "objects", "--git-path", "index"),
                *("--git-path", "info/exclude", "--is-bare-repository"),
            )
            *names, is_bare = output.decode("utf-8", "surrogateescape").rstrip("\n").split("\n")
            if is_bare == "true":
                return 0
            objects, index, exclude = ((self._path / name).resolve() for name in names)
            head = self.resolve(None)
            if head and not index.is_file():  # as `git clone --no-checkout` leaves it
                return 0
            with scratch(objects) as directory:
                if head:
                    (directory / "HEAD").write_text(f"{head}\n")
                _copy_excludes(exclude, directory / "info" / "exclude")
                runner = replace(
                    self._runner,
                    timeout_s=min(self._runner.timeout_s, _MAX_STATUS_S),
                    environment={
                        "GIT_WORK_TREE": str(git_dir.parent),
                        "GIT_INDEX_FILE": str(index),
                    },
                )
                return runner.run(directory, *_STATUS).count(b"\0")
        except (AskerError, OutsideError, OSError, RuntimeError, ValueError):
            return 0

    def fetch(self, repo: str, remote: Remote, sha: str) -> None:
        """Transfers nothing. NotFound if the repository does not have the commit."""
        del remote
        if not sha:
            return
        try:
            self._commit_sha(self._git_dir(), checked_sha(sha))
        except GitFailed as error:
            raise NotFound(
                f"{repo} has no commit {sha[:12]}.", next_step="Fetch it into that directory."
            ) from error

    def forget(self, repo: str) -> None:
        """Nothing: a repository of this machine is its owner's."""

    def snapshot(self, repo: str, sha: str, remote: Callable[[], Remote] | None = None) -> Snapshot:
        del remote
        return self._store(repo).snapshot(sha)

    def diff(self, repo: str, base_sha: str, changes: Changes) -> Patch:
        return self._store(repo).diff(base_sha, changes)

    def difference(
        self, repo: str, base_sha: str, head_sha: str, hidden: Iterable[str], max_chars: int
    ) -> str:
        return self._store(repo).difference(base_sha, head_sha, hidden, max_chars)

    def apply(self, repo: str, patch: Patch) -> tuple[Changes, str]:
        return self._store(repo).apply(patch)

    def rebase(self, repo: str, patch: Patch, onto_sha: str) -> Patch:
        return self._store(repo).rebase(patch, onto_sha)

    def _store(self, repo: str) -> ObjectStore:
        git_dir = self._git_dir()
        output = self._look_up(
            git_dir, "rev-parse", "--show-object-format", "--git-path", "objects"
        )
        lines = output.decode("utf-8", "surrogateescape").rstrip("\n")
        hash_name, _, objects_path = lines.partition("\n")
        if hash_name != "sha1":
            raise BadRequest(
                f"{repo} names its objects by {hash_name}.",
                next_step="Use a repository with SHA-1 names.",
            )
        objects = (self._path / objects_path).resolve()

        def on_damage() -> OutsideError:
            return OutsideError(
                f"git cannot read all of that commit of {repo}.",
                next_step="See `git fsck`; in a partial clone, fetch the missing files first.",
            )

        return ObjectStore(
            self._runner,
            objects,
            history_objects=objects,
            index_cache=self._index_cache(objects),
            fetch_blobs=_have_all,
            on_damage=on_damage,
        )

    def _index_cache(self, objects: Path) -> IndexCache:
        if self._index_cache_dir is None:
            return NO_INDEX_CACHE
        digest = hashlib.sha256(bytes(objects)).hexdigest()[:16]
        return SqliteIndexCache(self._index_cache_dir / f"{digest}.sqlite")

    def _git_dir(self) -> Path:
        """The directory that git would find from `path` upwards, without git's check of its
        owner."""
        start = self._path.resolve()
        for directory in (start, *start.parents):
            for candidate in (directory / ".git", directory):
                if _is_git_dir(candidate):
                    return candidate
        raise NotFound(
            "There is no git repository in that directory.",
            next_step="Name a git directory or a GitHub URL.",
        )

    def _commit_sha(self, git_dir: Path, revision: str) -> str:
        """GitFailed if the revision names no commit."""
        if revision.startswith("-") or "\0" in revision:
            raise GitFailed("rev-parse", "not a revision")
        arguments = ("rev-parse", "--verify", "--quiet", revision + "^{commit}")
        try:
            return self._lookup_runner.run(git_dir, *arguments).decode().strip()
        except TimedOut as error:
            raise _unreadable(git_dir) from error

    def _look_up(self, git_dir: Path, *arguments: str) -> bytes:
        """What git prints about the repository."""
        try:
            return self._lookup_runner.run(git_dir, *arguments)
        except (GitFailed, TimedOut) as error:
            raise _unreadable(git_dir) from error


def _copy_excludes(exclude: Path, to: Path) -> None:
    """The patterns of what is ignored in this repository alone, and of the user's default file. The
    user's own configuration may name another one (`core.excludesFile`), which is not read."""
    user = Path.home() / ".config" / "git" / "ignore"
    patterns = b""
    for file in (exclude, user):
        if file.is_file():
            with file.open("rb") as opened:
                patterns += opened.read(_MAX_EXCLUDE_BYTES) + b"\n"
    to.parent.mkdir(exist_ok=True)
    to.write_bytes(patterns)


def _have_all(_oids: list[str]) -> None:
    """A user's repository is complete; of a partial clone nothing is fetched."""


def _is_git_dir(path: Path) -> bool:
    if path.name == ".git" and path.is_file():  # of a linked worktree: it names the directory
        return True
    return (path / "HEAD").exists() and (path / "refs").exists()


def _unreadable(git_dir: Path) -> BadRequest:
    """Not an OutsideError, because trying again does not help."""
    return BadRequest(
        f"git cannot read the repository in {git_dir}.",
        next_step="See what `git status` says of it.",
    )
