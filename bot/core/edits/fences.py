"""The fences of a reply: where each one closes (CommonMark's rule), found in time near-linear in the reply."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
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
    def is_deep(self) -> bool:
        """Whether it is indented so far that CommonMark takes it for code."""
        return self.indent > 3


class Fences:
    def __init__(self, lines: Sequence[str]) -> None:
        found = (read_fence(line, number) for number, line in enumerate(lines) if line.lstrip()[:3] in ("```", "~~~"))
        self._all = [fence for fence in found if fence]
        self._at = {fence.line: fence for fence in self._all}
        self._lines = [fence.line for fence in self._all]
        self._closing: dict[tuple[str, int, bool], list[int]] = defaultdict(list)
        for fence in self._all:
            if not fence.info:
                self._closing[fence.sign, min(fence.length, _MAX_RUN), fence.is_deep].append(fence.line)

    def at(self, number: int) -> Fence | None:
        return self._at.get(number)

    def close(self, fence: Fence) -> int | None:
        """The line that closes the fence: the first bare one of its sign, at least as long, and not indented as code
        unless the fence is."""
        found = (
            self._next(fence, length, deep)
            for length in range(min(fence.length, _MAX_RUN), _MAX_RUN + 1)
            for deep in {False, fence.is_deep}
        )
        return min((line for line in found if line is not None), default=None)

    def close_around(self, fence: Fence) -> int | None:
        """The line that closes a fence whose content may hold whole fences of the same length: one with an info
        string opens an inner one. None where that does not come out even."""
        depth = 1
        for index in range(bisect_right(self._lines, fence.line), len(self._all)):
            inner = self._all[index]
            if inner.sign != fence.sign or inner.length < fence.length or inner.is_deep > fence.is_deep:
                continue
            depth += 1 if inner.info else -1
            if depth == 0:
                return inner.line
        return None

    def _next(self, fence: Fence, length: int, deep: bool) -> int | None:
        lines = self._closing.get((fence.sign, length, deep), [])
        index = bisect_right(lines, fence.line)
        return lines[index] if index < len(lines) else None


def read_fence(line: str, number: int) -> Fence | None:
    match = _FENCE.fullmatch(line) if len(line) <= _MAX_CHARS else None
    if match is None:
        return None
    run = match[2] or match[4]
    return Fence(number, len(match[1]), run[0], len(run), (match[3] or match[5] or "").strip())
