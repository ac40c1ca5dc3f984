"""Takes apart what `git diff-tree -z --raw --numstat -p` prints, and tells which parts cannot
travel as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bot.types.snapshot import FileStat

_SECTION = b"diff --git "
_STATUS: dict[str, Literal["added", "modified", "deleted", "renamed"]] = {
    "A": "added",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "T": "modified",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One changed path. `status` is git's letter; only of a renamed file does `old_path` differ
    from `path`."""

    old_path: bytes
    path: bytes
    status: str
    new_mode: str
    new_oid: str


@dataclass(frozen=True, slots=True)
class Diff:
    """The whole output. `counts` are added and removed lines by path, both 0 for a binary file."""

    entries: tuple[Entry, ...]
    counts: dict[bytes, tuple[int, int]]
    patch: bytes

    def stats(self) -> tuple[FileStat, ...]:
        return tuple(
            FileStat(
                entry.path.decode("utf-8", "surrogateescape"),
                *self.counts[entry.path],
                _STATUS[entry.status],
            )
            for entry in self.entries
        )

    def untextual(self) -> set[bytes]:
        """The paths whose part of the patch is not UTF-8, or holds a NUL: neither survives JSON and
        PostgreSQL."""
        return {path for path, section in self._sections() if not _is_text(section)}

    def text(self) -> str:
        """The patch; UnicodeDecodeError unless `untextual` is empty."""
        return self.patch.decode()

    def _sections(self) -> Iterator[tuple[bytes, bytes]]:
        """Each `diff --git` part with its path. A change of type is printed as two parts, a removal
        and an addition."""
        paths = (
            entry.path for entry in self.entries for _ in range(2 if entry.status == "T" else 1)
        )
        return zip(paths, _split_sections(self.patch), strict=True)


def parse_diff(output: bytes) -> Diff:
    """Splits raw entries, line counts and patch; the latter two may be absent."""
    fields = _Fields(output)
    entries = tuple(_entries(fields))
    counts = dict(_counts(fields))
    return Diff(entries, counts, fields.rest())


def _split_sections(patch: bytes) -> Iterator[bytes]:
    """By plain search: a pattern would go through a patch of 64 MB in one step of a second."""
    start = 0 if patch.startswith(_SECTION) else patch.find(b"\n" + _SECTION) + 1
    while patch.startswith(_SECTION, start):
        end = patch.find(b"\n" + _SECTION, start) + 1 or len(patch)
        yield patch[start:end]
        start = end


class _Fields:
    """Reads NUL-ended fields one after the other. The patch at the end may hold NULs of its own."""

    def __init__(self, output: bytes) -> None:
        self._output = output
        self._at = 0

    def first_byte(self) -> bytes:
        return self._output[self._at : self._at + 1]

    def take(self) -> bytes:
        start, end = self._at, self._output.index(b"\0", self._at)
        self._at = end + 1
        return self._output[start:end]

    def rest(self) -> bytes:
        return self._output[self._at + 1 :]


def _entries(fields: _Fields) -> Iterable[Entry]:
    while fields.first_byte() == b":":
        _, new_mode, _, new_oid, status = fields.take().decode().split(" ")
        old_path = fields.take()
        path = fields.take() if status.startswith("R") else old_path
        yield Entry(old_path, path, status[0], new_mode, new_oid)


def _counts(fields: _Fields) -> Iterable[tuple[bytes, tuple[int, int]]]:
    while fields.first_byte() not in (b"", b"\0"):
        added, removed, path = fields.take().split(b"\t", 2)
        if not path:
            fields.take()
            path = fields.take()
        yield path, (_count(added), _count(removed))


def _count(number: bytes) -> int:
    return 0 if number == b"-" else int(number)


def _is_text(section: bytes) -> bool:
    try:
        return "\0" not in section.decode()
    except UnicodeDecodeError:
        return False
