"""Ranks the files of a repository by how likely a task changes them. First-stage retrieval finds
the candidates; each one is read, its features are weighted, and the sum is the logarithm of the
odds that the file must be changed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from bot.change.context.ranking.features import (
    Candidate,
    FeatureExtractor,
    Features,
    compute_features,
    score_past_commits,
)
from bot.change.context.ranking.retrieval import (
    CorpusStats,
    IndexedFile,
    IndexedRepository,
    collect_stats,
    index_repository,
    is_readable,
    score_files,
)
from bot.change.context.ranking.task import Mention, find_mentions, read_task
from bot.change.context.source import read_source
from bot.types.snapshot import RepositoryView

MAX_RANKED_FILES = 100
_RETRIEVED_CANDIDATES = 60
"""Files that are read for a closer look. Measured on 323 real changes: with 40, 1.8 points fewer of
the changed lines are shown (SWE-bench Lite); with 80, 0.8 points more, but one file in 200 leaves
the first five."""
_COMMIT_CANDIDATES = 15
"""Candidates that past commits may add."""
NAMED = "named in the request"
"""The reason for a file that the task names by its path."""
_TESTED_FILES = 10
"""Of the best source files, how many get the tests that are named after them as candidates."""
_MAX_TESTS_OF_A_NAME = 2
_TEST_AFFIXES = re.compile(r"^tests?_|[._-]?(?:tests?|spec)$")
_MAX_REASONS = 3
"""Names or terms that are given as the reason for a file."""

WEIGHTS: Mapping[str, float] = {
    "best segment": 4.57,
    "next segments": 2.25,
    "name": 3.7,
    "directory": 8.94,
    "names": 0.57,
    "pairs": 1.22,
    "phrases": 0.97,
    "path": 5.16,
    "past commits": 1.57,
    "code": 3.99,
    "aside": -3.73,
    "other": -1.87,
}
"""By feature: the parameters of a conditional logit, the likeliest ones for 323 real changes of
eleven projects. Seventeen more features were measured and left out: with them the files of a project
that was left out of the fit are ranked no better (DECISIONS.md). A source file of a language without
patterns has no weight of its kind: 0."""


@dataclass(frozen=True, slots=True)
class RankedFile:
    """A candidate, and why it is among them."""

    candidate: Candidate
    chance: float
    """The share of the odds of all candidates; they add up to 1."""
    why: str
    lines: tuple[int, ...] = ()
    """The lines that the task mentions."""

    @property
    def path(self) -> str:
        return self.candidate.path


@dataclass(frozen=True, slots=True)
class Ranking:
    """`files` are the candidates, `others` the paths of further files that have terms of the task;
    both best first. `repository` is all that may be shown."""

    files: Sequence[RankedFile]
    others: Sequence[str]
    repository: IndexedRepository


def rank_files(snapshot: RepositoryView, text: str) -> Ranking:
    query = read_task(text)
    repository = index_repository(snapshot, query.terms)
    stats = collect_stats(repository, query.terms)
    scores = score_files(repository, stats)
    retrieved = _highest(scores, _RETRIEVED_CANDIDATES + MAX_RANKED_FILES)
    mentions = find_mentions(text, repository.blobs)
    commit_scores = score_past_commits(snapshot.history(), query.terms)
    files = _choose_candidates(repository, retrieved, mentions, commit_scores)
    extractor = FeatureExtractor(query, stats)
    candidates = list(_read_candidates(snapshot, files, extractor))
    features = compute_features(candidates, stats, mentions, commit_scores)
    ranked = _rank(candidates, features, stats, mentions)
    ranked_paths = {each.path for each in ranked}
    others = [path for path in retrieved if path not in ranked_paths]
    return Ranking(ranked, others, repository)


def _highest(scores: Mapping[str, float], count: int) -> list[str]:
    """The paths with a score over 0, best first."""
    paths = [path for path, score in scores.items() if score]
    return nsmallest(count, paths, key=lambda path: (-scores[path], path))


def _choose_candidates(
    repository: IndexedRepository,
    retrieved: Sequence[str],
    mentions: Sequence[Mention],
    commit_scores: Mapping[str, float],
) -> list[IndexedFile]:
    existing = {path: score for path, score in commit_scores.items() if path in repository.blobs}
    added = {mention.path for mention in mentions}
    added.update(_highest(existing, _COMMIT_CANDIDATES))
    added.update(_find_own_tests(repository, retrieved))
    paths = dict.fromkeys((*retrieved[:_RETRIEVED_CANDIDATES], *sorted(added)))
    return [repository.file(path) for path in paths if is_readable(repository.blobs[path])]


def _find_own_tests(repository: IndexedRepository, retrieved: Sequence[str]) -> Iterator[str]:
    """Test files that are named after one of the best source files: `test_views` after `views`."""
    kinds = repository.kinds
    sources = [path for path in retrieved if kinds[path] == "source"][:_TESTED_FILES]
    wanted = {_stem(path) for path in sources}
    found: Counter[str] = Counter()
    for path, kind in kinds.items():
        subject = _TEST_AFFIXES.sub("", _stem(path)) if kind == "test" else ""
        if subject in wanted and found[subject] < _MAX_TESTS_OF_A_NAME:
            found[subject] += 1
            yield path


def _stem(path: str) -> str:
    """The file's name in lower case, without its last extension."""
    name = path.rpartition("/")[2].lower()
    return name.rpartition(".")[0] or name


