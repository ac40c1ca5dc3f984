"""Measures how well each candidate file fits the task: its best segments, the names it defines, its
path, what the task mentions of it, and past commits. Each measure is a named feature; the ranking
gives them weights."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from bot.change.context.definitions import Definition
from bot.change.context.index import split_path
from bot.change.context.paths import FileKind, language_of
from bot.change.context.ranking.retrieval import (
    CorpusStats,
    IndexedFile,
    inverse_document_frequency,
    length_norm,
)
from bot.change.context.ranking.task import Mention, Query, StemPair, find_phrases
from bot.change.context.source import Segment, Source, split_segments
from bot.change.context.tokenize import MAX_WORD_CHARS, split_stems, split_terms, split_words
from bot.types.snapshot import MAX_PAST_COMMITS, PastCommit

Features = dict[str, float]

_OWN_NAME_USES = 3.0
_PARENT_NAME_USES = 1.0
"""A term in the name of the segment's definition, or of the one around it, counts as this many uses
in the segment. All numbers here were set together with `ranking.WEIGHTS`, on the same changes; they
were not measured one by one."""
_HALVING_LINES = 120
"""The score of a segment with this many lines is halved."""
_MIN_HIGHEST_PAIRS = 2.0
"""A file with the most pairs scores 1, unless even that is few."""

_MAX_MESSAGE_CHARS = 3_000
_MAX_COMMIT_PATHS = 30
"""A commit that touches as many files or more tells nothing of any of them."""
_MAX_SIMILAR_COMMITS = 60

_ASIDE: frozenset[FileKind] = frozenset({"config", "test", "docs", "generated"})
"""Kinds of files that a task seldom asks to change; examples and unknown ones are a little
likelier."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that was read for a closer look."""

    file: IndexedFile
    source: Source
    segments: tuple[Segment, ...]
    scores: tuple[float, ...]
    """How well each of the segments fits the task."""
    named: tuple[int, ...]
    """How many of the task's terms are in the name of each segment's definition."""
    pairs: Mapping[StemPair, int]
    """How often each stem pair of the task occurs."""
    names: frozenset[bytes]
    """The names of the task that are defined here."""
    shared_phrases: int

    @property
    def path(self) -> str:
        return self.file.blob.path


class FeatureExtractor:
    """Makes candidates of files. Remembers the terms and stems of each word from file to file."""

    def __init__(self, query: Query, stats: CorpusStats) -> None:
        self._query = query
        self._stats = stats
        self._term_counter = _TermCounter(query.terms)
        self._stems: dict[bytes, tuple[str, ...]] = {}

    def extract(self, file: IndexedFile, source: Source) -> Candidate:
        words = split_words(source.content)
        distinct = set(words)
        defined = {definition.name.encode() for definition in source.definitions}
        segments = split_segments(source)
        return Candidate(
            file=file,
            source=source,
            segments=segments,
            scores=tuple(self._score_segment(source, segment) for segment in segments),
            named=tuple(self._count_named(segment) for segment in segments),
            pairs=self._count_pairs(words, distinct),
            names=frozenset(self._query.names & defined),
            shared_phrases=self._count_phrases(words, distinct),
        )

    def _score_segment(self, source: Source, segment: Segment) -> float:
        words = split_words(source.bytes(segment.start, segment.end))
        uses: dict[str, float] = dict(self._term_counter.count(words))
        extent = segment.extent
        if extent is not None:
            self._add_name(uses, extent.definition, _OWN_NAME_USES)
            if extent.parent is not None:
                self._add_name(uses, extent.parent.definition, _PARENT_NAME_USES)
        weights = self._stats.weights
        score = sum(weights[term] * count / (count + 1) for term, count in uses.items())
        lines = segment.end - segment.start + 1
        return score / (1 + lines / _HALVING_LINES)

    def _add_name(self, uses: dict[str, float], definition: Definition, name_uses: float) -> None:
        for term in self._term_counter.select_terms(definition.name):
            uses[term] = uses.get(term, 0.0) + name_uses

    def _count_named(self, segment: Segment) -> int:
        if segment.extent is None:
            return 0
        return len(self._term_counter.select_terms(segment.extent.definition.name))

    def _count_pairs(self, words: list[bytes], distinct: set[bytes]) -> Mapping[StemPair, int]:
        stems_of = self._stems
        for word in distinct - stems_of.keys():
            stems_of[word] = split_stems(word.decode("utf-8", "replace"))
        stems = chain.from_iterable(map(stems_of.__getitem__, words))
        return Counter(filter(self._query.pairs.__contains__, pairwise(stems)))

    def _count_phrases(self, words: list[bytes], distinct: set[bytes]) -> int:
        possible = {phrase for phrase in self._query.phrases if distinct.issuperset(phrase)}
        return len(possible & find_phrases(words)) if possible else 0


