"""The parts of a reply that marker lines enclose: fences, search/replace blocks, and the reasoning
blocks that some models write.

All markers of a reply are found once, so that the end of every block is found in time near-linear
in the reply.

A fence closes by CommonMark's rule. Files may hold conflict markers, and headings underlined with
`=======`: a search/replace block's own markers are those as long and as far indented as its first
one. Where several lines could divide a block, the first is taken here, and `other_splits` gives the
other readings for the matcher to try.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.change.edits.lines import split_keeping_ends
from bot.types.reply import Edit

_FENCE = re.compile(r"(\s{0,12})(?:(`{3,}+)([^`]*)|(~{3,}+)(.*))")
_MAX_FENCE_CHARS = 2000
_MAX_FENCE_LENGTH = 16
"""Longer fences count as this long, which keeps the number of lists small."""

_SEARCH_MARKER = re.compile(
    r"(\s{0,12})(<{5,12}|-{5,12}(?=\s*(?-i:SEARCH)\s*$))\s*"
    r"(?:SEARCH|ORIGINAL)\b[\s:(]*+([^<>]{0,400}?)\)?\s*",
    re.IGNORECASE,
)
_REPLACE_MARKER = re.compile(
    r"(\s{0,12})(>{5,12}|\+{5,12}(?=\s*REPLACE))\s*(?:(REPLACE|UPDATED?)\b.{0,400})?", re.IGNORECASE
)
_DIVIDER = re.compile(r"(\s{0,12})(={5,12})\s*")
_MAX_MARKER_CHARS = 500
_MAX_SPLITS = 8
_MAX_INNER_MARKERS = 60
"""How many markers inside a block are looked at."""

_REASONING_TAGS = "think|thinking|thoughts?|reasoning"
_REASONING_START = re.compile(rf"\s*<(?:{_REASONING_TAGS})>")
_REASONING_END = re.compile(rf"</(?:{_REASONING_TAGS})>")
_LEADING_REASONING_END = re.compile(rf"\s*</(?:{_REASONING_TAGS})>")


def next_greater(numbers: Sequence[int], number: int) -> int | None:
    """The first of the ascending `numbers` that is greater than `number`, or None."""
    index = bisect_right(numbers, number)
    return numbers[index] if index < len(numbers) else None


@dataclass(frozen=True, slots=True)
class Fence:
    """A line of three or more backticks or tildes; `length` counts them, `indent` the characters
    before them."""

    line: int
    indent: int
    sign: str
    length: int
    info: str

    @property
    def depth(self) -> int:
        """0 without indentation, 1 with up to three characters, 2 with more, which CommonMark takes
        for code."""
        return (self.indent > 0) + (self.indent > 3)


class Fences:
    """All fences of a reply."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._all: list[Fence] = []
        for number, line in enumerate(lines):
            if line.lstrip()[:3] in ("```", "~~~"):
                fence = _read_fence(line, number)
                if fence:
                    self._all.append(fence)
        self._at = {fence.line: fence for fence in self._all}
        self._lines = [fence.line for fence in self._all]
        self._unindented = [fence.line for fence in self._all if fence.depth == 0]
        self._closing: dict[tuple[str, int, int], list[int]] = defaultdict(list)
        """The lines of fences without info string, by sign, length and depth, in ascending
        order."""
        for fence in self._all:
            if not fence.info:
                key = (fence.sign, min(fence.length, _MAX_FENCE_LENGTH), fence.depth)
                self._closing[key].append(fence.line)

    def at(self, number: int) -> Fence | None:
        return self._at.get(number)

    def next_after(self, number: int) -> int | None:
        """The next line below that is a fence without indentation."""
        return next_greater(self._unindented, number)

    def close(self, fence: Fence) -> int | None:
        """The line that closes the fence: the first fence line without info string, of the same
        sign, at least as long, and not indented as code unless the fence itself is."""
        return self._close(fence, max(1, fence.depth))

    def close_of_hunks(self, fence: Fence) -> int | None:
        """Like `close`, for a fence around a diff: there an indented fence line is a context line
        of the file, so a closing line without indentation is preferred."""
        if fence.depth == 0:
            unindented = self._close(fence, 0)
            if unindented is not None:
                return unindented
        return self.close(fence)

    def close_around(self, fence: Fence) -> int | None:
        """The line that closes a fence whose content may hold complete fences of the same length: a
        fence line with an info string opens an inner one. None if they are not balanced."""
        open_count = 1
        for index in range(bisect_right(self._lines, fence.line), len(self._all)):
            inner = self._all[index]
            if inner.sign != fence.sign or inner.length < fence.length:
                continue
            if inner.depth > max(1, fence.depth):
                continue
            open_count += 1 if inner.info else -1
            if open_count == 0:
                return inner.line
        return None

    def _close(self, fence: Fence, max_depth: int) -> int | None:
        min_length = min(fence.length, _MAX_FENCE_LENGTH)
        found: list[int] = []
        for (sign, length, depth), lines in self._closing.items():
            if sign != fence.sign or length < min_length or depth > max_depth:
                continue
            line = next_greater(lines, fence.line)
            if line is not None:
                found.append(line)
        return min(found, default=None)


