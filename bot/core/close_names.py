"""Names that are nearly another one, to suggest where somebody misspelt it.

difflib compares in time that is cubic in the length of two names at worst, and names come from repositories and
replies: the ends of names are compared, and only of the few that share most characters.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from heapq import nlargest
from itertools import islice

MAX_CHARS = 100
_MAX_KNOWN = 20_000
_MAX_COMPARED = 50


def close_names(name: str, known: Iterable[str], *, most: int, least_likeness: float) -> list[str]:
    """Up to `most` of the known names, the likest first. The likeness is difflib's ratio, from 0 to 1."""
    matcher = SequenceMatcher(None, "", name[-MAX_CHARS:])
    likely: list[tuple[float, str]] = []
    for other in islice(known, _MAX_KNOWN):
        matcher.set_seq1(other[-MAX_CHARS:])
        if matcher.real_quick_ratio() >= least_likeness and (bound := matcher.quick_ratio()) >= least_likeness:
            likely.append((bound, other))
    likeness: list[tuple[float, str]] = []
    for _, other in nlargest(_MAX_COMPARED, likely):
        matcher.set_seq1(other[-MAX_CHARS:])
        likeness.append((matcher.ratio(), other))
    return [other for ratio, other in nlargest(most, likeness) if ratio >= least_likeness]
