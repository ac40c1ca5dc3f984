"""A closer look at the likely files: how well their best piece fits, and what they share with the
task beyond words.

How rare each of the task's terms is in this repository, and the first, quick score of every file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from bot.change.context.definitions import Definition
from bot.change.context.index import (
    BODY,
    DEFINED,
    IN_DIRECTORY,
    IN_NAME,
    WORDS,
    Scan,
    Scanned,
    terms_of,
)
from bot.change.context.paths import Kind
from bot.change.context.segments import Segment, Source, cut
from bot.change.context.task import Pair, Task, phrases_of
from bot.change.context.tokenize import LONGEST_WORD, parts_of, split_words

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
    sources = [path for path in lengths if scan.kinds[path] == "source" and lengths[path]] or [
        *scan.kinds
    ]
    files_of = Counter(scan.content_of[path] for path in sources if path in scan.content_of)

    def files_with(field: str, term: str) -> int:
        return sum(map(files_of.__getitem__, scan.contents.counts(field, term)))

    return Corpus(
        weights={
            term: weight * rarity(files_with(BODY, term), len(sources))
            for term, weight in terms.items()
        },
        average_length=sum(lengths.get(path, 0) for path in sources) / max(1, len(sources)) or 1.0,
        defined_in={term: files_with(DEFINED, term) for term in terms},
    )


def first_scores(scan: Scan, corpus: Corpus) -> dict[str, float]:
    """By the words of text, definitions and path alone: enough to find the sixty files worth a
    closer look."""
    texts, places = _text_scores(scan, corpus), _path_scores(scan, corpus)
    return {
        path: (texts[scan.content_of.get(path, -1)] + places[scan.paths.numbers[path]])
        * KIND_FACTOR[kind]
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


_OWN_NAME = 3.0
_PARENTS_NAME = 1.0
"""How many uses in a piece it is worth that its own definition, or the one around it, is called
so."""
_LONG_PIECE = 120
"""A piece of so many lines counts half."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file looked at closely. `segment_scores` go with `segments`; `pairs` are those of the task
    that occur."""

    file: Scanned
    source: Source
    segments: tuple[Segment, ...]
    segment_scores: tuple[float, ...]
    pairs: Mapping[Pair, int]
    names: frozenset[bytes]
    """The names defined here that the task says."""
    shared_phrases: int
    defined_members: int
    """How many `Class.method` of the task have both names here."""
    imported: bool
    """Whether a name that the task imports from this module or package is defined here."""

    @property
    def path(self) -> str:
        return self.file.blob.path


class Matcher:
    """Which of the task's terms a word of the repository stands for. Each word is looked at
    once."""

    def __init__(self, terms: Collection[str]) -> None:
        self._wanted = terms
        self._seen: set[bytes] = set()
        self._terms: dict[bytes, tuple[str, ...]] = {}

    def counts(self, words: list[bytes]) -> dict[str, int]:
        """By term; a whole identifier is the term `=name`, a part of one is its stem."""
        found = Counter(words)
        self._learn(found.keys() - self._seen)
        counts: dict[str, int] = {}
        for word in found.keys() & self._terms.keys():
            for term in self._terms[word]:
                counts[term] = counts.get(term, 0) + found[word]
        return counts

    def _learn(self, words: set[bytes]) -> None:
        self._seen |= words
        for word in words:
            if len(word) <= LONGEST_WORD and (
                terms := self.terms_of(word.decode("utf-8", "replace"))
            ):
                self._terms[word] = terms

    def terms_of(self, word: str) -> tuple[str, ...]:
        return tuple(term for term in terms_of(word) if term in self._wanted)


class FeatureExtractor:
    """Makes candidates. Splitting words into stems is remembered from file to file."""

    def __init__(self, task: Task, corpus: Corpus) -> None:
        self._task = task
        self._corpus = corpus
        self._matcher = Matcher(task.terms)
        self._stems: dict[bytes, tuple[str, ...]] = {}
        self._pairs = task.title_pairs | task.prose_pairs

    def examine(self, file: Scanned, source: Source) -> Candidate:
        words = split_words(source.content)
        distinct = set(words)
        defined = {definition.name.encode() for definition in source.definitions}
        segments = cut(source)
        return Candidate(
            file=file,
            source=source,
            segments=segments,
            segment_scores=tuple(self._segment_score(source, segment) for segment in segments),
            pairs=self._count_pairs(words, distinct),
            names=frozenset((self._task.title_names | self._task.prose_names) & defined),
            shared_phrases=self._count_phrases(words, distinct),
            defined_members=sum(
                owner in defined and member in defined for owner, member in self._task.members
            ),
            imported=any(
                name in defined and _lies_in(file.blob.path, module)
                for module, name in self._task.imports
            ),
        )

    def _segment_score(self, source: Source, segment: Segment) -> float:
        counts: dict[str, float] = dict(
            self._matcher.counts(split_words(source.bytes(segment.start, segment.end)))
        )
        for definition, worth in ((segment.definition, _OWN_NAME), (segment.parent, _PARENTS_NAME)):
            for term in self._terms(definition):
                counts[term] = counts.get(term, 0.0) + worth
        score = sum(
            self._corpus.weights[term] * count / (count + 1) for term, count in counts.items()
        )
        return score / (1 + (segment.end - segment.start + 1) / _LONG_PIECE)

    def _terms(self, definition: Definition | None) -> tuple[str, ...]:
        return self._matcher.terms_of(definition.name) if definition else ()

    def _count_pairs(self, words: list[bytes], distinct: set[bytes]) -> Mapping[Pair, int]:
        known = self._stems
        for word in distinct - known.keys():
            known[word] = parts_of(word.decode("utf-8", "replace"))
        stems = chain.from_iterable(map(known.__getitem__, words))
        return Counter(filter(self._pairs.__contains__, pairwise(stems)))

    def _count_phrases(self, words: list[bytes], distinct: set[bytes]) -> int:
        likely = {phrase for phrase in self._task.phrases if distinct.issuperset(phrase)}
        return len(likely & phrases_of(words)) if likely else 0


def _lies_in(path: str, module: str) -> bool:
    return f"/{module}/" in f"/{path.rpartition('.')[0]}/"


def best_pieces(scores: Sequence[float]) -> tuple[float, float]:
    """The best score, and the mean of the next two."""
    best = sorted(scores, reverse=True)[:3]
    return (best[0] if best else 0.0), sum(best[1:]) / 2


def pair_rarities(candidates: Iterable[Candidate]) -> dict[Pair, float]:
    """How rare each pair is among the candidates."""
    seen: dict[Pair, int] = {}
    total = 0
    for candidate in candidates:
        total += 1
        for pair in candidate.pairs:
            seen[pair] = seen.get(pair, 0) + 1
    return {pair: math.log(1 + total / count) for pair, count in seen.items()}
