"""Which lines two versions of a text share, in time near-linear in their length, whatever they hold.

difflib is cubic at its worst, and replies are hostile: this pairs what stands at both ends, then the lines that occur
once in each version in their longest rising order, and goes on between them (Bram Cohen's patience diff).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

Pair = tuple[int, int]

_MOST_PASSES = 8
"""Between anchors, further lines become unique; text made to drag that out is cut short here: as often is each line
looked at for anchors, on average."""


def align(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """Pairs (i, j) with old[i] == new[j], both rising."""
    pairs: list[Pair] = []
    spans = [(0, len(old), 0, len(new))]
    left = _MOST_PASSES * (len(old) + len(new))
    while spans:
        a, b, c, d = spans.pop()
        while a < b and c < d and old[a] == new[c]:
            pairs.append((a, c))
            a, c = a + 1, c + 1
        while a < b and c < d and old[b - 1] == new[d - 1]:
            b, d = b - 1, d - 1
            pairs.append((b, d))
        left -= b - a + d - c
        anchors = _anchors(old[a:b], new[c:d]) if left >= 0 else []
        if anchors:
            pairs.extend((a + i, c + j) for i, j in anchors)
            for (i, j), (k, m) in zip([(-1, -1), *anchors], [*anchors, (b - a, d - c)], strict=True):
                spans.append((a + i + 1, a + k, c + j + 1, c + m))
    return sorted(pairs)


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """The longest rising run of lines that occur once in each."""
    if not old or not new:
        return []
    in_old, in_new = Counter(old), Counter(new)
    at = {line: j for j, line in enumerate(new) if in_new[line] == 1}
    unique = [(i, at[line]) for i, line in enumerate(old) if in_old[line] == 1 and line in at]
    return _longest_rising(unique)


def _longest_rising(pairs: list[Pair]) -> list[Pair]:
    tails: list[int] = []
    tops: list[int] = []
    before: list[int | None] = []
    for number, (_, j) in enumerate(pairs):
        pile = bisect_left(tails, j)
        before.append(tops[pile - 1] if pile else None)
        if pile == len(tails):
            tails.append(j)
            tops.append(number)
        else:
            tails[pile], tops[pile] = j, number
    run: list[Pair] = []
    step = tops[-1] if tops else None
    while step is not None:
        run.append(pairs[step])
        step = before[step]
    return run[::-1]
