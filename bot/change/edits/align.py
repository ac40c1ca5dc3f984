"""Which lines two texts have in common, in order, by Bram Cohen's patience diff: equal lines at both
ends first, then the lines that occur once in each text, then what is between them; where no line
occurs once, and they are few, a longest common subsequence. Its time is near-linear in the length of
the texts; difflib's is cubic at worst, and replies may be hostile.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

Pair = tuple[int, int]

_MAX_PASSES = 8
"""How often each line is looked at for anchors, on average: between anchors further lines become
unique, and hostile text could make that go on."""
_MAX_COMPARED = 2_500
"""Pairs of lines, of two parts without a line that occurs once."""


def align(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """Pairs (i, j) with old[i] == new[j], both ascending: the lines that stay."""
    pairs: list[Pair] = []
    spans = [(0, len(old), 0, len(new))]
    lines_left = _MAX_PASSES * (len(old) + len(new))
    while spans:
        old_start, old_end, new_start, new_end = spans.pop()
        while old_start < old_end and new_start < new_end and old[old_start] == new[new_start]:
            pairs.append((old_start, new_start))
            old_start, new_start = old_start + 1, new_start + 1
        while old_start < old_end and new_start < new_end and old[old_end - 1] == new[new_end - 1]:
            old_end, new_end = old_end - 1, new_end - 1
            pairs.append((old_end, new_end))
        lines_left -= old_end - old_start + new_end - new_start
        if lines_left < 0:
            continue
        old_part, new_part = old[old_start:old_end], new[new_start:new_end]
        found = _find_anchors(old_part, new_part)
        if not found:
            common = _common_subsequence(old_part, new_part)
            pairs.extend((old_start + i, new_start + j) for i, j in common)
            continue
        anchors = [(old_start + i, new_start + j) for i, j in found]
        pairs.extend(anchors)
        starts = [(old_start, new_start), *((i + 1, j + 1) for i, j in anchors)]
        ends = [*anchors, (old_end, new_end)]
        for (i, j), (k, m) in zip(starts, ends, strict=True):
            spans.append((i, k, j, m))
    return sorted(pairs)


def _find_anchors(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """The longest ascending run of lines that occur once in each."""
    if not old or not new:
        return []
    old_counts, new_counts = Counter(old), Counter(new)
    new_places = {line: j for j, line in enumerate(new) if new_counts[line] == 1}
    unique = [
        (i, new_places[line])
        for i, line in enumerate(old)
        if old_counts[line] == 1 and line in new_places
    ]
    return _longest_ascending(unique)


def _common_subsequence(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """The longest one; none of texts that are long."""
    if len(old) * len(new) > _MAX_COMPARED:
        return []
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            lengths[i][j] = (
                lengths[i + 1][j + 1] + 1
                if old[i] == new[j]
                else max(lengths[i + 1][j], lengths[i][j + 1])
            )
    pairs, i, j = [], 0, 0
    while i < len(old) and j < len(new):
        if old[i] == new[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _longest_ascending(pairs: list[Pair]) -> list[Pair]:
    """The longest run of pairs whose second numbers ascend (patience sorting); their first ones do
    already."""
    tails: list[int] = []
    tops: list[int] = []
    previous: list[int | None] = []
    for number, (_, j) in enumerate(pairs):
        pile = bisect_left(tails, j)
        previous.append(tops[pile - 1] if pile else None)
        if pile == len(tails):
            tails.append(j)
            tops.append(number)
        else:
            tails[pile], tops[pile] = j, number
    run: list[Pair] = []
    step = tops[-1] if tops else None
    while step is not None:
        run.append(pairs[step])
        step = previous[step]
    return run[::-1]
