"""What a repository holds at one commit, what the model may see of it, and what was changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol


class IndexCache(Protocol):
    """Keeps the segments of a repository's index (see `bot.change.context.index`) between requests.
    A cache: segments may vanish at any time, and write errors are not raised."""

    def read_segments(self, names: Sequence[str], /) -> Sequence[Mapping[str, bytes]]:
        """The entries of these names, by segment, oldest first; segments without any are left
        out."""

    def add(self, segment: Mapping[str, bytes], /) -> None: ...

    def clear(self) -> None: ...


class _NoIndexCache:
    def read_segments(self, _names: Sequence[str], /) -> Sequence[Mapping[str, bytes]]:
        return ()

    def add(self, _segment: Mapping[str, bytes], /) -> None: ...

    def clear(self) -> None: ...


NO_INDEX_CACHE: IndexCache = _NoIndexCache()
"""Keeps nothing."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One entry of a commit's tree. `mode` is git's: 100644, 100755 (executable), 120000 (symlink),
    160000 (submodule, whose `size_bytes` is 0 and whose content cannot be read)."""

    path: str
    mode: str
    oid: str
    size_bytes: int


ReadBlobs = Callable[[Iterable[Blob]], Iterator[bytes]]
"""The blobs' contents, in order. Content is addressed by its hash, so reading it late gives what
reading it early would have: a snapshot stays a value though its bytes are not all in memory."""


MAX_PAST_COMMITS = 300
"""How many commits of a snapshot's history are read, and used for its ranking."""


@dataclass(frozen=True, slots=True)
class PastCommit:
    """A commit that led to a snapshot: its message, and the paths it touched."""

    message: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileCommit:
    """A commit that touched a file: its date (YYYY-MM-DD), the first line of its message, and what
    it did to the file, as hunks of a diff."""

    sha: str
    date: str
    subject: str
    diff: str


LineRange = tuple[int, int]
"""First and last line, 1-based and inclusive."""
ReadLog = Callable[[str, LineRange | None], Sequence[FileCommit]]
"""Takes a path and some of its lines, or None for all. Returns the commits among the file's last
`MAX_LOGGED_COMMITS` that touched them, newest first; empty if they cannot be read."""
MAX_LOGGED_COMMITS = 20


def _no_log(_path: str, _lines: LineRange | None) -> Sequence[FileCommit]:
    return ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every file of a repository at one commit, readable without a checkout. An empty repository
    has no blobs. Context and edits are given a `RepositoryView` of it, never this."""

    sha: str
    blobs: Mapping[str, Blob]
    """By path, in git's order."""
    read: ReadBlobs
    history: Callable[[], Sequence[PastCommit]] = tuple
    """The newest commits up to this one, newest first, a few hundred at most; empty if only this
    commit is in the cache."""
    index_cache: IndexCache = NO_INDEX_CACHE
    log: ReadLog = _no_log


def _is_never(_path: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class RepositoryPolicy:
    """What a repository's own settings say about its files. The defaults are a repository without
    settings."""

    may_show: Callable[[str], bool] | None = None
    """Whether the model may be shown a path; None if it may be shown every path."""
    is_protected: Callable[[str], bool] = _is_never
    """Whether a path may not be changed."""
    instructions: str = ""
    """What the settings ask of whoever changes the repository, under their file's name."""
    language: str = ""
    """The language that people are answered in; "" leaves it to the model."""


@dataclass(frozen=True, slots=True)
class RepositoryView:
    """A snapshot under its repository's policy: the only form in which context and edits are given
    a repository, so that what the model may see is decided in one place. `view_repository` makes
    it."""

    sha: str
    blobs: Mapping[str, Blob]
    """All files by path, in git's order: also those that may not be shown."""
    shown: Mapping[str, Blob]
    """The part of `blobs` that the model may be shown; the same object if that is all of it."""
    read: ReadBlobs
    history: Callable[[], Sequence[PastCommit]]
    index_cache: IndexCache
    log: ReadLog
    policy: RepositoryPolicy

    def hides(self, path: str) -> bool:
        """Whether the file exists, but may not be shown."""
        return path in self.blobs and path not in self.shown

    def visible(self) -> RepositoryView:
        """The view with `blobs` reduced to what may be shown."""
        return self if self.shown is self.blobs else replace(self, blobs=self.shown)


def view_repository(snapshot: Snapshot, policy: RepositoryPolicy) -> RepositoryView:
    shown = snapshot.blobs
    if policy.may_show is not None:
        shown = {path: blob for path, blob in snapshot.blobs.items() if policy.may_show(path)}
    return RepositoryView(
        snapshot.sha,
        snapshot.blobs,
        shown,
        snapshot.read,
        snapshot.history,
        snapshot.index_cache,
        snapshot.log,
        policy,
    )


@dataclass(frozen=True, slots=True)
class Change:
    """The content of a path after the edits; `content` is None if the path was deleted. A move is
    two changes: a deletion and a new file."""

    path: str
    content: bytes | None
    mode: str = "100644"


Changes = Mapping[str, Change]
"""All that differs from the base, by path."""


@dataclass(frozen=True, slots=True)
class FileStat:
    path: str
    added: int
    removed: int
    status: Literal["added", "modified", "deleted", "renamed"]


@dataclass(frozen=True, slots=True)
class Patch:
    """A diff in git's own format that `git apply` takes at `base_sha`; `text` is "" if nothing
    differs."""

    base_sha: str
    text: str
    files: tuple[FileStat, ...] = ()
