"""Where in a file an edit's search stands: exactly, or with one tolerance, and only where that is
the only place.

The ladder goes up in risk. The first rung on which anything matches decides: one place is taken,
several are told apart by a diff's line number or heading, or refused. Nothing is matched by
likeness.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

from bot.change.edits.lines import (
    Key,
    Text,
    blank_ends,
    collapsed,
    exact,
    folded,
    joined,
    signs,
    split,
    trimmed,
    unindented,
)
from bot.types.reply import Edit

LADDER: tuple[tuple[Key, bool], ...] = (
    (exact, False),
    (trimmed, False),
    (exact, True),
    (trimmed, True),
    (folded, False),
    (folded, True),
    (unindented, True),
    (collapsed, True),
)
"""How lines are compared, and whether blank lines around the search are left out."""

_MAX_PLACES = 200
_MAX_PARTS = 20
_LEAST_BEGINNING = 40
"""The length from which an anchor may be only the beginning of its line."""
_NS_OF_A_SEARCHED_CHAR = 3
_NS_OF_A_DEPTH = 60
LEAST_SIGNS = 8
"""The least letters and digits by which part of a line, or of a search, is known."""
_ELISION = re.compile(r"\s*+(?:#|//|/\*|<!--|--|;|%)?\s*+[\[(<]?(?:\.\.\.|…)(?:[^.…].{0,80})?")
_NUMBERED = re.compile(r"\s{0,8}(\d{1,7})(?:\s?[|:│→]|\t) ?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Match:
    """Lines [start, end) of the file are what the search means; `search` has as many lines."""

    start: int
    end: int
    search: Text
    replace: Text
    key: Key


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No single place. `lines` are the 1-based lines of the several ones."""

    reason: Literal["absent", "ambiguous"]
    lines: tuple[int, ...] = ()


def find(text: Text, edit: Edit, *, trust_line: bool = True) -> Match | NoMatch:
    """The one place that the edit's search means."""
    line = edit.line if trust_line else None
    for candidate in (edit, *_unnumbered(edit)):
        search, replacement = split(candidate.search), split(candidate.replace)
        found = _climb(text, search, replacement, line, edit.anchors)
        if isinstance(found, Match) or found.reason == "ambiguous":
            return found
    return _find_elided(text, split(edit.search), split(edit.replace))


def _climb(
    text: Text, search: Text, replacement: Text, line: int | None, anchors: Sequence[str]
) -> Match | NoMatch:
    top, bottom = blank_ends(search.bodies)
    core = search.bodies[top : len(search.bodies) - bottom]
    for key, trims in LADDER if core else ():
        starts = places(text, core if trims else search.bodies, key)
        if len(starts) > 1:
            starts = _told_apart(
                text, starts, None if line is None else line - 1 + top * trims, anchors
            )
        if len(starts) > 1:
            return NoMatch("ambiguous", tuple(start + 1 for start in starts))
        if starts and trims:
            return _with_blank_ends(text, starts[0], search, replacement, key)
        if starts:
            return Match(starts[0], starts[0] + len(search.bodies), search, replacement, key)
    return NoMatch("absent")


def _with_blank_ends(text: Text, start: int, search: Text, replacement: Text, key: Key) -> Match:
    """The place of a search whose core stands at `start`: of the blank lines around the core those
    that the file has belong to it; those that it has not are taken off the replacement too."""
    top, bottom = blank_ends(search.bodies)
    end = start + len(search.bodies) - top - bottom
    above = blank_ends(text.bodies[max(0, start - top) : start][::-1])[0]
    below = blank_ends(text.bodies[end : end + bottom])[0]
    top_new, bottom_new = blank_ends(replacement.bodies)
    sought = _slice(search, top - above, bottom - below)
    wanted = _slice(replacement, min(top - above, top_new), min(bottom - below, bottom_new))
    return Match(start - above, end + below, sought, wanted, key)


def places(text: Text, lines: Sequence[str], key: Key, *, most: int = _MAX_PLACES) -> list[int]:
    """The 0-based lines where `lines` stand, compared by `key`; `most` at most."""
    needle, hay = joined(map(key, lines)), text.keyed(key)
    text.spend(_NS_OF_A_SEARCHED_CHAR * len(hay))
    found: list[int] = []
    position, line = 0, 0
    while len(found) < most:
        text.spend(_NS_OF_A_SEARCHED_CHAR * len(needle))
        start = hay.find(needle, position)
        if start < 0:
            break
        line += hay.count("\n", position, start)
        found.append(line)
        position, line = start + 1, line + 1
    return found


def _told_apart(
    text: Text, starts: list[int], line: int | None, anchors: Sequence[str]
) -> list[int]:
    if line in starts:
        return [line]
    if not anchors:
        return starts
    inside, below = _scoped(text, starts, anchors)
    for some in (inside, below):
        if len(some) == 1:
            return some
    return starts


def _scoped(text: Text, starts: list[int], anchors: Sequence[str]) -> tuple[list[int], list[int]]:
    """Which starts are inside what the innermost anchor opens, and which are anywhere below it."""
    spans = [(-1, len(text.bodies))]
    for anchor in anchors:
        lines = _lines_of(text, anchor)
        within = (span for outer in spans for span in _spans(text, lines, outer))
        spans = list(islice(within, _MAX_PLACES))
    inside = [start for start in starts if any(first < start < last for first, last in spans)]
    below = [start for start in starts if len(spans) == 1 and start > spans[0][0]]
    return inside, below


