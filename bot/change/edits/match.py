"""Where in a file the search text of an edit is: exactly, or with one tolerance, and only if that
place is the only one.

The tolerances are tried in the order of their risk, and the first that finds anything decides: one
place is taken; several are distinguished by a diff's line number or heading, or rejected. Nothing is
matched by similarity.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

from bot.change.edits.lines import (
    LineKey,
    Text,
    collapsed,
    count_alphanumerics,
    count_blank_ends,
    exact,
    folded,
    is_blank,
    join_lines,
    split_lines,
    text_of,
    trimmed,
    unindented,
)
from bot.types.reply import Edit

MIN_ALPHANUMERICS = 8
"""The fewest letters and digits by which part of a line, or of a search, is recognized."""

_TOLERANCES: tuple[tuple[LineKey, bool], ...] = (
    (exact, False),
    (trimmed, False),
    (exact, True),
    (trimmed, True),
    (folded, False),
    (folded, True),
    (unindented, True),
    (collapsed, True),
)
"""How lines are compared, and whether blank lines around the search are ignored."""
_ELISION_TOLERANCES: tuple[LineKey, ...] = (exact, trimmed, folded)
_MAX_PLACES = 200
_MAX_ELIDED_PARTS = 20
_MAX_ELISION_CHARS = 200
_MIN_ANCHOR_PREFIX_CHARS = 40
"""An anchor of this length may be only the beginning of its line."""
_NS_PER_SEARCHED_CHAR = 3
_NS_PER_DEPTH = 60
_ELISION = re.compile(r"\s*+(?:#|//|/\*|<!--|--|;|%)?\s*+[\[(<]?(?:\.\.\.|…)(?:[^.…].{0,80})?")
"""A line that stands for omitted lines, such as `...` and `# ... rest of the class ...`."""
_NUMBERED_LINE = re.compile(r"\s{0,8}(\d{1,7})(?:\s?[|:│→]|\t) ?(.*)", re.DOTALL)

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


@dataclass(frozen=True, slots=True)
class NoMatch:
    """There is not exactly one place. `lines` are the 1-based first lines of several ones."""

    reason: Literal["absent", "ambiguous"]
    lines: tuple[int, ...] = ()


def find_match(text: Text, edit: Edit, *, trust_line: bool = True) -> Match | NoMatch:
    """The only place that the edit's search means. `trust_line`: whether `edit.line` may decide
    between several."""
    line = edit.line if trust_line else None
    search, replacement = split_lines(edit.search), split_lines(edit.replace)
    found = _find_lines(text, search, replacement, line, edit.anchors)
    if not _is_absent(found):
        return found
    unnumbered = _strip_line_numbers(edit)
    if unnumbered:
        found = _find_lines(text, *unnumbered, line, edit.anchors)
        if not _is_absent(found):
            return found
    return _find_elided(text, search, replacement)


def _is_absent(found: Match | NoMatch) -> bool:
    return isinstance(found, NoMatch) and found.reason == "absent"


def find_lines(
    text: Text, lines: Sequence[str], key: LineKey, *, most: int = _MAX_PLACES
) -> list[int]:
    """The 0-based lines of the text where `lines` are, compared by `key`; `most` at most."""
    sought, content = join_lines(map(key, lines)), text.join_by_key(key)
    text.spend(_NS_PER_SEARCHED_CHAR * len(content))
    found: list[int] = []
    position, line = 0, 0
    while len(found) < most:
        text.spend(_NS_PER_SEARCHED_CHAR * len(sought))
        start = content.find(sought, position)
        if start < 0:
            break
        line += content.count("\n", position, start)
        found.append(line)
        position, line = start + 1, line + 1
    return found


def find_within_lines(text: str, search: str) -> int | None:
    """The offset of a search that is part of a line, or runs over several: exactly, once, and not
    inside a word."""
    search = search.removesuffix("\n")
    if count_alphanumerics(search) < MIN_ALPHANUMERICS:
        return None
    start = text.find(search)
    if start < 0 or text.find(search, start + 1) >= 0:
        return None
    before = text[max(0, start - 1) : start]
    after = text[start + len(search) :][:1]
    if _is_inside_word(before, search[0]) or _is_inside_word(search[-1], after):
        return None
    return start


def _is_inside_word(left: str, right: str) -> bool:
    if not left or not right:
        return False
    return (left + right).replace("_", "a").isalnum()


def has_elision(lines: Sequence[str]) -> bool:
    """Whether a line stands for omitted ones, as `...` does."""
    return len(_split_at_elisions(lines)) > 1


def _find_lines(
    text: Text, search: Text, replacement: Text, line: int | None, anchors: Sequence[str]
) -> Match | NoMatch:
    top, bottom = count_blank_ends(search.bodies)
    core = search.bodies[top : len(search.bodies) - bottom]
    if not core:
        return NoMatch("absent")
    for key, ignores_blank_ends in _TOLERANCES:
        starts = find_lines(text, core if ignores_blank_ends else search.bodies, key)
        if len(starts) > 1:
            first = None
            if line is not None:
                first = line - 1 + (top if ignores_blank_ends else 0)
            starts = _disambiguate(text, starts, first, anchors)
        if len(starts) > 1:
            return NoMatch("ambiguous", tuple(start + 1 for start in starts))
        if starts and ignores_blank_ends:
            return _match_blank_ends(text, starts[0], search, replacement, key)
        if starts:
            return Match(starts[0], starts[0] + len(search.bodies), search, replacement, key)
    return NoMatch("absent")


def _match_blank_ends(
    text: Text, start: int, search: Text, replacement: Text, key: LineKey
) -> Match:
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


def _disambiguate(
    text: Text, starts: list[int], line: int | None, anchors: Sequence[str]
) -> list[int]:
    """The only start that the line number or the anchors mean, or else all of them."""
    if line in starts:
        return [line]
    if not anchors:
        return starts
    spans = _anchored_spans(text, anchors)
    inside = [start for start in starts if any(first < start < end for first, end in spans)]
    if len(inside) == 1:
        return inside
    if len(spans) == 1:
        first, _ = spans[0]
        below = [start for start in starts if start > first]
        if len(below) == 1:
            return below
    return starts


def _anchored_spans(text: Text, anchors: Sequence[str]) -> list[_Span]:
    """The spans that the innermost anchor opens, inside those of the anchors before it."""
    spans: list[_Span] = [(-1, len(text.bodies))]
    for anchor in anchors:
        lines = _find_anchor(text, anchor)
        inner = (span for outer in spans for span in _indented_spans(text, lines, outer))
        spans = list(islice(inner, _MAX_PLACES))
    return spans


def _find_anchor(text: Text, anchor: str) -> list[int]:
    """The 0-based lines that equal the anchor, or begin with it if it is long."""
    sought, content = "\n" + unindented(anchor), text.join_by_key(unindented)
    text.spend(_NS_PER_SEARCHED_CHAR * len(content))
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


def _indented_spans(text: Text, lines: Sequence[int], outer: _Span) -> Iterator[_Span]:
    """For each of the lines inside `outer`: the line itself, and the next one that is not indented
    deeper."""
    depths = text.depths
    outer_first, outer_end = outer
    for first in lines[bisect_right(lines, outer_first) : bisect_left(lines, outer_end)]:
        end = first + 1
        while end < outer_end and depths[end] > depths[first]:
            end += 1
        text.spend(_NS_PER_DEPTH * (end - first))
        yield first, end


def _strip_line_numbers(edit: Edit) -> tuple[Text, Text] | None:
    """Search and replacement without line numbers, if each line of the search begins with one and
    they are consecutive: models copy them from what they were shown."""
    numbers: list[int] = []
    for line in edit.search.split("\n"):
        match = _NUMBERED_LINE.fullmatch(line)
        if match:
            numbers.append(int(match[1]))
        elif line:
            return None
    is_consecutive = all(after == before + 1 for before, after in pairwise(numbers))
    if not numbers or not is_consecutive:
        return None
    return _without_numbers(edit.search), _without_numbers(edit.replace)


def _without_numbers(text: str) -> Text:
    lines = text.split("\n")
    for index, line in enumerate(lines):
        match = _NUMBERED_LINE.fullmatch(line)
        if match:
            lines[index] = match[2]
    return split_lines("\n".join(lines))


def _find_elided(text: Text, search: Text, replacement: Text) -> Match | NoMatch:
    """The match of a search that omits lines with `...`: the only stretch of the file that holds
    its parts in order, as near to each other as they are.

    If the replacement omits lines as many times, the file's own lines stay there; if it omits none,
    it replaces the whole stretch.
    """
    parts = _split_at_elisions(search.bodies)
    new_parts = _split_at_elisions(replacement.bodies)
    _drop_blank_ends(parts, new_parts)
    if len(parts) == len(new_parts) == 1:
        return _find_lines(text, text_of(parts[0]), text_of(new_parts[0]), None, ())
    if not 2 <= len(parts) <= _MAX_ELIDED_PARTS or any(map(_are_blank, parts)):
        return NoMatch("absent")
    if len(new_parts) not in (1, len(parts)):
        return NoMatch("absent")
    for key in _ELISION_TOLERANCES:
        starts_of = [find_lines(text, part, key) for part in parts]
        stretches = _find_stretches(parts, starts_of)
        if len(stretches) > 1:
            return NoMatch("ambiguous", tuple(starts[0] + 1 for starts in stretches))
        if stretches:
            return _fill_omissions(text, parts, new_parts, stretches[0], key)
    return NoMatch("absent")


def _split_at_elisions(lines: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if len(line) < _MAX_ELISION_CHARS and _ELISION.fullmatch(line):
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def _drop_blank_ends(parts: list[list[str]], new_parts: list[list[str]]) -> None:
    """Removes a first or last part that is blank on both sides: the edit begins or ends with
    `...`."""
    for end in (0, -1):
        has_several = len(parts) > 1 and len(new_parts) > 1
        if has_several and _are_blank(parts[end]) and _are_blank(new_parts[end]):
            del parts[end], new_parts[end]


def _are_blank(lines: Sequence[str]) -> bool:
    return all(map(is_blank, lines))


def _find_stretches(
    parts: Sequence[Sequence[str]], starts_of: Sequence[Sequence[int]]
) -> list[list[int]]:
    """The starts of the parts where they are in order; of several with the same end, the shortest.
    None are found if a part with few letters and digits is at several places."""
    for part, places in zip(parts, starts_of, strict=True):
        if len(places) > 1 and count_alphanumerics(part) < MIN_ALPHANUMERICS:
            return []
    shortest: dict[int, list[int]] = {}
    for first in starts_of[0]:
        starts = [first]
        for part, places in zip(parts, starts_of[1:], strict=False):
            nearest = bisect_left(places, starts[-1] + len(part))
            starts.extend(places[nearest : nearest + 1])
        if len(starts) == len(parts):
            shortest[starts[-1]] = starts
    return list(shortest.values())


def _fill_omissions(
    text: Text,
    parts: Sequence[Sequence[str]],
    new_parts: Sequence[Sequence[str]],
    starts: Sequence[int],
    key: LineKey,
) -> Match:
    """The match with the file's own lines for each `...`."""
    search = list(parts[0])
    replacement = list(new_parts[0])
    for index in range(1, len(parts)):
        first_omitted = starts[0] + len(search)
        omitted = text.bodies[first_omitted : starts[index]]
        search += omitted
        search += parts[index]
        if len(new_parts) > 1:
            replacement += omitted
            replacement += new_parts[index]
    end = starts[0] + len(search)
    return Match(starts[0], end, text_of(search), text_of(replacement), key)