def _read_fence(line: str, number: int) -> Fence | None:
    match = _FENCE.fullmatch(line) if len(line) <= _MAX_FENCE_CHARS else None
    if match is None:
        return None
    signs = match[2] or match[4]
    info = match[3] or match[5] or ""
    return Fence(number, len(match[1]), signs[0], len(signs), info.strip())


@dataclass(frozen=True, slots=True)
class Block:
    """Lines [start, end) of the reply are one search/replace block. `label` is the text after
    SEARCH on its first line; `divider` is as in `Edit`."""

    start: int
    end: int
    label: str
    search: str
    replace: str
    divider: str


@dataclass(frozen=True, slots=True)
class BrokenBlock:
    """The line at `start` opens a block that cannot be read; reading continues at `end`."""

    start: int
    end: int
    reason: str


_Shape = tuple[str, int]
"""A marker's indentation and its number of signs."""
_MarkerLines = dict[_Shape, list[int]]
"""The lines of markers by shape, in ascending order, and all of them under `_ANY_SHAPE`."""
_ANY_SHAPE: _Shape = ("", 0)


class BlockMarkers:
    """All markers of a reply's search/replace blocks."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._openings: _MarkerLines = defaultdict(list)
        self._closings: _MarkerLines = defaultdict(list)
        self._bare_closings: _MarkerLines = defaultdict(list)
        """Those without the word REPLACE, which may be a conflict's."""
        self._dividers: _MarkerLines = defaultdict(list)
        for number, line in enumerate(lines):
            if len(line) <= _MAX_MARKER_CHARS:
                self._note_marker(number, line)

    def _note_marker(self, number: int, line: str) -> None:
        first = line.lstrip()[:1] or " "
        if first in "<-" and (opening := _SEARCH_MARKER.fullmatch(line)):
            _add_marker(self._openings, opening, number)
        elif first in ">+" and (closing := _REPLACE_MARKER.fullmatch(line)):
            table = self._closings if closing[3] else self._bare_closings
            _add_marker(table, closing, number)
        elif first == "=" and (divider := _DIVIDER.fullmatch(line)):
            _add_marker(self._dividers, divider, number)

    def opens_at(self, number: int) -> bool:
        line = self._lines[number]
        return len(line) <= _MAX_MARKER_CHARS and _SEARCH_MARKER.fullmatch(line) is not None

    def next_opening(self, number: int) -> int | None:
        """The next line below that opens a block."""
        return next_greater(self._openings[_ANY_SHAPE], number)

    def opens_between(self, start: int, end: int) -> bool:
        opening = self.next_opening(start - 1)
        return opening is not None and opening < end

    def read(self, start: int) -> Block | BrokenBlock:
        """The block that the marker at line `start` opens."""
        opening = _SEARCH_MARKER.fullmatch(self._lines[start])
        if opening is None:
            raise ValueError(f"line {start} opens no block")
        label, shape = opening[3], _shape(opening)
        next_block = self._next_line(self._openings, shape, start)
        for closing_shape in (shape, _ANY_SHAPE):
            for closings in (self._closings, self._bare_closings):
                end = self._next_line(closings, closing_shape, start)
                if end < next_block:
                    return self._divide(start, end, label, shape)
        nested = self._read_nested(start, label, shape)
        if nested:
            return nested
        reason = "has no `>>>>>>> REPLACE` line: it may have been cut off"
        return BrokenBlock(start, start + 1, reason)

    def _next_line(self, table: _MarkerLines, shape: _Shape, number: int) -> int:
        """The next marker below, or the end of the reply."""
        found = next_greater(table[shape], number)
        return found or len(self._lines)

    def _read_nested(self, start: int, label: str, shape: _Shape) -> Block | None:
        """A block of a file that holds complete blocks itself; None if the markers are not
        balanced, or if not exactly one divider is outside the inner blocks."""
        openings = _some_greater(self._openings[shape], start)
        closings = _some_greater(self._closings[shape], start)
        end = _balanced_end(openings, closings)
        if end is None:
            return None
        opened = [number for number in openings if number < end]
        closed = [number for number in closings if number < end]
        dividers = [
            number
            for number in _some_greater(self._dividers[shape], start)
            if number < end and bisect_right(opened, number) == bisect_right(closed, number)
        ]
        return self._split(start, dividers[0], end, label) if len(dividers) == 1 else None

    def _divide(self, start: int, end: int, label: str, shape: _Shape) -> Block | BrokenBlock:
        for divider_shape in (shape, _ANY_SHAPE):
            middle = next_greater(self._dividers[divider_shape], start)
            if middle is not None and middle < end:
                return self._split(start, middle, end, label)
        return BrokenBlock(start, end + 1, "has no `=======` line between its two sides")

    def _split(self, start: int, middle: int, end: int, label: str) -> Block:
        search = self._lines[start + 1 : middle]
        replacement = self._lines[middle + 1 : end]
        divider = self._lines[middle]
        other_divider = f"{divider}\n" if divider in replacement else ""
        return Block(start, end + 1, label, _join(search), _join(replacement), other_divider)


