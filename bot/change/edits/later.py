"""Follows the places of a file as the model saw it into the file as it is after earlier edits, so
that what is said twice is recognized by what it does at its place."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from bot.change.edits.align import align
from bot.change.edits.lines import Text, exact, text_of
from bot.change.edits.match import Match, find_lines


class Later:
    """Where the lines of a file as the model saw it are now."""

    def __init__(self, seen: Text, now: Text) -> None:
        self._now = now
        self._seen = seen
        pairs = align(seen.bodies, now.bodies)
        self._pairs = [(-1, -1), *pairs, (len(seen.bodies), len(now.bodies))]

    def line_of(self, line: int) -> int | None:
        """The line's place now; None if it is gone."""
        found, place = self._pairs[bisect_left(self._pairs, (line, -1))]
        return place if found == line else None

    def has_result(self, match: Match) -> bool:
        """Whether the edit's new text stands where its search was; or, if other edits changed lines
        around, whether the lines that it changes are gone there, and its new ones are there."""
        if _stripped(self._now_at(match)) == _stripped(match.replace.bodies):
            return True
        core = _trim(match)
        region, new = self._now_at(core), _stripped(core.replace.bodies)
        if region == self._seen.bodies[core.start : core.end]:
            return False
        return bool(
            find_lines(text_of(_stripped(region)), new, exact, most=1) if new else not region
        )

    def _now_at(self, match: Match) -> list[str]:
        start, end = self._now_between(match.start, match.end)
        return self._now.bodies[start:end]

    def _now_between(self, start: int, end: int) -> tuple[int, int]:
        """The lines now between the last one above [start, end) and the first one below it that
        stayed."""
        above = self._pairs[bisect_left(self._pairs, (start, -1)) - 1][1]
        below = self._pairs[bisect_left(self._pairs, (end, -1))][1]
        return above + 1, below


def _stripped(lines: Sequence[str]) -> list[str]:
    return [line.strip() for line in lines]


def _trim(match: Match) -> Match:
    """The match without the lines at its beginning and end that stay, but for one of them if the
    edit only adds lines."""
    old, new = match.search.bodies, match.replace.bodies
    shorter = min(len(old), len(new))
    top = 0
    while top < shorter and old[top] == new[top]:
        top += 1
    bottom = 0
    while bottom < shorter - top and old[-1 - bottom] == new[-1 - bottom]:
        bottom += 1
    if top + bottom == len(old):
        top, bottom = (top - 1, bottom) if top else (top, bottom - 1)
    return replace(
        match,
        start=match.start + top,
        end=match.end - bottom,
        search=match.search.slice(top, len(old) - bottom),
        replace=match.replace.slice(top, len(new) - bottom),
    )
