"""What a task's text asks for: the words to look for, with weights, and the places that it names outright."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.core.context.words import LONGEST_WORD, is_common, is_identifier, parts_of

MAX_TASK_CHARS = 60_000
"""Of a longer task the beginning and the end are read: they hold the request; the middle is a log."""
MAX_TERMS = 150

_TITLE_WEIGHT = 2.0
_CODE_WEIGHT = 0.6
_SPAN_WEIGHT = 1.6

_FENCE = re.compile(r"^[ \t]*(```+|~~~+).*?^[ \t]*\1", re.M | re.S)
_SPAN = re.compile(r"`([^`\n]{1,200})`")
_WORD = re.compile(r"[^\W\d]\w*")
_PATH = re.compile(
    r"(?:[\w@+~.-]{1,100}[/\\]){0,30}[\w@+~-][\w@+~.-]{0,100}\.[A-Za-z]\w{0,9}\b(?:(?::|#L|\", line )(\d{1,7}))?"
)
_DOTTED = re.compile(r"\b[^\W\d]\w{0,60}(?:(?:\.|::)[^\W\d]\w{0,60}){1,10}")
_TRACE = re.compile(r"Traceback \(most recent call last\)|^\s+File \"", re.M)


@dataclass(frozen=True, slots=True)
class Mention:
    """A place that the text names: `parts` of a path or a dotted name; `line` where one is given; `frame` counts the
    frames of a stack trace from the deepest (0), and is None outside of one."""

    parts: tuple[str, ...]
    line: int | None = None
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Weights by stem (`words`) and by whole lower-case identifier (`names`), and what the text names outright."""

    words: Mapping[str, float]
    names: Mapping[str, float]
    paths: tuple[Mention, ...]
    dotted: tuple[Mention, ...]
    title: frozenset[str]
    """The stems of the first line."""


def read_task(text: str) -> Task:
    if len(text) > MAX_TASK_CHARS:
        text = f"{text[: MAX_TASK_CHARS * 2 // 3]}\n{text[-MAX_TASK_CHARS // 3 :]}"
    words: dict[str, float] = defaultdict(float)
    names: dict[str, float] = defaultdict(float)
    title, _, rest = text.strip().partition("\n")
    _count(_WORD.findall(title), _TITLE_WEIGHT, words, names)
    for match in _FENCE.finditer(rest):
        _count(_WORD.findall(match.group()), _CODE_WEIGHT, words, names)
    prose = _FENCE.sub("\n", rest)
    _count(_WORD.findall(prose), 1.0, words, names)
    for match in _SPAN.finditer(text):
        _count(_WORD.findall(match.group(1)), _SPAN_WEIGHT, words, names)
    stems = frozenset(part for word in _WORD.findall(title) for part in parts_of(word))
    return Task(_most(words), _most(names), _paths(text), _dotted(text), stems)


def _count(found: Iterable[str], weight: float, words: dict[str, float], names: dict[str, float]) -> None:
    for word in found:
        lower = word.lower()
        if is_common(lower) or len(word) > LONGEST_WORD:
            continue
        names[lower] += weight * (2.0 if is_identifier(word) else 1.0)
        for part in parts_of(word):
            if not is_common(part):
                words[part] += weight


def _most(weights: Mapping[str, float]) -> dict[str, float]:
    """The heaviest, each damped: the tenth time that a word is said adds little."""
    best = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MAX_TERMS]
    return {term: weight / (weight + 2.0) * 3.0 for term, weight in best}


def _paths(text: str) -> tuple[Mention, ...]:
    found = list(_PATH.finditer(text))
    in_trace = [match for match in found if match.group(1)]
    deepest_last = bool(_TRACE.search(text))
    order = {match.start(): n for n, match in enumerate(reversed(in_trace) if deepest_last else in_trace)}
    mentions = [
        Mention(
            tuple(part for part in re.split(r"[/\\]", _without_line(match)) if part not in ("", ".", "..")),
            int(match.group(1)) if match.group(1) else None,
            order.get(match.start()) if deepest_last or len(in_trace) > 1 else None,
        )
        for match in found
    ]
    return tuple(dict.fromkeys(mentions))


def _without_line(match: re.Match[str]) -> str:
    return match.group()[: match.start(1) - match.start()].rstrip(':#L", line') if match.group(1) else match.group()


def _dotted(text: str) -> tuple[Mention, ...]:
    names = (tuple(re.split(r"\.|::", name)) for name in _DOTTED.findall(text))
    return tuple(Mention(parts) for parts in dict.fromkeys(names))
