"""Finds the one place that an edit means: in the file as it is, and in the file as the model saw it, so
that what is said twice is recognized by what it does at its place, and lands nowhere else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from bot.change.edits import feedback
from bot.change.edits.align import align
from bot.change.edits.files import EditRefused
from bot.change.edits.lines import Text, count_equal_ends, exact, text_of, unindented
from bot.change.edits.match import Match, choose_match, find_lines, find_matches, is_above_heading
from bot.change.edits.reply.blocks import other_splits
from bot.types.reply import Edit


def locate(
    path: str,
    text: Text,
    seen: Text | None,
    edit: Edit,
    *,
    trust_line: bool,
    use_hint: Callable[[], bool],
) -> Match | None:
    """The only place that the edit means, None if its result is there already. Raises EditRefused if
    there is none, or are several. `seen` are the file's lines as the model saw them, if they were
    others; `trust_line` whether a diff's line number counts; `use_hint` whether the refusal may show
    lines of the file."""
    edit, here = _choose_split(path, text, edit)
    chosen = choose_match(text, here, edit, trust_line=trust_line)
    match = chosen or (here[0] if len(here) == 1 else None)
    if match and is_above_heading(text, match, edit.anchors):
        raise EditRefused(feedback.wrong_heading(path, edit.anchors[-1]))
    if seen is not None:
        later = _Later(seen, text)
        is_numbered = chosen is not None and trust_line and chosen.start + 1 == edit.line
        there = _find_as_seen(seen, edit, later, chosen if is_numbered else None)
        if _is_done(later, match, there):
            return None
        if there and not (match and later.is_only(there, match)):
            match, here = None, there if len(there) > 1 else []
    if match:
        return match
    shown = text if use_hint() else None
    if len(here) > 1:
        lines = tuple(each.start + 1 for each in here)
        raise EditRefused(feedback.ambiguous(path, shown, edit.search, lines))
    raise EditRefused(feedback.not_found(path, shown, edit.search))


def was_made(earlier: Text, now: Text, edit: Edit) -> bool:
    """Whether the edit means one place in an earlier state of the file, none in it now, and has its
    result there: it was made before the model saw the file."""
    there = find_matches(earlier, edit)
    if len(there) != 1 or find_matches(now, edit):
        return False
    return _Later(earlier, now).has_result(there[0])


def _is_done(later: _Later, match: Match | None, there: Sequence[Match]) -> bool:
    """Whether the file has the edit's result at one of the places that the search had in it. Of
    several places, only new lines tell the one that was changed."""
    if match and later.is_only(there, match):
        # The search is there still. Only an edit that adds lines to it can be done already.
        return _surrounds(later.now, match) and not _surrounds(later.seen, there[0])
    return any(
        later.has_result(each)
        for each in there
        if len(there) == 1 or not set(each.replace.bodies).issubset(each.search.bodies)
    )


def _find_as_seen(seen: Text, edit: Edit, later: _Later, numbered: Match | None) -> list[Match]:
    """The edit's places in the file as the model saw it: only the one that is now at `numbered`, or
    that the edit's heading means, if there is such a one."""
    there = find_matches(seen, edit)
    if numbered:
        return [each for each in there if later.line_of(each.start) == numbered.start]
    meant = choose_match(seen, there, edit, trust_line=False)
    return [meant] if meant else there


class _Later:
    """Where the lines of a file as the model saw it are now."""

    def __init__(self, seen: Text, now: Text) -> None:
        self.now = now
        self.seen = seen
        pairs = align(seen.bodies, now.bodies)
        self._pairs = [(-1, -1), *pairs, (len(seen.bodies), len(now.bodies))]

    def is_only(self, there: Sequence[Match], match: Match) -> bool:
        """Whether the match is where the only place of the search was."""
        return len(there) == 1 and self.line_of(there[0].start) == match.start

    def line_of(self, line: int) -> int | None:
        """The line's place now; None if it is gone."""
        found, place = self._pairs[bisect_left(self._pairs, (line, -1))]
        return place if found == line else None

    def has_result(self, match: Match) -> bool:
        """Whether the edit's new text stands where its search was; or, if other edits changed lines
        around, whether the lines that it changes are gone there, and its new ones are there."""
        key = unindented if match.key is unindented else exact
        if list(map(key, self._now_at(match))) == list(map(key, match.replace.bodies)):
            return True
        core = _trim(match)
        region, new = self._now_at(core), core.replace.bodies
        if region == self.seen.bodies[core.start : core.end]:
            return False
        return bool(find_lines(text_of(region), new, key, most=1)) if new else not region

    def _now_at(self, match: Match) -> list[str]:
        start, end = self._now_between(match.start, match.end)
        return self.now.bodies[start:end]

    def _now_between(self, start: int, end: int) -> tuple[int, int]:
        """The lines now between the last one above [start, end) and the first one below it that
        stayed."""
        above = self._pairs[bisect_left(self._pairs, (start, -1)) - 1][1]
        below = self._pairs[bisect_left(self._pairs, (end, -1))][1]
        return above + 1, below


def _surrounds(text: Text, match: Match) -> bool:
    """Whether the new lines, more than the search has, stand around the match."""
    new = match.replace.bodies
    if len(new) <= len(match.search.bodies):
        return False
    starts = find_lines(text, new, exact)
    return any(start <= match.start and match.end <= start + len(new) for start in starts)


def _trim(match: Match) -> Match:
    """The match without the lines at its beginning and end that stay, but for one of them if the
    edit only adds lines."""
    old, new = match.search.bodies, match.replace.bodies
    top, bottom = count_equal_ends(old, new)
    if top + bottom == len(old):
        top, bottom = (top - 1, bottom) if top else (top, bottom - 1)
    return replace(
        match,
        start=match.start + top,
        end=match.end - bottom,
        search=match.search.slice(top, len(old) - bottom),
        replace=match.replace.slice(top, len(new) - bottom),
    )


def _choose_split(path: str, text: Text, edit: Edit) -> tuple[Edit, list[Match]]:
    """The edit and its matches. If a block may be divided at several lines, the longest search that
    is in the file is meant: a shorter one is its beginning. Raises EditRefused where the longest
    one has the dividing line alone more, which is no evidence, and where no search is in the file
    or the new text may begin later."""
    splits = [edit, *other_splits(edit)]
    found = [(split, matches) for split in splits if (matches := find_matches(text, split))]
    if not found:
        found = [(edit, [])]
    chosen, matches = found[-1]
    if len(found) == 1:
        is_unclear = chosen.divider and _divides_new_text(chosen)
    else:
        is_unclear = chosen.search == found[-2][0].search + edit.divider
    if is_unclear:
        raise EditRefused(feedback.several_dividers(path))
    return chosen, matches


def _divides_new_text(edit: Edit) -> bool:
    """Whether the new text has a dividing line that underlines no heading."""
    lines = edit.replace.split("\n")
    divider = edit.divider.rstrip()
    return any(
        line == divider and len(above.rstrip()) not in range(1, len(divider) + 1)
        for above, line in pairwise(["", *lines])
    )
