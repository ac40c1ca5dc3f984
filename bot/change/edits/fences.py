"""The fences of a reply: where each one closes (CommonMark's rule), found in time near-linear in
the reply.

The thoughts that some models write into their reply: edits in them were weighed, not meant.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"(\s{0,12})(?:(`{3,}+)([^`]*)|(~{3,}+)(.*))")
_MAX_RUN = 16
_MAX_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Fence:
    line: int
    indent: int
    sign: str
    length: int
    info: str

    @property
    def depth(self) -> int:
        """0 at the margin, 1 a little way in, 2 so far in that CommonMark takes it for code."""
        return (self.indent > 0) + (self.indent > 3)


class Fences:
    def __init__(self, lines: Sequence[str]) -> None:
        found = (
            read_fence(line, number)
            for number, line in enumerate(lines)
            if line.lstrip()[:3] in ("```", "~~~")
        )
        self._all = [fence for fence in found if fence]
        self._at = {fence.line: fence for fence in self._all}
        self._lines = [fence.line for fence in self._all]
        self._margin = [fence.line for fence in self._all if fence.depth == 0]
        self._closing: dict[tuple[str, int, int], list[int]] = defaultdict(list)
        """The lines of bare fences, by sign, length and depth: few lists, each in order."""
        for fence in self._all:
            if not fence.info:
                self._closing[fence.sign, min(fence.length, _MAX_RUN), fence.depth].append(
                    fence.line
                )

    def at(self, number: int) -> Fence | None:
        return self._at.get(number)

    def next_after(self, number: int) -> int | None:
        """The next line below that is a fence at the margin."""
        return after(self._margin, number)

    def close(self, fence: Fence) -> int | None:
        """The line that closes the fence: the first bare one of its sign, at least as long, and not
        indented as code unless the fence is."""
        return self._close(fence, max(1, fence.depth))

    def close_of_hunks(self, fence: Fence) -> int | None:
        """As `close`, where every line inside has a sign before it: a fence behind a space is one
        of the file's."""
        flush = self._close(fence, 0) if fence.depth == 0 else None
        return self.close(fence) if flush is None else flush

    def close_around(self, fence: Fence) -> int | None:
        """The line that closes a fence whose content may hold whole fences of the same length: one
        with an info string opens an inner one. None where that does not come out even."""
        depth = 1
        for index in range(bisect_right(self._lines, fence.line), len(self._all)):
            inner = self._all[index]
            if (
                inner.sign != fence.sign
                or inner.length < fence.length
                or inner.depth > max(1, fence.depth)
            ):
                continue
            depth += 1 if inner.info else -1
            if depth == 0:
                return inner.line
        return None

    def _close(self, fence: Fence, depth: int) -> int | None:
        fits = (
            lines
            for (sign, length, deep), lines in self._closing.items()
            if sign == fence.sign and length >= min(fence.length, _MAX_RUN) and deep <= depth
        )
        return min(
            (found for lines in fits if (found := after(lines, fence.line)) is not None),
            default=None,
        )


def after(numbers: Sequence[int], number: int) -> int | None:
    """The first of the rising `numbers` that is greater."""
    index = bisect_right(numbers, number)
    return numbers[index] if index < len(numbers) else None


def read_fence(line: str, number: int) -> Fence | None:
    match = _FENCE.fullmatch(line) if len(line) <= _MAX_CHARS else None
    if match is None:
        return None
    run = match[2] or match[4]
    return Fence(number, len(match[1]), run[0], len(run), (match[3] or match[5] or "").strip())


_NAMES = "think|thinking|thoughts?|reasoning"
_OPEN = re.compile(rf"\s*<(?:{_NAMES})>")
_CLOSE = re.compile(rf"</(?:{_NAMES})>")
_BARE_CLOSE = re.compile(rf"\s*</(?:{_NAMES})>")


@dataclass(frozen=True, slots=True)
class Start:
    """What a line's beginning says of thoughts: `rest` is what follows all of them on the line,
    None where they go on below it. `ends_earlier`: all before the line was thoughts, as where a
    server's template opens them."""

    rest: str | None
    ends_earlier: bool


def read_start(line: str) -> Start | None:
    """None where the line does not begin with any. All that follow one another are read at once, so
    that a line of them alone is gone through once."""
    at, ends_earlier = 0, False
    while True:
        if bare := _BARE_CLOSE.match(line, at):
            at, ends_earlier = bare.end(), True
        elif opened := _OPEN.match(line, at):
            closed = _CLOSE.search(line, opened.end())
            if closed is None:
                return Start(None, ends_earlier)
            at = closed.end()
        else:
            return Start(line[at:], ends_earlier) if at else None


def end_of(lines: Sequence[str], start: int) -> tuple[int, str] | None:
    """The line at or below `start` that ends thoughts begun above, and what follows on it; None
    where they have no end."""
    for number in range(start, len(lines)):
        close = _CLOSE.search(lines[number])
        if close:
            return number, lines[number][close.end() :]
    return None
