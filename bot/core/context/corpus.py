"""How rare each of the task's terms is in this repository, and the first, quick score of every file."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.core.context.paths import Kind
from bot.core.context.scan import Scanned
from bot.core.context.words import parts_of

_K1 = 1.2
_B = 0.6
_DEFINED = 3.0
"""How many uses in the text one definition is worth."""
_IN_NAME = 0.8
_IN_DIRECTORY = 0.4
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
class PathWords:
    """The stems in a file's name without extension, those of its directories, and the name itself, lower-case."""

    name: frozenset[str]
    directories: frozenset[str]
    stem: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """`weights`: the task's weight of a term times its rarity among the source files' texts."""

    files: Sequence[Scanned]
    paths: Mapping[str, PathWords]
    weights: Mapping[str, float]
    source_count: int
    average_length: float
    defined_in: Mapping[str, int]
    """How many source files define the name (`=name`)."""
    in_paths: Mapping[str, int]
    """How many source files have the stem in their path."""

    def path_rarity(self, stem: str) -> float:
        return rarity(self.in_paths.get(stem, 0), self.source_count)

    def saturated(self, file: Scanned, count: float) -> float:
        """BM25's: the first uses of a term count most, and less in a long file."""
        share = count / (_K1 * (1 - _B + _B * file.length / self.average_length))
        return share / (1 + share)


def rarity(count: int, total: int) -> float:
    return math.log(1 + (max(total, count) - count + 0.5) / (count + 0.5))


def read_corpus(files: Sequence[Scanned], terms: Mapping[str, float]) -> Corpus:
    sources = [file for file in files if file.kind == "source" and file.length] or list(files)
    seen = Counter(term for file in sources for term in file.body)
    defined = Counter(term for file in sources for term in file.defined)
    paths = {file.blob.path: _path_words(file.blob.path) for file in files}
    in_paths = Counter(
        stem for file in sources for stem in paths[file.blob.path].name | paths[file.blob.path].directories
    )
    weights = {term: weight * rarity(seen[term], len(sources)) for term, weight in terms.items()}
    average = sum(file.length for file in sources) / max(1, len(sources)) or 1.0
    return Corpus(files, paths, weights, len(sources), average, defined, in_paths)


def _path_words(path: str) -> PathWords:
    directory, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0] or name
    return PathWords(_stems(stem), _stems(directory), stem.lower())


@lru_cache(maxsize=1 << 15)
def _stems(text: str) -> frozenset[str]:
    return frozenset(part for word in re.findall(r"\w+", text) for part in parts_of(word))


def first_score(file: Scanned, corpus: Corpus) -> float:
    """By the words of text, definitions and path alone: enough to find the sixty files worth a closer look."""
    weights = corpus.weights
    score = sum(
        weights[term] * corpus.saturated(file, count + _DEFINED * file.defined.get(term, 0))
        for term, count in file.body.items()
    )
    words = corpus.paths[file.blob.path]
    for stem in words.name | words.directories:
        if stem in weights:
            score += weights[stem] * (_IN_NAME if stem in words.name else _IN_DIRECTORY)
    return score * KIND_FACTOR[file.kind]
