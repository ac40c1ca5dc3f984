"""A closer look at the likely files: how well their best piece fits, and what they share with the task beyond words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from bot.core.context.corpus import Corpus
from bot.core.context.definitions import Definition
from bot.core.context.index import terms_of
from bot.core.context.scan import Scanned
from bot.core.context.segments import Segment, Source, cut
from bot.core.context.task import Pair, Task, phrases_of
from bot.core.context.words import LONGEST_WORD, parts_of, split_words

_OWN_NAME = 3.0
_PARENTS_NAME = 1.0
"""How many uses in a piece it is worth that its own definition, or the one around it, is called so."""
_LONG_PIECE = 120
"""A piece of so many lines counts half."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file looked at closely. `segment_scores` go with `segments`; `pairs` are those of the task that occur."""

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
    """Which of the task's terms a word of the repository stands for. Each word is looked at once."""

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
            if len(word) <= LONGEST_WORD and (terms := self.terms_of(word.decode("utf-8", "replace"))):
                self._terms[word] = terms

    def terms_of(self, word: str) -> tuple[str, ...]:
        return tuple(term for term in terms_of(word) if term in self._wanted)


class Examiner:
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
            defined_members=sum(owner in defined and member in defined for owner, member in self._task.members),
            imported=any(name in defined and _lies_in(file.blob.path, module) for module, name in self._task.imports),
        )

    def _segment_score(self, source: Source, segment: Segment) -> float:
        counts: dict[str, float] = dict(self._matcher.counts(split_words(source.bytes(segment.start, segment.end))))
        for definition, worth in ((segment.definition, _OWN_NAME), (segment.parent, _PARENTS_NAME)):
            for term in self._terms(definition):
                counts[term] = counts.get(term, 0.0) + worth
        score = sum(self._corpus.weights[term] * count / (count + 1) for term, count in counts.items())
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