def _lines_of(text: Text, anchor: str) -> list[int]:
    """The 0-based lines that are the anchor, or begin with it where it is long."""
    wanted, hay = "\n" + unindented(anchor), text.keyed(unindented)
    text.spend(_NS_OF_A_SEARCHED_CHAR * len(hay))
    found: list[int] = []
    position, line = hay.find(wanted), 0
    counted = 0
    while 0 <= position < len(hay) - 1:
        line, counted = line + hay.count("\n", counted, position), position
        if len(wanted) > _LEAST_BEGINNING or hay.startswith("\n", position + len(wanted)):
            found.append(line)
        position = hay.find(wanted, position + 1)
    return found


def _spans(text: Text, lines: Sequence[int], outer: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """For each of the lines within: it, and the next line that is indented no deeper."""
    depths = text.depths
    for first in lines[bisect_right(lines, outer[0]) : bisect_left(lines, outer[1])]:
        depth = depths[first]
        end = next((line for line in range(first + 1, outer[1]) if depths[line] <= depth), outer[1])
        text.spend(_NS_OF_A_DEPTH * (end - first))
        yield first, end


def _slice(text: Text, top: int, bottom: int) -> Text:
    end = len(text.bodies) - bottom
    return Text("", text.bodies[top:end], text.ends[top:end])


def _unnumbered(edit: Edit) -> Iterator[Edit]:
    """The edit without the line numbers that its search was copied with."""
    search = _strip_numbers(edit.search, must=True)
    if search is not None:
        replacement = _strip_numbers(edit.replace, must=False)
        yield Edit(
            "replace", edit.path, search, replacement or "", line=edit.line, anchors=edit.anchors
        )


def _strip_numbers(text: str, *, must: bool) -> str | None:
    lines = text.split("\n")
    found = [_NUMBERED.fullmatch(line) for line in lines]
    numbers = [int(match[1]) for match in found if match]
    rising = all(after == before + 1 for before, after in pairwise(numbers))
    whole = all(match or not line for match, line in zip(found, lines, strict=True))
    if must and not (numbers and rising and whole):
        return None
    return "\n".join(match[2] if match else line for match, line in zip(found, lines, strict=True))


def _find_elided(text: Text, search: Text, replacement: Text) -> Match | NoMatch:
    """The place of a search that leaves lines out with `...`: the one stretch that holds its parts
    in order, as near to each other as they stand.

    Where the replacement leaves out as many times, the file's own lines stay there; where it does
    not at all, the whole of the place gives way to it.
    """
    parts, new_parts = _parts(search.bodies), _parts(replacement.bodies)
    for end in (0, -1):
        if (
            len(parts) > 1
            and len(new_parts) > 1
            and not any(map(str.strip, parts[end] + new_parts[end]))
        ):
            del parts[end], new_parts[end]
    if len(parts) == len(new_parts) == 1:
        return _climb(text, _text(parts[0]), _text(new_parts[0]), None, ())
    if (
        not 2 <= len(parts) <= _MAX_PARTS
        or len(new_parts) not in (1, len(parts))
        or not all(any(map(str.strip, part)) for part in parts)
    ):
        return NoMatch("absent")
    for key in (exact, trimmed, folded):
        stretches = _stretches(parts, [places(text, part, key) for part in parts])
        if len(stretches) > 1:
            return NoMatch("ambiguous", tuple(starts[0] + 1 for starts in stretches))
        if stretches:
            return _filled(text, parts, new_parts, stretches[0], key)
    return NoMatch("absent")


def _stretches(parts: list[list[str]], spots: list[list[int]]) -> list[list[int]]:
    """Where the parts stand in order: for each end the nearest start. A part of few signs must
    stand only once."""
    if any(
        len(spot) > 1 and signs(part) < LEAST_SIGNS for part, spot in zip(parts, spots, strict=True)
    ):
        return []
    shortest: dict[int, list[int]] = {}
    for first in spots[0]:
        starts = [first]
        for part, spot in zip(parts, spots[1:], strict=False):
            nearest = bisect_left(spot, starts[-1] + len(part))
            starts.extend(spot[nearest : nearest + 1])
        if len(starts) == len(parts):
            shortest[starts[-1]] = starts
    return list(shortest.values())


def _filled(
    text: Text, parts: list[list[str]], new_parts: list[list[str]], starts: list[int], key: Key
) -> Match:
    gaps = [
        text.bodies[start + len(part) : after]
        for start, part, after in zip(starts, parts, starts[1:], strict=False)
    ]
    search = [
        *parts[0],
        *(line for gap, part in zip(gaps, parts[1:], strict=True) for line in (*gap, *part)),
    ]
    replacement = [*new_parts[0]]
    if len(new_parts) > 1:
        replacement.extend(
            line for gap, part in zip(gaps, new_parts[1:], strict=True) for line in (*gap, *part)
        )
    return Match(starts[0], starts[0] + len(search), _text(search), _text(replacement), key)


def _text(lines: Sequence[str]) -> Text:
    return Text("", list(lines), ["\n"] * len(lines))


def leaves_out(lines: Sequence[str]) -> bool:
    """Whether a line stands for others, as `...` does."""
    return len(_parts(lines)) > 1


def _parts(lines: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if len(line) < 200 and _ELISION.fullmatch(line):
            parts.append([])
        else:
            parts[-1].append(line)
    return parts


def find_within_lines(text: str, search: str) -> int | None:
    """Where a search that is part of a line (or runs over several) stands: exactly, once, and not
    inside a word."""
    search = search.removesuffix("\n")
    if signs(search) < LEAST_SIGNS:
        return None
    start = text.find(search)
    if start < 0 or text.find(search, start + 1) >= 0:
        return None
    around = (
        text[max(0, start - 1) : start] + search[0],
        search[-1] + text[start + len(search) :][:1],
    )
    return (
        None
        if any(len(pair) == 2 and pair.replace("_", "a").isalnum() for pair in around)
        else start
    )
