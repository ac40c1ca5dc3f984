"""Measures how well each candidate file fits the task: its text, its best segments, the names it
defines, what the task mentions of it, the files beside it, and past commits. Each measure is a
named feature; the ranking gives them weights."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from bot.change.context.definitions import Definition
from bot.change.context.index import split_path
from bot.change.context.paths import FileKind, is_framework_test, language_of
from bot.change.context.ranking.retrieval import (
    CorpusStats,
    IndexedFile,
    inverse_document_frequency,
    length_norm,
)
from bot.change.context.ranking.task import Mention, Query, StemPair, find_phrases
from bot.change.context.segments import Segment, split_segments
from bot.change.context.source import Source
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

_MAX_MESSAGE_CHARS = 3_000
_MAX_COMMIT_PATHS = 30
"""A commit that touches as many files or more tells nothing of any of them."""
_MAX_SIMILAR_COMMITS = 60


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that was read for a closer look."""

    file: IndexedFile
    source: Source
    segments: tuple[Segment, ...]
    segment_scores: tuple[float, ...]
    """One for each of the segments."""
    pairs: Mapping[StemPair, int]
    """How often each stem pair of the task occurs."""
    names: frozenset[bytes]
    """The names of the task that are defined here."""
    shared_phrases: int
    defined_members: int
    """How many `Class.method` of the task have both names defined here."""
    imported: bool
    """Whether a name that the task imports from this module or package is defined here."""

    @property
    def path(self) -> str:
        return self.file.blob.path


class FeatureExtractor:
    """Makes candidates of files. Remembers the terms and stems of each word from file to file."""

    def __init__(self, query: Query, stats: CorpusStats) -> None:
        self._query = query
        self._stats = stats
        self._term_counter = _TermCounter(query.terms)
        self._pairs = query.title_pairs | query.prose_pairs
        self._stems: dict[bytes, tuple[str, ...]] = {}

    def extract(self, file: IndexedFile, source: Source) -> Candidate:
        query = self._query
        words = split_words(source.content)
        distinct = set(words)
        defined = {definition.name.encode() for definition in source.definitions}
        segments = split_segments(source)
        members = [member for member in query.members if defined.issuperset(member)]
        imported = any(
            name in defined and _lies_in(file.blob.path, module) for module, name in query.imports
        )
        return Candidate(
            file=file,
            source=source,
            segments=segments,
            segment_scores=tuple(self._score_segment(source, segment) for segment in segments),
            pairs=self._count_pairs(words, distinct),
            names=frozenset((query.title_names | query.prose_names) & defined),
            shared_phrases=self._count_phrases(words, distinct),
            defined_members=len(members),
            imported=imported,
        )

    def _score_segment(self, source: Source, segment: Segment) -> float:
        words = split_words(source.bytes(segment.start, segment.end))
        uses: dict[str, float] = dict(self._term_counter.count(words))
        if segment.extent is not None:
            self._add_name(uses, segment.extent.definition, _OWN_NAME_USES)
            if segment.extent.parent is not None:
                self._add_name(uses, segment.extent.parent.definition, _PARENT_NAME_USES)
        weights = self._stats.weights
        score = sum(weights[term] * count / (count + 1) for term, count in uses.items())
        lines = segment.end - segment.start + 1
        return score / (1 + lines / _HALVING_LINES)

    def _add_name(self, uses: dict[str, float], definition: Definition, name_uses: float) -> None:
        for term in self._term_counter.select_terms(definition.name):
            uses[term] = uses.get(term, 0.0) + name_uses

    def _count_pairs(self, words: list[bytes], distinct: set[bytes]) -> Mapping[StemPair, int]:
        stems_of = self._stems
        for word in distinct - stems_of.keys():
            stems_of[word] = split_stems(word.decode("utf-8", "replace"))
        stems = chain.from_iterable(map(stems_of.__getitem__, words))
        return Counter(filter(self._pairs.__contains__, pairwise(stems)))

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


def _lies_in(path: str, module: str) -> bool:
    return f"/{module}/" in f"/{path.rpartition('.')[0]}/"


def compute_features(
    candidates: Sequence[Candidate],
    query: Query,
    stats: CorpusStats,
    mentions: Sequence[Mention],
    commit_scores: Mapping[str, float],
) -> list[Features]:
    """The features of each candidate. `commit_scores` are those of `score_past_commits`."""
    text_features = [_text_features(candidate, stats) for candidate in candidates]
    _add_neighbours(candidates, text_features)
    best_segment = max((each["best segment"] for each in text_features), default=0.0) or 1.0
    pair_idf = _pair_idf(candidates)
    weights_by_path = _mention_weights(mentions)
    features: list[Features] = []
    for candidate, of_text in zip(candidates, text_features, strict=True):
        mentioned = weights_by_path[candidate.path]
        features.append(
            {
                **{name: value / best_segment for name, value in of_text.items()},
                "title pairs": _score_pairs(candidate, query.title_pairs, pair_idf),
                "prose pairs": _score_pairs(candidate, query.prose_pairs, pair_idf),
                **_name_features(candidate, query, stats),
                "path": mentioned.get("path", 0.0),
                "deepest frame": mentioned.get("deepest frame", 0.0),
                "module": mentioned.get("module", 0.0),
                "past commits": math.log(1 + commit_scores.get(candidate.path, 0.0)),
                **_path_features(candidate),
            }
        )
    for name in ("title pairs", "prose pairs"):
        highest = max((each[name] for each in features), default=0.0)
        for each in features:
            each[name] /= max(highest, 2.0)
    _add_nearby_commits(candidates, features, commit_scores)
    return features