def other_splits(edit: Edit) -> Iterator[Edit]:
    """The same block divided at each later line that may divide it, shortest search first; at most
    eight."""
    if not edit.divider:
        return
    lines = split_keeping_ends(edit.replace)
    dividers = [number for number, line in enumerate(lines) if line == edit.divider]
    for number in dividers[:_MAX_SPLITS]:
        search = edit.search + edit.divider + "".join(lines[:number])
        yield replace(edit, search=search, replace="".join(lines[number + 1 :]))


def _shape(marker: re.Match[str]) -> _Shape:
    return marker[1], len(marker[2])


def _add_marker(table: _MarkerLines, marker: re.Match[str], number: int) -> None:
    table[_shape(marker)].append(number)
    table[_ANY_SHAPE].append(number)


def _some_greater(numbers: Sequence[int], number: int) -> Sequence[int]:
    index = bisect_right(numbers, number)
    return numbers[index : index + _MAX_INNER_MARKERS]


def _balanced_end(openings: Sequence[int], closings: Sequence[int]) -> int | None:
    """The closing line after which as many blocks are closed as were opened, one being open
    already."""
    steps = [(number, 1) for number in openings] + [(number, -1) for number in closings]
    open_count = 1
    for number, step in sorted(steps):
        open_count += step
        if open_count == 0:
            return number
    return None


def _join(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)


@dataclass(frozen=True, slots=True)
class LeadingReasoning:
    """The reasoning tags at the beginning of a line."""

    rest: str | None
    """The line after its reasoning blocks; None if the last of them goes on below."""
    closes_earlier: bool
    """A closing tag comes without an opening one: everything before it was reasoning. Some servers'
    chat templates write the opening tag themselves."""


def read_leading_reasoning(line: str) -> LeadingReasoning | None:
    """None if the line does not begin with a reasoning tag. All blocks that follow each other are
    read at once, so that a line of many takes linear time."""
    position, closes_earlier = 0, False
    while True:
        if end := _LEADING_REASONING_END.match(line, position):
            position, closes_earlier = end.end(), True
        elif start := _REASONING_START.match(line, position):
            closed = _REASONING_END.search(line, start.end())
            if closed is None:
                return LeadingReasoning(None, closes_earlier)
            position = closed.end()
        elif position:
            return LeadingReasoning(line[position:], closes_earlier)
        else:
            return None


def find_reasoning_end(lines: Sequence[str], start: int) -> tuple[int, str] | None:
    """The first line at or below `start` with a closing reasoning tag, and the rest of that line;
    None if there is none."""
    for number in range(start, len(lines)):
        end = _REASONING_END.search(lines[number])
        if end:
            return number, lines[number][end.end() :]
    return None
