"""Which file is meant at a line of a reply: named there, above it, or before."""

from __future__ import annotations

from collections.abc import Container, Sequence

from bot.core.edits.fences import Fences
from bot.core.edits.labels import read_comment, read_info, read_label, read_mention

REACH = 12
"""How many lines above a block its path may stand, prose between."""


class Naming:
    """`known` are paths that exist: a line that is one of them names it, whatever it looks like."""

    def __init__(self, lines: Sequence[str], fences: Fences, known: Container[str]) -> None:
        self._lines = lines
        self._fences = fences
        self._known = known
        self.region = 0
        """The line after the last thing that was read: a path above it belongs to that."""
        self.last: str | None = None
        """The file that was meant last."""

    def label(self, line: str) -> str | None:
        return read_label(line, self._known)

    def of_block(self, number: int, named: str) -> str | None:
        """The file of the block at `number`: named by its own first line, by the nearest line above it that is a path,
        by a sentence above it that names one, or by the block before it."""
        own = self.label(named) if named else None
        if own:
            return own
        above = range(number - 1, max(self.region, number - REACH) - 1, -1)
        for reads in (self._of_line, self._of_sentence):
            found = next((path for line in above if (path := reads(line))), None)
            if found:
                return found
        return self.last

    def right_above(self, number: int) -> str | None:
        for line in range(number - 1, max(self.region, number - 3) - 1, -1):
            if self._lines[line].strip():
                return None if self._fences.at(line) else self.label(self._lines[line])
        return None

    def by_comment(self, number: int) -> str | None:
        return read_comment(self._lines[number]) if number < len(self._lines) else None

    def _of_line(self, number: int) -> str | None:
        fence = self._fences.at(number)
        return read_info(fence.info) if fence else self.label(self._lines[number])

    def _of_sentence(self, number: int) -> str | None:
        return None if self._fences.at(number) else read_mention(self._lines[number])
