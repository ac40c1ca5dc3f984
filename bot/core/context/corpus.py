"""How rare each of the task's terms is in this repository, and the first, quick score of every file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.context.contents import BODY, DEFINED
from bot.core.context.path_words import IN_DIRECTORY, IN_NAME, WORDS
from bot.core.context.paths import Kind
from bot.core.context.scan import Scan

_K1 = 1.2
_B = 0.6
_DEFINED = 3.0
"""How many uses in the text one definition is worth."""
_PLACE = {IN_NAME: 0.8, IN_DIRECTORY: 0.4}
"""What a stem in the path is worth."""
KIND_FACTOR: dict[Kind, float] = {
    "source": 1.0,
    "config": 0.4,
    "test": 0.4,
    "docs": 0.35,
    "example": 0.4,
    "other": 0.3,
    "generated": 0.2,
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """`weights`: the task's weight of a term times its rarity among the source files' texts."""

    weights: Mapping[str, float]
    average_length: float
    defined_in: Mapping[str, int]
    """How many source files define the term."""

    def saturated(self, count: float, length: int) -> float:
        """BM25's: the first uses of a term count most, and less in a long file."""
        share = count / self.norm(length)
        return share / (1 + share)

    def norm(self, length: int) -> float:
        return _K1 * (1 - _B + _B * length / self.average_length)


def rarity(count: int, total: int) -> float:
    return math.log(1 + (max(total, count) - count + 0.5) / (count + 0.5))


def read_corpus(scan: Scan, terms: Mapping[str, float]) -> Corpus:
    """By the source files; by all files where none is source."""
    lengths = {path: scan.contents.notes[number] for path, number in scan.content_of.items()}
    sources = [path for path in lengths if scan.kinds[path] == "source" and lengths[path]] or [*scan.kinds]
    files_of = Counter(scan.content_of[path] for path in sources if path in scan.content_of)

    def files_with(field: str, term: str) -> int:
        return sum(map(files_of.__getitem__, scan.contents.counts(field, term)))

    return Corpus(
        weights={term: weight * rarity(files_with(BODY, term), len(sources)) for term, weight in terms.items()},
        average_length=sum(lengths.get(path, 0) for path in sources) / max(1, len(sources)) or 1.0,
        defined_in={term: files_with(DEFINED, term) for term in terms},
    )


def first_scores(scan: Scan, corpus: Corpus) -> dict[str, float]:
    """By the words of text, definitions and path alone: enough to find the sixty files worth a closer look."""
    texts, places = _text_scores(scan, corpus), _path_scores(scan, corpus)
    return {
        path: (texts[scan.content_of.get(path, -1)] + places[scan.paths.numbers[path]]) * KIND_FACTOR[kind]
        for path, kind in scan.kinds.items()
    }


def _text_scores(scan: Scan, corpus: Corpus) -> list[float]:
    """By the content's number; the last is that of no content."""
    norms = [corpus.norm(length) for length in scan.contents.notes]
    scores = [0.0] * (len(norms) + 1)
    for term, weight in corpus.weights.items():
        defined = scan.contents.counts(DEFINED, term)
        for number, count in scan.contents.counts(BODY, term).items():
            share = (count + _DEFINED * defined.get(number, 0)) / norms[number]
            scores[number] += weight * (share / (1 + share))
    return scores


def _path_scores(scan: Scan, corpus: Corpus) -> list[float]:
    """By the path's number."""
    scores = [0.0] * len(scan.paths.notes)
    for term, weight in corpus.weights.items():
        for number, place in scan.paths.counts(WORDS, term).items():
            scores[number] += weight * _PLACE[place]
    return scores
