"""What a task asks for, as weighed words to look for."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from bot.core.context.sections import Sections, split_sections
from bot.core.context.words import LONGEST_WORD, is_common, is_identifier, is_stop_word, parts_of

MAX_TERMS = 250

_SECTION_WEIGHTS = {"title": 2.0, "prose": 1.0, "error": 1.0, "spans": 1.0, "code": 0.6, "trace": 0.2}
_DAMPING = 2.0
"""A word said n times in a section weighs n / (n + this)."""

_WORD = re.compile(r"[^\W\d]\w*")
_NAME = re.compile(r"(?<!\w)(?P<name>[A-Za-z_]\w{0,80})\.?(?P<call>\(?)")
_MEMBER = re.compile(r"(?<!\w)([A-Za-z_]\w{0,80})(?=(?:\(\))?(?:\.|::|#)([A-Za-z_]\w{0,80}))")
_IMPORT = re.compile(r"^[\s>.]{0,40}from\s+([\w.]{1,200})\s+import\s+\(?([\w ,]{1,500})", re.M)
_SENTENCE_END = re.compile(r"[.;:()]\s|\n")

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """`terms` are stems of words and, as `=name`, whole lower-case identifiers, each with its weight. `pairs` are
    stems that stand side by side in the title or in prose. The names are as spelt, for definitions that bear them."""

    terms: Mapping[str, float]
    title_pairs: frozenset[Pair]
    prose_pairs: frozenset[Pair]
    phrases: frozenset[tuple[bytes, ...]]
    """Five words in a row of title or prose: who says them says the same."""
    title_names: frozenset[bytes]
    prose_names: frozenset[bytes]
    members: frozenset[tuple[bytes, bytes]]
    """`Class.method`."""
    imports: tuple[tuple[str, bytes], ...]
    """Module, as a path without extension, and the name that is imported from it."""


def read_task(text: str) -> Task:
    sections = split_sections(text)
    prose = f"{sections.title}\n{sections.prose}"
    everything = f"{prose}\n{sections.code}\n{sections.error}"
    return Task(
        terms=_terms(sections),
        title_pairs=frozenset(_pairs(sections.title)),
        prose_pairs=frozenset(_pairs(sections.prose)),
        phrases=phrases_of([word.encode() for word in re.findall(r"\w+", prose)]),
        title_names=frozenset(_names(sections.title)),
        prose_names=frozenset((*_names(sections.prose), *_names(sections.spans, all_count=True))),
        members=frozenset((one.encode(), other.encode()) for one, other in _MEMBER.findall(everything)),
        imports=tuple(_imports(everything)),
    )


def phrases_of(words: list[bytes]) -> frozenset[tuple[bytes, ...]]:
    return frozenset(zip(*(words[n:] for n in range(5)), strict=False))


def _terms(sections: Sections) -> dict[str, float]:
    weights: dict[str, float] = defaultdict(float)
    for section, weight in _SECTION_WEIGHTS.items():
        counts = Counter(_counted(_WORD.findall(getattr(sections, section)), all_count=section == "spans"))
        for term, count in counts.items():
            weights[term] += weight * count / (count + _DAMPING)
    best = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MAX_TERMS]
    return dict(best)


def _counted(words: Iterable[str], *, all_count: bool) -> Iterator[str]:
    """Terms, as often as they count: an identifier says more than a word does."""
    for word in words:
        if len(word) > LONGEST_WORD or (is_common(word.lower()) and not all_count):
            continue
        name = f"={word.lower().strip('_')}"
        yield name
        if is_identifier(word):
            yield name
        yield from (part for part in parts_of(word) if all_count or not is_common(part))


def _pairs(text: str) -> Iterator[Pair]:
    for sentence in _SENTENCE_END.split(text):
        parts = [part for word in re.findall(r"\w+", sentence) for part in parts_of(word)]
        parts = [part for part in parts if not is_stop_word(part)]
        yield from pairwise(parts)


def _names(text: str, *, all_count: bool = False) -> Iterator[bytes]:
    """Words that are spelt, or used, as names."""
    for match in _NAME.finditer(text):
        name = match["name"]
        if is_common(name.lower()) and not (all_count or match["call"] or len(name) == 1):
            continue
        capital = name[0].isupper() and (match.start() > 0 or len(name) == 1)
        if all_count or is_identifier(name) or match["call"] or capital:
            yield name.encode()


def _imports(text: str) -> Iterator[tuple[str, bytes]]:
    for module, names in _IMPORT.findall(text):
        for name in names.split(","):
            if words := name.split():
                yield module.replace(".", "/"), words[0].encode()
