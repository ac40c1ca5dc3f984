"""What a repository holds at one commit, and what is changed of it.

Where what was learnt of a repository's contents is kept between requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol


class Shelf(Protocol):
    """Layers of named bytes. It can all be learnt again: any of it may be gone the next time, and nothing is raised
    where it cannot be kept."""

    def layers(self, names: Sequence[str], /) -> Sequence[Mapping[str, bytes]]:
        """Those that have any of the names, oldest first, each with those that it has."""

    def add(self, layer: Mapping[str, bytes], /) -> None: ...

    def clear(self) -> None: ...


class _NoShelf:
    def layers(self, _names: Sequence[str], /) -> Sequence[Mapping[str, bytes]]:
        return ()

    def add(self, _layer: Mapping[str, bytes], /) -> None: ...

    def clear(self) -> None: ...


NO_SHELF: Shelf = _NoShelf()
"""Keeps nothing."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One entry of a commit's tree. `mode` is git's: 100644, 100755 (executable), 120000 (symlink), 160000 (submodule,
    whose `size_bytes` is 0 and whose content cannot be read)."""

    path: str
    mode: str
    oid: str
    size_bytes: int


ReadBlobs = Callable[[Iterable[Blob]], Iterator[bytes]]
"""The blobs' contents, in order. Content is addressed by its hash, so reading it late gives what reading it early
would have: a snapshot stays a value though its bytes are not all in memory."""


@dataclass(frozen=True, slots=True)
class PastCommit:
    """A commit that led to a snapshot: its message, and the paths it touched."""

    message: str
    paths: tuple[str, ...]


def _nothing(_path: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every file of a repository at one commit, readable without a checkout. An empty repository has no blobs."""

    sha: str
    blobs: Mapping[str, Blob]
    """By path, in git's order."""
    read: ReadBlobs
    history: Callable[[], Sequence[PastCommit]] = tuple
    """The newest commits up to this one, newest first, a few hundred at most; none where only this one is at hand."""
    shelf: Shelf = NO_SHELF
    view: Mapping[str, Blob] | None = None
    """The part of `blobs` that the model may be shown, where that is not all of it."""
    is_protected: Callable[[str], bool] = _nothing
    """Which paths may not be changed."""

    def hides(self, path: str) -> bool:
        """Whether the path is there, but may not be shown."""
        return self.view is not None and path in self.blobs and path not in self.view

    def visible(self) -> Snapshot:
        """The snapshot of what the model may be shown."""
        return self if self.view is None else replace(self, blobs=self.view, view=None)


@dataclass(frozen=True, slots=True)
class Change:
    """What a path holds after the edits. `content` None: the path is gone. A move is one of each."""

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
    """A diff in git's own format that `git apply` takes at `base_sha`; `text` is "" where nothing differs."""

    base_sha: str
    text: str
    files: tuple[FileStat, ...] = ()
