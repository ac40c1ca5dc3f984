"""The fences of a reply: where each one closes (CommonMark's rule), found in time near-linear in the reply."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"(\s{0,12})(?:(`{3,})([^`]*)|(~{3,})(.*))")
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
        found = (read_fence(line, number) for number, line in enumerate(lines) if line.lstrip()[:3] in ("```", "~~~"))
        self._all = [fence for fence in found if fence]
        self._at = {fence.line: fence for fence in self._all}
        self._lines = [fence.line for fence in self._all]
        self._margin = [fence.line for fence in self._all if fence.depth == 0]
        self._closing: dict[tuple[str, int, int], list[int]] = defaultdict(list)
        for fence in self._all:
            if not fence.info:
                self._closing[fence.sign, min(fence.length, _MAX_RUN), fence.depth].append(fence.line)

    def at(self, number: int) -> Fence | None:
        return self._at.get(number)

    def next_after(self, number: int) -> int | None:
        """The next line below that is a fence at the margin."""
        index = bisect_right(self._margin, number)
        return self._margin[index] if index < len(self._margin) else None

    def close(self, fence: Fence) -> int | None:
        """The line that closes the fence: the first bare one of its sign, at least as long, and not indented as code
        unless the fence is."""
        return self._close(fence, range(max(1, fence.depth) + 1))

    def close_of_hunks(self, fence: Fence) -> int | None:
        """As `close`, where every line inside has a sign before it: a fence behind a space is one of the file's."""
        flush = self._close(fence, range(1)) if fence.depth == 0 else None
        return self.close(fence) if flush is None else flush

    def close_around(self, fence: Fence) -> int | None:
        """The line that closes a fence whose content may hold whole fences of the same length: one with an info
        string opens an inner one. None where that does not come out even."""
        depth = 1
        for index in range(bisect_right(self._lines, fence.line), len(self._all)):
            inner = self._all[index]
            if inner.sign != fence.sign or inner.length < fence.length or inner.depth > max(1, fence.depth):
                continue
            depth += 1 if inner.info else -1
            if depth == 0:
                return inner.line
        return None

    def _close(self, fence: Fence, depths: Iterable[int]) -> int | None:
        lengths = range(min(fence.length, _MAX_RUN), _MAX_RUN + 1)
        found = (self._next(fence, length, depth) for depth in depths for length in lengths)
        return min((line for line in found if line is not None), default=None)

    def _next(self, fence: Fence, length: int, depth: int) -> int | None:
        lines = self._closing.get((fence.sign, length, depth), [])
        index = bisect_right(lines, fence.line)
        return lines[index] if index < len(lines) else None


def read_fence(line: str, number: int) -> Fence | None:
    match = _FENCE.fullmatch(line) if len(line) <= _MAX_CHARS else None
    if match is None:
        return None
    run = match[2] or match[4]
    return Fence(number, len(match[1]), run[0], len(run), (match[3] or match[5] or "").strip())
