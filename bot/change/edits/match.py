"""Where in a file the search text of an edit is: exactly, or with white space that differs, and only
if that place is the only one.

The tolerances are tried in the order of their risk, and the first that finds anything decides: one
place is taken; several are distinguished by a diff's line number or heading, or rejected. Nothing is
matched by similarity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from bot.change.edits.lines import (
    LineKey,
    Text,
    count_blank_ends,
    exact,
    join_lines,
    split_lines,
    trimmed,
    unindented,
)
from bot.types.reply import Edit

_TOLERANCES: tuple[tuple[LineKey, bool], ...] = (
    (exact, False),
    (trimmed, False),
    (exact, True),
    (trimmed, True),
    (unindented, True),
)
"""How lines are compared, and whether blank lines around the search are ignored."""
_MAX_PLACES = 200
_MIN_ANCHOR_PREFIX_CHARS = 40
"""An anchor of this length may be only the beginning of its line."""

_Span = tuple[int, int]
"""0-based lines (first, end) of a file."""


@dataclass(frozen=True, slots=True)
class Match:
    """Lines [start, end) of the file are what the edit means to replace. `search` has as many
    lines, equal to them by `key`."""

    start: int
    end: int
    search: Text
    replace: Text
    key: LineKey


def find_matches(text: Text, edit: Edit) -> list[Match]:
    """All places of the edit's search, by the first tolerance that finds any."""
    search, replacement = split_lines(edit.search), split_lines(edit.replace)
    top, bottom = count_blank_ends(search.bodies)
    core = search.bodies[top : len(search.bodies) - bottom]
    if not core:
        return []
    for key, ignores_blank_ends in _TOLERANCES:
        sought, offset = (core, 0) if ignores_blank_ends else (search.bodies, top)
        starts = find_lines(text, sought, key)
        if starts:
            return [_match_at(text, start + offset, search, replacement, key) for start in starts]
    return []


def choose_match(
    text: Text, matches: Sequence[Match], edit: Edit, *, trust_line: bool
) -> Match | None:
    """The match that the line number or the headings of a diff mean; None if they mean none, or not
    the same one. `trust_line`: whether the number counts."""
    by_line = [match for match in matches if trust_line and match.start + 1 == edit.line]
    by_heading = _under_anchors(text, matches, edit.anchors) if edit.anchors else []
    if by_line and (not by_heading or by_line[0] in by_heading):
        return by_line[0]
    return by_heading[0] if len(by_heading) == 1 and not by_line else None


def is_above_heading(text: Text, match: Match, anchors: Sequence[str]) -> bool:
    """Whether the innermost heading is in the file, but only below the match."""
    lines = _find_anchor(text, anchors[-1]) if anchors else []
    return bool(lines) and lines[0] >= match.end


def find_lines(
    text: Text, lines: Sequence[str], key: LineKey, *, most: int = _MAX_PLACES
) -> list[int]:
    """The 0-based lines of the text where `lines` are, compared by `key`; `most` at most."""
    sought, content = join_lines(map(key, lines)), text.join_by_key(key)
    found: list[int] = []
    position, line = 0, 0
    while len(found) < most:
        start = content.find(sought, position)
        if start < 0:
            break
        line += content.count("\n", position, start)
        found.append(line)
        position, line = start + 1, line + 1
    return found


def _match_at(text: Text, start: int, search: Text, replacement: Text, key: LineKey) -> Match:
    """The match of a search whose lines without the blank ones around them are at `start`. Blank
    lines around them that the file has too belong to the match; those that it does not have are
    also taken off the replacement."""
    top, bottom = count_blank_ends(search.bodies)
    end = start + len(search.bodies) - top - bottom
    lines_above = text.bodies[max(0, start - top) : start]
    lines_below = text.bodies[end : end + bottom]
    above, _ = count_blank_ends(lines_above[::-1])
    below, _ = count_blank_ends(lines_below)
    missing_above, missing_below = top - above, bottom - below
    new_top, new_bottom = count_blank_ends(replacement.bodies)
    found = _drop_ends(search, missing_above, missing_below)
    new = _drop_ends(replacement, min(missing_above, new_top), min(missing_below, new_bottom))
    return Match(start - above, end + below, found, new, key)


def _drop_ends(text: Text, top: int, bottom: int) -> Text:
    return text.slice(top, len(text.bodies) - bottom)


def _under_anchors(text: Text, matches: Sequence[Match], anchors: Sequence[str]) -> list[Match]:
    """The matches in the span that the innermost anchor opens, inside those of the anchors before
    it; or, if only one such line exists, those below it."""
    spans: list[_Span] = [(-1, len(text.bodies))]
    for anchor in anchors:
        lines = _find_anchor(text, anchor)[:_MAX_PLACES]
        inner = (
            (line, min(end, text.ends_of_spans[line]))
            for first, end in spans
            for line in lines
            if first < line < end
        )
        spans = list(islice(inner, _MAX_PLACES))
    inside = [m for m in matches if any(first < m.start < end for first, end in spans)]
    if inside or len(spans) != 1:
        return inside
    return [match for match in matches if match.start > spans[0][0]]


def _find_anchor(text: Text, anchor: str) -> list[int]:
    """The 0-based lines that equal the anchor, or begin with it if it is long."""
    sought, content = "\n" + unindented(anchor), text.join_by_key(unindented)
    may_be_prefix = len(sought) > _MIN_ANCHOR_PREFIX_CHARS
    found: list[int] = []
    line, counted_to = 0, 0
    position = content.find(sought)
    while 0 <= position < len(content) - 1:
        line += content.count("\n", counted_to, position)
        counted_to = position
        if may_be_prefix or content.startswith("\n", position + len(sought)):
            found.append(line)
        position = content.find(sought, position + 1)
    return found