def _read_candidates(
    snapshot: RepositoryView, files: Sequence[IndexedFile], extractor: FeatureExtractor
) -> Iterator[Candidate]:
    contents = snapshot.read([file.blob for file in files])
    for file, content in zip(files, contents, strict=True):
        source = read_source(file.blob.path, content)
        if source is not None:
            yield extractor.extract(file, source)


def _rank(
    candidates: Sequence[Candidate],
    features: Sequence[Features],
    stats: CorpusStats,
    mentions: Sequence[Mention],
) -> list[RankedFile]:
    """Best first."""
    scores = [sum(WEIGHTS[name] * value for name, value in each.items()) for each in features]
    highest = max(scores, default=0.0)
    odds = [math.exp(score - highest) for score in scores]
    total = sum(odds)
    in_traces = {mention.path for mention in mentions if mention.kind == "frame"}
    ranked = [
        RankedFile(
            candidate,
            chance=candidate_odds / total,
            why=_explain(candidate, of_candidate, stats, is_in_trace=candidate.path in in_traces),
            lines=_mentioned_lines(candidate.path, mentions),
        )
        for candidate, of_candidate, candidate_odds in zip(candidates, features, odds, strict=True)
    ]
    return sorted(ranked, key=lambda each: (-each.chance, each.path))


def _mentioned_lines(path: str, mentions: Sequence[Mention]) -> tuple[int, ...]:
    lines = [mention.line for mention in mentions if mention.path == path and mention.line]
    return tuple(dict.fromkeys(lines))


def _explain(
    candidate: Candidate, features: Features, stats: CorpusStats, *, is_in_trace: bool
) -> str:
    """The main reason for the file, in words for people and for the model."""
    if features["path"]:
        return NAMED
    if is_in_trace:
        return "in the stack trace"
    if candidate.names and candidate.file.kind == "source":
        names = sorted(name.decode("utf-8", "replace") for name in candidate.names)
        return f"defines {', '.join(names[:_MAX_REASONS])}"
    by_commits = WEIGHTS["past commits"] * features["past commits"]
    if by_commits > WEIGHTS["best segment"] * features["best segment"]:
        return "changed by commits on the same matter"
    terms = _weightiest_terms(candidate, stats)
    if not terms:
        return "its path matches the request"
    return f"says {', '.join(terms[:_MAX_REASONS])}"


def _weightiest_terms(candidate: Candidate, stats: CorpusStats) -> list[str]:
    """Whole words if there are any, else stems."""
    counts, weights = candidate.file.body, stats.weights
    terms = sorted(
        counts, key=lambda term: (-weights[term] * counts[term] / (1 + counts[term]), term)
    )
    whole_words = [term.removeprefix("=") for term in terms if term.startswith("=")]
    return whole_words or terms
