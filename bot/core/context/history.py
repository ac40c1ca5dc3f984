"""What earlier commits tell: those that speak of the same things touched the files that matter.

The strongest hint there is beyond the text itself: people describe a change in the words of the issues to come, which
are often not the words of the code.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from bot.core.context.corpus import rarity
from bot.core.context.words import parts_of, split_words
from bot.core.tree import PastCommit

MAX_COMMITS = 300
_MAX_MESSAGE_CHARS = 3_000
_MAX_PATHS = 30
"""A commit that touches more says nothing of any."""
_MOST_ALIKE = 60


def votes(commits: Sequence[PastCommit], terms: Mapping[str, float]) -> dict[str, float]:
    """By path: the sum over the commits most like the task of how alike they are, shared among the files of each."""
    told = [commit for commit in commits[:MAX_COMMITS] if 0 < len(commit.paths) < _MAX_PATHS]
    said = [_stems(commit.message) for commit in told]
    seen = Counter(stem for stems in said for stem in stems)
    weights = {stem: terms[stem] * rarity(count, len(told)) for stem, count in seen.items() if stem in terms}
    average = sum(sum(stems.values()) for stems in said) / max(1, len(said)) or 1.0
    alike = [_likeness(stems, weights, average) for stems in said]
    best = max(alike, default=0.0)
    votes: dict[str, float] = defaultdict(float)
    order = sorted(range(len(told)), key=lambda n: (-alike[n], n))[:_MOST_ALIKE]
    for n in order:
        if alike[n] > 0:
            for path in told[n].paths:
                votes[path] += (alike[n] / best) ** 2 / len(told[n].paths) ** 0.5
    return dict(votes)


def _stems(message: str) -> Counter[str]:
    words = split_words(message[:_MAX_MESSAGE_CHARS].encode("utf-8", "replace"))
    return Counter(part for word in words for part in parts_of(word.decode("utf-8", "replace")))


def _likeness(stems: Counter[str], weights: Mapping[str, float], average: float) -> float:
    norm = 1.2 * (0.4 + 0.6 * sum(stems.values()) / average)
    return sum(weights[stem] * stems[stem] / (stems[stem] + norm) for stem in stems.keys() & weights.keys())