def _text_features(candidate: Candidate, stats: CorpusStats) -> Features:
    file, weights = candidate.file, stats.weights
    best, *next_best = sorted(candidate.segment_scores, reverse=True)[:3] or [0.0]
    stems = split_path(candidate.path)
    return {
        "text": sum(
            weights[term] * stats.saturate(count, file.length_words)
            for term, count in file.body.items()
        ),
        "definitions": sum(
            weights[term] * count / (count + 1) for term, count in file.defined.items()
        ),
        "best segment": best,
        "next segments": sum(next_best) / 2,
        "name": sum(weights.get(stem, 0.0) for stem in stems.name),
        "directory": sum(weights.get(stem, 0.0) for stem in stems.directories),
    }


def _add_neighbours(candidates: Sequence[Candidate], text_features: Sequence[Features]) -> None:
    """Adds to source files the mean score of the best three other source files of the directory,
    and the score of the best test that is named after the file."""
    sources: dict[str, list[tuple[float, str]]] = defaultdict(list)
    tests: dict[str, float] = defaultdict(float)
    for candidate, features in zip(candidates, text_features, strict=True):
        score = features["best segment"] + 0.5 * features["text"]
        if candidate.file.kind == "source":
            sources[_directory_of(candidate.path)].append((score, candidate.path))
        elif candidate.file.kind == "test":
            subject = _strip_test_affixes(split_path(candidate.path).file_stem)
            tests[subject] = max(tests[subject], score)
    for scored in sources.values():
        scored.sort(reverse=True)
    for candidate, features in zip(candidates, text_features, strict=True):
        features["siblings"] = features["its test"] = 0.0
        if candidate.file.kind == "source":
            best = sources[_directory_of(candidate.path)][:4]
            others = [score for score, path in best if path != candidate.path]
            features["siblings"] = sum(others[:3]) / 3
            file_stem = split_path(candidate.path).file_stem.strip("_")
            features["its test"] = tests.get(file_stem, 0.0)


def _directory_of(path: str) -> str:
    return path.rpartition("/")[0]


def _strip_test_affixes(file_stem: str) -> str:
    """The name of the file that a test is for: `test_views` gives `views`."""
    file_stem = file_stem.removeprefix("test_").removeprefix("tests_")
    for ending in ("_test", "_spec", ".test", ".spec", "tests", "test"):
        file_stem = file_stem.removesuffix(ending)
    return file_stem


def _pair_idf(candidates: Sequence[Candidate]) -> dict[StemPair, float]:
    """How rare each pair is among the candidates."""
    document_frequency = Counter(pair for candidate in candidates for pair in candidate.pairs)
    return {
        pair: math.log(1 + len(candidates) / count) for pair, count in document_frequency.items()
    }


def _score_pairs(
    candidate: Candidate, wanted: Collection[StemPair], pair_idf: Mapping[StemPair, float]
) -> float:
    counts = candidate.pairs
    return sum(
        pair_idf[pair] * counts[pair] / (counts[pair] + 1) for pair in counts.keys() & wanted
    )


def _name_features(candidate: Candidate, query: Query, stats: CorpusStats) -> Features:
    if candidate.file.kind != "source":
        return {}
    rareness: dict[bytes, float] = {}
    for name in candidate.names:
        term = f"={name.decode('utf-8', 'replace').lower().strip('_')}"
        rareness[name] = 1 / max(1, stats.definition_counts.get(term, 1))
    return {
        "title names": sum(rareness[name] for name in candidate.names & query.title_names),
        "prose names": sum(rareness[name] for name in candidate.names & query.prose_names),
        "members": float(min(2, candidate.defined_members)),
        "imported": float(candidate.imported),
        "phrases": math.log(1 + candidate.shared_phrases),
    }


def _mention_weights(mentions: Sequence[Mention]) -> Mapping[str, Features]:
    """By path and kind of mention: the highest weight."""
    by_path: dict[str, Features] = defaultdict(dict)
    for mention in mentions:
        weights = by_path[mention.path]
        weights[mention.kind] = max(weights.get(mention.kind, 0.0), mention.weight)
    return by_path


def _path_features(candidate: Candidate) -> Features:
    kind: FileKind = candidate.file.kind
    features = {
        "depth": float(candidate.path.count("/")),
        "framework": float(is_framework_test(candidate.path, kind)),
    }
    if kind != "source":
        return {kind: 1.0, **features}
    # Languages without patterns of their own (styles, templates, queries) are not counted as code.
    is_code = language_of(candidate.path) != "other"
    return {"code": 1.0, **features} if is_code else features


def _add_nearby_commits(
    candidates: Sequence[Candidate],
    features: Sequence[Features],
    commit_scores: Mapping[str, float],
) -> None:
    by_directory: dict[str, float] = defaultdict(float)
    for path, score in commit_scores.items():
        by_directory[_directory_of(path)] += score
    highest = max(by_directory.values(), default=1.0)
    for candidate, each in zip(candidates, features, strict=True):
        each["past commits nearby"] = by_directory[_directory_of(candidate.path)] / highest


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
