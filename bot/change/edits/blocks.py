"""Search/replace blocks: where each one ends, and what stands on its two sides.

Files hold conflict markers and headings underlined with `=======` themselves. A block's markers are
those as long and as far in as its first one; where several lines could divide it, the first is
taken here and the matcher tries the others (`other_splits`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.change.edits.fences import after
from bot.change.edits.lines import split_kept
from bot.types.reply import Edit

_OPEN = re.compile(
    r"(\s{0,12})(<{5,12}|-{5,12}(?=\s*(?-i:SEARCH)\s*$))\s*(?:SEARCH|ORIGINAL)\b[\s:(]*+([^<>]{0,400}?)\)?\s*",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    r"(\s{0,12})(>{5,12}|\+{5,12}(?=\s*REPLACE))\s*(?:(REPLACE|UPDATED?)\b.{0,400})?", re.IGNORECASE
)
_MAX_MARKER_CHARS = 500
_MAX_SPLITS = 8
_MAX_INNER = 60
"""How many markers within a block are looked at."""
_DIVIDER = re.compile(r"(\s{0,12})(={5,12})\s*")


_Shape = tuple[str, int]
_Table = dict[_Shape, list[int]]
"""The lines of markers, by indentation and length; all of them under `_ANY`."""
_ANY: _Shape = ("", 0)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines [start, end) of the reply are one block; `named` is what its first line says after
    SEARCH."""

    start: int
    end: int
    named: str
    search: str
    replace: str
    divider: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The line at `start` opens a block that cannot be read; reading goes on at `end`."""

    start: int
    end: int
    reason: str


class Markers:
    """Every marker line of a reply, found once, so that no block has to look for its end line by
    line."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._opens: _Table = defaultdict(list)
        self._closes: _Table = defaultdict(list)
        self._bare_closes: _Table = defaultdict(list)
        self._dividers: _Table = defaultdict(list)
        for number, line in enumerate(lines):
            self._note(number, line)

    def _note(self, number: int, line: str) -> None:
        if len(line) > _MAX_MARKER_CHARS:
            return
        first = line.lstrip()[:1] or " "
        if first in "<-" and (opens := _OPEN.fullmatch(line)):
            _add(self._opens, opens, number)
        elif first in ">+" and (closes := _CLOSE.fullmatch(line)):
            _add(self._closes if closes[3] else self._bare_closes, closes, number)
        elif first == "=" and (divides := _DIVIDER.fullmatch(line)):
            _add(self._dividers, divides, number)

    def opens_at(self, number: int) -> bool:
        line = self._lines[number]
        return len(line) <= _MAX_MARKER_CHARS and _OPEN.fullmatch(line) is not None

    def next_after(self, number: int) -> int | None:
        """The next line below that opens a block."""
        return after(self._opens[_ANY], number)

    def opens_between(self, start: int, end: int) -> bool:
        found = after(self._opens[_ANY], start - 1)
        return found is not None and found < end

    def read(self, start: int) -> Block | Fault:
        """The block that the marker at line `start` opens."""
        opening = _OPEN.fullmatch(self._lines[start])
        if opening is None:
            raise ValueError(f"line {start} opens no block")
        shape = _shape(opening)
        for like in (shape, _ANY):
            limit = after(self._opens[shape], start) or len(self._lines)
            end = after(self._closes[like], start) or len(self._lines)
            if end >= limit:
                end = after(self._bare_closes[like], start) or len(self._lines)
            if end < limit:
                return self._divide(start, end, opening[3], shape)
        around = self._read_around(start, opening[3], shape)
        return around or Fault(
            start, start + 1, "has no `>>>>>>> REPLACE` line: it may have been cut off"
        )

    def _read_around(self, start: int, named: str, shape: _Shape) -> Block | None:
        """A block of a file that holds such blocks itself, each of them whole; None where they do
        not come out even."""
        opens, closes = (_some_after(table[shape], start) for table in (self._opens, self._closes))
        depth = 1
        for number, step in sorted(
            [(number, 1) for number in opens] + [(number, -1) for number in closes]
        ):
            depth += step
            if depth == 0:
                return self._divide_around(start, number, named, shape)
        return None

    def _divide_around(self, start: int, end: int, named: str, shape: _Shape) -> Block | None:
        """Divided at its one divider that is in no inner block."""
        inner = [number for number in _some_after(self._opens[shape], start) if number < end]
        ends = [number for number in _some_after(self._closes[shape], start) if number < end]
        own = [
            number
            for number in _some_after(self._dividers[shape], start)
            if number < end and bisect_right(inner, number) == bisect_right(ends, number)
        ]
        return self._split(start, own[0], end, named) if len(own) == 1 else None

    def _divide(self, start: int, end: int, named: str, shape: _Shape) -> Block | Fault:
        for like in (shape, _ANY):
            middle = after(self._dividers[like], start)
            if middle is not None and middle < end:
                return self._split(start, middle, end, named)
        return Fault(start, end + 1, "has no `=======` line between its two sides")

    def _split(self, start: int, middle: int, end: int, named: str) -> Block:
        search, replacement = self._lines[start + 1 : middle], self._lines[middle + 1 : end]
        divider = self._lines[middle] if self._lines[middle] in replacement else ""
        return Block(
            start, end + 1, named, _text(search), _text(replacement), divider and f"{divider}\n"
        )


def _shape(marker: re.Match[str]) -> _Shape:
    return marker[1], len(marker[2])


def _add(table: _Table, marker: re.Match[str], number: int) -> None:
    table[_shape(marker)].append(number)
    table[_ANY].append(number)


def other_splits(edit: Edit) -> Iterator[Edit]:
    """The same block divided at each later line that may divide it, shortest search first."""
    lines = split_kept(edit.replace) if edit.divider else []
    at = [number for number, line in enumerate(lines) if line == edit.divider]
    for number in at[:_MAX_SPLITS]:
        search = edit.search + edit.divider + "".join(lines[:number])
        yield replace(edit, search=search, replace="".join(lines[number + 1 :]))


def _some_after(numbers: Sequence[int], start: int) -> Sequence[int]:
    index = bisect_right(numbers, start)
    return numbers[index : index + _MAX_INNER]


def _text(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)
