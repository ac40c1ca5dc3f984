"""Which lines two texts have in common, in order, by Bram Cohen's patience diff: equal lines at both
ends first, then the lines that occur once in each text, then what is between them; where no line
occurs once, and they are few, what difflib finds. Its time is near-linear in the length of the
texts; difflib's alone is cubic at worst, and replies may be hostile.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from bot.change.edits.lines import count_equal_ends

Pair = tuple[int, int]
_Run = tuple[Pair, "_Run | None"]
"""A pair, and the run of pairs before it."""

_MAX_DEPTH = 8
"""Between lines that occur once, others become so, and hostile text could make that go on."""
_MAX_COMPARED = 2_500
"""Pairs of lines, of two parts without a line that occurs once."""


def align(old: Sequence[str], new: Sequence[str], *, depth: int = _MAX_DEPTH) -> list[Pair]:
    """Pairs (i, j) with old[i] == new[j], both ascending: the lines that stay. `depth` is how often
    the text between lines that occur once is looked at in the same way."""
    top, bottom = count_equal_ends(old, new)
    old_end, new_end = len(old) - bottom, len(new) - bottom
    inner = _align_inner(old[top:old_end], new[top:new_end], depth)
    return [
        *((number, number) for number in range(top)),
        *((top + i, top + j) for i, j in inner),
        *((old_end + number, new_end + number) for number in range(bottom)),
    ]


def _align_inner(old: Sequence[str], new: Sequence[str], depth: int) -> list[Pair]:
    """The pairs of two texts that begin and end with different lines."""
    anchors = _find_anchors(old, new) if old and new and depth else []
    if not anchors:
        return _align_few(old, new) if 0 < len(old) * len(new) <= _MAX_COMPARED else []
    pairs = list(anchors)
    for (i, j), (k, m) in pairwise([(-1, -1), *anchors, (len(old), len(new))]):
        if i + 1 < k and j + 1 < m:
            between = align(old[i + 1 : k], new[j + 1 : m], depth=depth - 1)
            pairs += [(i + 1 + x, j + 1 + y) for x, y in between]
    return sorted(pairs)


def _align_few(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return [(i + step, j + step) for i, j, size in blocks for step in range(size)]


def _find_anchors(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """The longest run of lines that occur once in each text and come in the same order in both, by
    patience sorting."""
    old_counts, new_counts = Counter(old), Counter(new)
    places = {line: j for j, line in enumerate(new) if new_counts[line] == 1}
    tops: list[int] = []
    runs: list[_Run] = []
    for i, line in enumerate(old):
        if old_counts[line] > 1 or line not in places:
            continue
        j = places[line]
        pile = bisect_left(tops, j)
        tops[pile : pile + 1] = [j]
        runs[pile : pile + 1] = [((i, j), runs[pile - 1] if pile else None)]
    anchors: list[Pair] = []
    run = runs[-1] if runs else None
    while run is not None:
        pair, run = run
        anchors.append(pair)
    return anchors[::-1]
