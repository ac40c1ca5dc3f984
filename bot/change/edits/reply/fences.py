"""All fences of a reply, found once, so that the end of each is found in time near-linear in the
reply. A fence closes by CommonMark's rule: https://spec.commonmark.org/current/#fenced-code-blocks
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"(\s{0,12})(?:(`{3,}+)([^`]*)|(~{3,}+)(.*))")
_MAX_FENCE_CHARS = 2000
_MAX_FENCE_LENGTH = 16
"""Longer fences count as this long, which keeps the number of lists small."""


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
    def language(self) -> str:
        """The first word of the info string, in lower case."""
        words = self.info.split()
        return words[0].lower() if words else ""

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
        self._closing: dict[tuple[str, int, int], list[int]] = defaultdict(list)
        """The lines of fences without info string, by sign, length and depth, in ascending
        order."""
        for fence in self._all:
            if not fence.info:
                key = (fence.sign, min(fence.length, _MAX_FENCE_LENGTH), fence.depth)
                self._closing[key].append(fence.line)

    def at(self, number: int) -> Fence | None:
        return self._at.get(number)

    def next_after(self, number: int) -> Fence | None:
        """The next fence line below."""
        index = bisect_right(self._lines, number)
        return self._all[index] if index < len(self._all) else None

    def close(self, fence: Fence) -> int | None:
        """The line that closes the fence: the first fence line without info string, of the same
        sign, at least as long, and not indented as code unless the fence itself is."""
        return self._close(fence, max(1, fence.depth))

    def close_of_hunks(self, fence: Fence) -> int | None:
        """Like `close`, for a fence around a diff: there an indented fence line is a context line
        of the file, so a closing line without indentation is preferred."""
        unindented = self._close(fence, 0) if fence.depth == 0 else None
        return self.close(fence) if unindented is None else unindented

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
            index = bisect_right(lines, fence.line)
            found += lines[index : index + 1]
        return min(found, default=None)


def _read_fence(line: str, number: int) -> Fence | None:
    match = _FENCE.fullmatch(line) if len(line) <= _MAX_FENCE_CHARS else None
    if match is None:
        return None
    signs = match[2] or match[4]
    info = match[3] or match[5] or ""
    return Fence(number, len(match[1]), signs[0], len(signs), info.strip())
