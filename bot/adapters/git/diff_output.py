"""Parses what `git diff-tree -z --raw --numstat -p` prints, and finds the parts of the patch that
are not text."""

from __future__ import annotations

from collections.abc import Iterator
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
    """One changed path. `status` is git's letter; `old_path` differs from `path` only for a renamed
    file."""

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
        stats = []
        for entry in self.entries:
            path = entry.path.decode("utf-8", "surrogateescape")
            added, removed = self.counts[entry.path]
            stats.append(FileStat(path, added, removed, _STATUS[entry.status]))
        return tuple(stats)

    def non_text_paths(self) -> set[bytes]:
        """The paths whose part of the patch is not UTF-8, or holds a NUL: JSON and PostgreSQL can
        store neither."""
        paths: list[bytes] = []
        for entry in self.entries:
            paths.append(entry.path)
            if entry.status == "T":  # printed as two parts: a removal and an addition
                paths.append(entry.path)
        sections = zip(paths, _split_sections(self.patch), strict=True)
        return {path for path, section in sections if not _is_text(section)}

    def text(self) -> str:
        """The patch; UnicodeDecodeError if a part of it is not UTF-8."""
        return self.patch.decode()


def parse_diff(output: bytes) -> Diff:
    """The raw entries, the line counts and the patch; the latter two may be absent."""
    fields = _FieldReader(output)
    entries = tuple(_read_entries(fields))
    counts = dict(_read_counts(fields))
    return Diff(entries, counts, fields.rest())


class _FieldReader:
    """Reads NUL-ended fields one by one. The patch at the end may itself contain NULs."""

    def __init__(self, output: bytes) -> None:
        self._output = output
        self._position = 0

    def peek(self) -> bytes:
        """The first byte of the next field; b"" at the end."""
        return self._output[self._position : self._position + 1]

    def take(self) -> bytes:
        start = self._position
        end = self._output.index(b"\0", start)
        self._position = end + 1
        return self._output[start:end]

    def rest(self) -> bytes:
        """The patch, which a NUL separates from the fields."""
        return self._output[self._position + 1 :]


def _read_entries(fields: _FieldReader) -> Iterator[Entry]:
    """`:<old mode> <new mode> <old oid> <new oid> <status>`, then the path; of a rename the old
    path, then the new."""
    while fields.peek() == b":":
        _, new_mode, _, new_oid, status = fields.take().decode().split(" ")
        old_path = fields.take()
        path = fields.take() if status.startswith("R") else old_path
        yield Entry(old_path, path, status[0], new_mode, new_oid)


def _read_counts(fields: _FieldReader) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """`<added>\\t<removed>\\t<path>`; of a rename the path is empty, and the old and the new path
    follow as fields."""
    while fields.peek() not in (b"", b"\0"):
        added, removed, path = fields.take().split(b"\t", 2)
        if not path:
            fields.take()
            path = fields.take()
        yield path, (_parse_count(added), _parse_count(removed))


def _parse_count(number: bytes) -> int:
    return 0 if number == b"-" else int(number)


def _split_sections(patch: bytes) -> Iterator[bytes]:
    """The parts that begin with `diff --git`. Plain search, because a regular expression holds the
    interpreter for a second on a patch of 64 MB."""
    start = 0 if patch.startswith(_SECTION) else patch.find(b"\n" + _SECTION) + 1
    while patch.startswith(_SECTION, start):
        end = patch.find(b"\n" + _SECTION, start) + 1 or len(patch)
        yield patch[start:end]
        start = end


def _is_text(section: bytes) -> bool:
    try:
        return "\0" not in section.decode()
    except UnicodeDecodeError:
        return False