class _TermCounter:
    """Counts the task's terms in lists of words. Splits each word into terms only once."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = wanted
        self._seen: set[bytes] = set()
        self._terms: dict[bytes, tuple[str, ...]] = {}
        """By word, for the words that have wanted terms."""

    def count(self, words: list[bytes]) -> dict[str, int]:
        word_counts = Counter(words)
        self._split_new(word_counts.keys() - self._seen)
        counts: dict[str, int] = {}
        for word in word_counts.keys() & self._terms.keys():
            for term in self._terms[word]:
                counts[term] = counts.get(term, 0) + word_counts[word]
        return counts

    def select_terms(self, word: str) -> tuple[str, ...]:
        return tuple(term for term in split_terms(word) if term in self._wanted)

    def _split_new(self, words: set[bytes]) -> None:
        self._seen |= words
        for word in words:
            if len(word) > MAX_WORD_CHARS:
                continue
            terms = self.select_terms(word.decode("utf-8", "replace"))
            if terms:
                self._terms[word] = terms


def compute_features(
    candidates: Sequence[Candidate],
    stats: CorpusStats,
    mentions: Iterable[Mention],
    commit_scores: Mapping[str, float],
) -> list[Features]:
    """The features of each candidate. `commit_scores` are those of `score_past_commits`."""
    best_segment = max((max(each.scores, default=0.0) for each in candidates), default=0.0) or 1.0
    pair_scores = _score_pairs(candidates)
    named_paths: dict[str, float] = defaultdict(float)
    for mention in mentions:
        if mention.kind == "path":
            named_paths[mention.path] = max(named_paths[mention.path], mention.weight)
    return [
        {
            **_text_features(candidate, stats, best_segment),
            "pairs": pair_score,
            "names": _score_names(candidate, stats),
            "phrases": math.log(1 + candidate.shared_phrases),
            "path": named_paths[candidate.path],
            "past commits": math.log(1 + commit_scores.get(candidate.path, 0.0)),
            **_kind_features(candidate),
        }
        for candidate, pair_score in zip(candidates, pair_scores, strict=True)
    ]


def _text_features(candidate: Candidate, stats: CorpusStats, unit: float) -> Features:
    """In units of the best segment of all candidates."""
    weights = stats.weights
    best, *next_best = sorted(candidate.scores, reverse=True)[:3] or [0.0]
    stems = split_path(candidate.path)
    return {
        "best segment": best / unit,
        "next segments": sum(next_best) / 2 / unit,
        "name": sum(weights.get(stem, 0.0) for stem in stems.name) / unit,
        "directory": sum(weights.get(stem, 0.0) for stem in stems.directories) / unit,
    }


def _score_pairs(candidates: Sequence[Candidate]) -> list[float]:
    """The pairs of each candidate, rare ones more; relative to the highest score."""
    frequency = Counter(pair for candidate in candidates for pair in candidate.pairs)
    rareness = {pair: math.log(1 + len(candidates) / count) for pair, count in frequency.items()}
    scores = [
        sum(rareness[pair] * count / (count + 1) for pair, count in each.pairs.items())
        for each in candidates
    ]
    highest = max([_MIN_HIGHEST_PAIRS, *scores])
    return [score / highest for score in scores]


def _score_names(candidate: Candidate, stats: CorpusStats) -> float:
    """The names of the task that a source file defines: one that few files define counts more."""
    if candidate.file.kind != "source":
        return 0.0
    terms = (f"={name.decode('utf-8', 'replace').lower().strip('_')}" for name in candidate.names)
    return sum(1 / max(1, stats.definition_counts.get(term, 1)) for term in terms)


def _kind_features(candidate: Candidate) -> Features:
    kind = candidate.file.kind
    if kind == "source":
        # Languages without patterns of their own (styles, templates, queries) are not code.
        return {"code": float(language_of(candidate.path) != "other")}
    return {"aside": 1.0} if kind in _ASIDE else {"other": 1.0}


def score_past_commits(
    commits: Sequence[PastCommit], terms: Mapping[str, float]
) -> dict[str, float]:
    """By path: the sum over the commits most similar to the task of their similarity, divided among
    the files of each. People describe a change in the words of the issues to come, which are often
    not the words of the code: beside the text itself no other hint tells as much."""
    commits = [
        commit for commit in commits[:MAX_PAST_COMMITS] if 0 < len(commit.paths) < _MAX_COMMIT_PATHS
    ]
    messages = [_count_stems(commit.message) for commit in commits]
    similarities = _score_messages(messages, terms)
    highest = max(similarities, default=0.0)
    scores: dict[str, float] = defaultdict(float)
    most_similar_first = sorted(range(len(commits)), key=lambda n: (-similarities[n], n))
    for n in most_similar_first[:_MAX_SIMILAR_COMMITS]:
        if similarities[n] > 0:
            paths = commits[n].paths
            for path in paths:
                scores[path] += (similarities[n] / highest) ** 2 / len(paths) ** 0.5
    return dict(scores)


def _count_stems(message: str) -> Counter[str]:
    words = split_words(message[:_MAX_MESSAGE_CHARS].encode("utf-8", "replace"))
    return Counter(part for word in words for part in split_stems(word.decode("utf-8", "replace")))


def _score_messages(messages: Sequence[Counter[str]], terms: Mapping[str, float]) -> list[float]:
    """Each message's BM25 score for the task's terms."""
    document_frequency = Counter(stem for stems in messages for stem in stems)
    weights = {
        stem: terms[stem] * inverse_document_frequency(count, len(messages))
        for stem, count in document_frequency.items()
        if stem in terms
    }
    lengths = [sum(stems.values()) for stems in messages]
    average_length = sum(lengths) / max(1, len(messages)) or 1.0
    scores: list[float] = []
    for stems, length in zip(messages, lengths, strict=True):
        norm = length_norm(length, average_length)
        scores.append(
            sum(
                weights[stem] * stems[stem] / (stems[stem] + norm)
                for stem in stems.keys() & weights.keys()
            )
        )
    return scores
