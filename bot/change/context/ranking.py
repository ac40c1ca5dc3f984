"""Which files matter most. The score is the logarithm of the odds that a file must be changed: a
weighted sum of what is known of it, the weights fitted on real changes of 24 projects
(tests/benchmarks/context.py measures them).

What earlier commits tell: those that speak of the same things touched the files that matter.

The strongest hint there is beyond the text itself: people describe a change in the words of the
issues to come, which are often not the words of the code.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.change.context.features import Candidate, Corpus, best_pieces, pair_rarities, rarity
from bot.change.context.index import words_of_path
from bot.change.context.paths import Kind, is_framework_test, language_of
from bot.change.context.task import Named, Task
from bot.change.context.tokenize import parts_of, split_words
from bot.types.snapshot import PastCommit

Features = dict[str, float]

_TELLING = 3

WEIGHTS: Mapping[str, float] = {
    "text": 1.0,
    "piece": 3.3,
    "next pieces": 1.6,
    "definitions": 0.6,
    "name": 2.7,
    "directory": 9.0,
    "siblings": 0.5,
    "its test": 0.5,
    "title pairs": 1.0,
    "prose pairs": 1.3,
    "phrases": 1.0,
    "title names": 0.7,
    "prose names": 0.4,
    "members": 1.5,
    "imported": 0.5,
    "path": 5.0,
    "deepest frame": 1.5,
    "frame": 0.0,
    "module": 1.0,
    "past commits": 1.2,
    "past commits nearby": 0.3,
    "depth": -0.15,
    "framework": -4.0,
    "code": 3.2,
    "source": 0.0,
    "config": -5.0,
    "test": -4.7,
    "docs": -4.8,
    "example": -3.2,
    "other": -3.5,
    "generated": -5.0,
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """`chance` is the share of all odds that this file has; `lines` are those that the task names
    in it."""

    candidate: Candidate
    chance: float
    why: str
    lines: tuple[int, ...] = ()

    @property
    def path(self) -> str:
        return self.candidate.path


def rank(
    candidates: Sequence[Candidate],
    task: Task,
    corpus: Corpus,
    named: Sequence[Named],
    votes: Mapping[str, float],
) -> list[Ranked]:
    """Best first."""
    features = features_of(candidates, task, corpus, named, votes)
    scores = [sum(WEIGHTS[name] * value for name, value in each.items()) for each in features]
    top = max(scores, default=0.0)
    odds = [math.exp(score - top) for score in scores]
    ranked = [
        Ranked(
            candidate, odd / sum(odds), _why(each, candidate, corpus), _lines(candidate.path, named)
        )
        for candidate, each, odd in zip(candidates, features, odds, strict=True)
    ]
    return sorted(ranked, key=lambda each: (-each.chance, each.path))


def features_of(
    candidates: Sequence[Candidate],
    task: Task,
    corpus: Corpus,
    named: Sequence[Named],
    votes: Mapping[str, float],
) -> list[Features]:
    lexical = [_lexical(candidate, corpus) for candidate in candidates]
    _add_neighbours(candidates, lexical)
    scale = max((each["piece"] for each in lexical), default=0.0) or 1.0
    rarities = pair_rarities(candidates)
    mentions: dict[str, Features] = defaultdict(dict)
    for mention in named:
        known = mentions[mention.path]
        known[mention.how] = max(known.get(mention.how, 0.0), mention.weight)
    features = [
        {
            **{name: value / scale for name, value in words.items()},
            "title pairs": _pairs(candidate, task.title_pairs, rarities),
            "prose pairs": _pairs(candidate, task.prose_pairs, rarities),
            **_said(candidate, task, corpus),
            **{
                how: mentions[candidate.path].get(how, 0.0)
                for how in ("path", "deepest frame", "frame", "module")
            },
            "past commits": math.log(1 + votes.get(candidate.path, 0.0)),
            **_nature(candidate),
        }
        for candidate, words in zip(candidates, lexical, strict=True)
    ]
    for name in ("title pairs", "prose pairs"):
        most = max((each[name] for each in features), default=0.0)
        for each in features:
            each[name] /= max(most, 2.0)
    _add_directory_votes(candidates, features, votes)
    return features


def _lexical(candidate: Candidate, corpus: Corpus) -> Features:
    file, weights = candidate.file, corpus.weights
    best, following = best_pieces(candidate.segment_scores)
    words = words_of_path(candidate.path)
    return {
        "text": sum(
            weights[term] * corpus.saturated(count, file.length)
            for term, count in file.body.items()
        ),
        "definitions": sum(
            weights[term] * count / (count + 1) for term, count in file.defined.items()
        ),
        "piece": best,
        "next pieces": following,
        "name": sum(weights.get(stem, 0.0) for stem in words.name),
        "directory": sum(weights.get(stem, 0.0) for stem in words.directories),
    }


def _add_neighbours(candidates: Sequence[Candidate], lexical: Sequence[Features]) -> None:
    """What the best other files of the same directory score, and the test that goes by the file's
    name."""
    scores = [each["piece"] + 0.5 * each["text"] for each in lexical]
    by_directory: dict[str, list[tuple[float, str]]] = defaultdict(list)
    tests: dict[str, float] = defaultdict(float)
    for candidate, score in zip(candidates, scores, strict=True):
        if candidate.file.kind == "source":
            by_directory[_directory(candidate)].append((score, candidate.path))
        elif candidate.file.kind == "test":
            subject = _subject(words_of_path(candidate.path).stem)
            tests[subject] = max(tests[subject], score)
    for best in by_directory.values():
        best.sort(reverse=True)
    for candidate, features in zip(candidates, lexical, strict=True):
        is_source = candidate.file.kind == "source"
        others = [
            score
            for score, path in by_directory[_directory(candidate)][:4]
            if path != candidate.path
        ]
        features["siblings"] = sum(others[:3]) / 3 if is_source else 0.0
        stem = words_of_path(candidate.path).stem.strip("_")
        features["its test"] = tests.get(stem, 0.0) if is_source else 0.0


def _directory(candidate: Candidate) -> str:
    return candidate.path.rpartition("/")[0]


def _subject(stem: str) -> str:
    """What a test is called after."""
    stem = stem.removeprefix("test_").removeprefix("tests_")
    for ending in ("_test", "_spec", ".test", ".spec", "tests", "test"):
        stem = stem.removesuffix(ending)
    return stem


def _pairs(
    candidate: Candidate,
    wanted: Iterable[tuple[str, str]],
    rarities: Mapping[tuple[str, str], float],
) -> float:
    found = candidate.pairs
    return sum(rarities[pair] * found[pair] / (found[pair] + 1) for pair in found.keys() & wanted)


def _said(candidate: Candidate, task: Task, corpus: Corpus) -> Features:
    if candidate.file.kind != "source":
        return {}
    rare = {
        name: 1 / max(1, corpus.defined_in.get(f"={_folded(name)}", 1)) for name in candidate.names
    }
    return {
        "title names": sum(rare[name] for name in candidate.names & task.title_names),
        "prose names": sum(rare[name] for name in candidate.names & task.prose_names),
        "members": float(min(2, candidate.defined_members)),
        "imported": float(candidate.imported),
        "phrases": math.log(1 + candidate.shared_phrases),
    }


def _folded(name: bytes) -> str:
    return name.decode("utf-8", "replace").lower().strip("_")


def _nature(candidate: Candidate) -> Features:
    kind: Kind = candidate.file.kind
    is_code = kind == "source" and language_of(candidate.path) not in (None, "other")
    return {
        ("code" if is_code else "source" if kind == "source" else kind): 1.0,
        "depth": float(candidate.path.count("/")),
        "framework": float(is_framework_test(candidate.path, kind)),
    }


def _add_directory_votes(
    candidates: Sequence[Candidate], features: Sequence[Features], votes: Mapping[str, float]
) -> None:
    by_directory: dict[str, float] = defaultdict(float)
    for path, vote in votes.items():
        by_directory[path.rpartition("/")[0]] += vote
    most = max(by_directory.values(), default=1.0)
    for candidate, each in zip(candidates, features, strict=True):
        each["past commits nearby"] = by_directory[_directory(candidate)] / most


def _lines(path: str, named: Sequence[Named]) -> tuple[int, ...]:
    return tuple(
        dict.fromkeys(mention.line for mention in named if mention.path == path and mention.line)
    )


def _why(features: Features, candidate: Candidate, corpus: Corpus) -> str:
    if features["path"] or features["module"]:
        return "named in the request"
    if features["deepest frame"]:
        return "where the stack trace ends"
    if candidate.names and candidate.file.kind == "source":
        names = sorted(name.decode("utf-8", "replace") for name in candidate.names)
        return f"defines {', '.join(names[:_TELLING])}"
    if WEIGHTS["past commits"] * features["past commits"] > WEIGHTS["piece"] * features["piece"]:
        return "changed by commits on the same matter"
    return _telling_words(candidate, corpus)


def _telling_words(candidate: Candidate, corpus: Corpus) -> str:
    counts, weights = candidate.file.body, corpus.weights
    telling = sorted(
        counts, key=lambda term: (-weights[term] * counts[term] / (1 + counts[term]), term)
    )
    words = [term.removeprefix("=") for term in telling if term.startswith("=")] or telling
    return f"says {', '.join(words[:_TELLING])}" if words else "its path matches the request"


MAX_COMMITS = 300
_MAX_MESSAGE_CHARS = 3_000
_MAX_PATHS = 30
"""A commit that touches more says nothing of any."""
_MOST_ALIKE = 60


def votes(commits: Sequence[PastCommit], terms: Mapping[str, float]) -> dict[str, float]:
    """By path: the sum over the commits most like the task of how alike they are, shared among the
    files of each."""
    told = [commit for commit in commits[:MAX_COMMITS] if 0 < len(commit.paths) < _MAX_PATHS]
    said = [_stems(commit.message) for commit in told]
    seen = Counter(stem for stems in said for stem in stems)
    weights = {
        stem: terms[stem] * rarity(count, len(told))
        for stem, count in seen.items()
        if stem in terms
    }
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
    return sum(
        weights[stem] * stems[stem] / (stems[stem] + norm) for stem in stems.keys() & weights.keys()
    )
