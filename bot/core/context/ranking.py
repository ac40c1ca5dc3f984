"""Which files matter most: BM25 over three fields (text, definitions, path), what the task names, and the kind."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.core.context.mentions import Named
from bot.core.context.paths import Kind
from bot.core.context.scan import Matcher, Scanned
from bot.core.context.task import Task
from bot.core.context.words import split_words

_K1 = 1.2
_B = 0.6
_DEFINED = 3.0
"""How many mentions in the text one definition of the term is worth."""
_IN_PATH = 4.0
_IN_NAME = 4.0
"""The same for a directory's name, and for the file's own."""
_WHOLE = 1.0
"""The weight of a whole identifier beside its parts'."""

_TELLING = 3

KIND_WEIGHT: dict[Kind, float] = {
    "source": 1.0,
    "config": 0.4,
    "test": 0.4,
    "docs": 0.35,
    "example": 0.4,
    "other": 0.3,
    "generated": 0.2,
}


@dataclass(frozen=True, slots=True)
class Ranked:
    scanned: Scanned
    score: float
    why: str
    """"" until it is explained."""
    lines: tuple[int, ...] = ()

    @property
    def path(self) -> str:
        return self.scanned.blob.path


def rank(files: Sequence[Scanned], task: Task, named: Sequence[Named]) -> list[Ranked]:
    """Best first; files that have nothing to do with the task are left out."""
    if not files:
        return []
    idf = term_weights(files, task)
    scores = _bm25(files, idf, Matcher(task))
    top = max(scores) or 1.0
    by_path: dict[str, list[Named]] = defaultdict(list)
    for each in named:
        by_path[each.path].append(each)
    ranked = [
        _with_mentions(file, score / top * KIND_WEIGHT[file.kind], by_path.get(file.blob.path, []))
        for file, score in zip(files, scores, strict=True)
    ]
    ranked = [each for each in ranked if each.score > 0]
    ranked.sort(key=lambda each: (-each.score, each.path))
    return ranked


def term_weights(files: Sequence[Scanned], task: Task) -> dict[str, float]:
    """How much each term tells: its weight in the task times its rarity in the repository's text."""
    seen: Counter[str] = Counter()
    for file in files:
        seen.update(file.body.keys())
    total = len(files)
    weights = {**task.words, **{f"={name}": weight * _WHOLE for name, weight in task.names.items()}}
    return {
        term: weight * math.log(1 + (total - seen[term] + 0.5) / (seen[term] + 0.5)) for term, weight in weights.items()
    }


def _bm25(files: Sequence[Scanned], idf: Mapping[str, float], matcher: Matcher) -> list[float]:
    average = sum(file.length for file in files) / max(1, sum(1 for file in files if file.length)) or 1.0
    return [_score(file, idf, _path_counts(file.blob.path, matcher), average) for file in files]


def _score(file: Scanned, idf: Mapping[str, float], in_path: Mapping[str, float], average: float) -> float:
    norm = _K1 * (1 - _B + _B * file.length / average)
    score = 0.0
    for term in file.body.keys() | in_path.keys():
        tf = file.body.get(term, 0) / norm + file.defined.get(term, 0) * _DEFINED / norm + in_path.get(term, 0.0) / _K1
        score += idf[term] * tf / (1 + tf)
    return score


def _path_counts(path: str, matcher: Matcher) -> dict[str, float]:
    directory, _, name = path.rpartition("/")
    counts: dict[str, float] = {}
    for text, weight in ((directory, _IN_PATH), (name.partition(".")[0], _IN_NAME)):
        for term in matcher.counts(split_words(text.encode())):
            counts[term] = counts.get(term, 0.0) + weight
    return counts


def explained(ranked: Ranked, idf: Mapping[str, float]) -> Ranked:
    """With the words that tell most, where nothing else is known of why it was found."""
    if ranked.why:
        return ranked
    counts = ranked.scanned.body
    telling = sorted(counts, key=lambda term: (-idf[term] * counts[term] / (1 + counts[term]), term))
    words = [term.removeprefix("=") for term in telling if term.startswith("=")] or telling
    return replace(ranked, why=f"says {', '.join(words[:_TELLING])}" if words else "its path matches the request")


def _with_mentions(file: Scanned, score: float, named: Sequence[Named]) -> Ranked:
    if not named:
        return Ranked(file, score, "")
    best = max(named, key=lambda each: each.weight)
    lines = tuple(dict.fromkeys(each.line for each in named if each.line))
    factor = KIND_WEIGHT[file.kind] ** 0.5
    return Ranked(file, score + best.weight * factor, best.why, lines)
