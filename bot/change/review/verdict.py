"""Reads what the model says of a change: the verdict tokens, the counterexamples, and the choice
between two versions. Nothing is guessed: a counterexample lacks no part and names a file, and a
choice is one letter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from bot.change.edits.reply.fences import Fences
from bot.types import Counterexample

CONFIDENT = "[CONFIDENT]"
REVISION_NEEDED = "[REVISION NEEDED]"

_SAID = r"\[\s*(CONFIDENT|REVISION\s+NEEDED)\s*\]"
_VERDICT = re.compile(_SAID, re.IGNORECASE)
_MARKED_VERDICT = re.compile(
    rf"(?<![*_`])[*_`]*+(?:{_SAID}|\[\s*(?:NO CHANGE|[AB])\s*\])[*_`]*:?", re.IGNORECASE
)
_CHOICE = re.compile(r"\[\s*([AB])\s*\]")

_PARTS = ("input", "place", "result")
_LABEL = re.compile(
    r"\s{0,12}(?:[-*+]\s{1,4}|\d{1,3}[.)]\s{1,4})?[*_`]{0,3}(input|place|result)[*_`]{0,3}\s{0,4}:"
    r"[*_`]{0,3}(.*)",
    re.IGNORECASE | re.DOTALL,
)
_LINE_NUMBER = re.compile(r"[\s,(]{0,4}(?::|#L|\blines?\b|\bL(?=\d))")
_PATH_ENDS = "`'\"*()[]<>,.;: \t"
_MAX_COUNTEREXAMPLES = 10
_MAX_PART_CHARS = 1_000


def read_verdicts(prose: str) -> frozenset[str]:
    """The verdict tokens in the prose, "CONFIDENT" or "REVISION NEEDED" each, without those in
    quotes or fences."""
    said = "\n".join(_unquoted(prose.split("\n")))
    return frozenset(" ".join(found[1].upper().split()) for found in _VERDICT.finditer(said))


def read_choice(prose: str) -> Literal["A", "B"] | None:
    """The version that the prose chooses; None unless it names exactly one of both."""
    said = "\n".join(_unquoted(prose.split("\n")))
    match sorted({found[1] for found in _CHOICE.finditer(said)}):
        case ["A"]:
            return "A"
        case ["B"]:
            return "B"
        case _:
            return None


def without_verdict(prose: str) -> str:
    """The prose around the tokens, for people."""
    return _MARKED_VERDICT.sub("", prose).strip()


def read_counterexamples(prose: str, paths: Iterable[str]) -> tuple[Counterexample, ...]:
    """Those that are complete: an input, a place in one of the `paths` (the files of the repository
    and of the change), and a result. Each part may go on to the next label or, the result, to the
    next blank line."""
    names = frozenset(path.rpartition("/")[2] for path in paths)
    found: list[Counterexample] = []
    parts: dict[str, str] = {}
    for label, text in _labelled(prose.split("\n")):
        if label == "input":
            parts = {}
        parts[label] = text
        if label == "result" and len(parts) == len(_PARTS) and all(parts.values()):
            counterexample = Counterexample(*(parts[each] for each in _PARTS))
            if _names_file(counterexample.place, names):
                found.append(counterexample)
            parts = {}
    return tuple(dict.fromkeys(found))[:_MAX_COUNTEREXAMPLES]


def _labelled(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each label with its text. A fence below a label belongs to it, other fences to nothing."""
    fences, number = Fences(lines), 0
    label, text = "", list[str]()
    while number < len(lines):
        fence = fences.at(number)
        close = fences.close(fence) if fence else None
        if close is not None:
            text += lines[number : close + 1]
            number = close + 1
            continue
        line = lines[number]
        is_end = label == "result" and not line.strip()
        begins = None if line.lstrip().startswith(">") else _LABEL.fullmatch(line)
        if label and (begins or is_end):
            yield label, _joined(text)
            label, text = "", []
        if begins:
            label, text = begins[1].lower(), [begins[2]]
        elif label:
            text.append(line)
        number += 1
    if label:
        yield label, _joined(text)


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip()[:_MAX_PART_CHARS]


def _names_file(place: str, names: frozenset[str]) -> bool:
    """Whether what stands before the line number, or any word, is a path to a file of these
    names."""
    first = place.partition("\n")[0]
    words = (_LINE_NUMBER.split(first, maxsplit=1)[0], *_LINE_NUMBER.sub(" ", first).split())
    return any(word.strip(_PATH_ENDS).rpartition("/")[2] in names for word in words)


def _unquoted(lines: Sequence[str]) -> Iterator[str]:
    """The lines outside quotes and fences. A fence without an end may be the rest of an edit: the
    lines after it are kept."""
    fences, number = Fences(lines), 0
    while number < len(lines):
        fence = fences.at(number)
        close = fences.close(fence) if fence else None
        if close is None and not lines[number].lstrip().startswith(">"):
            yield lines[number]
        number = (number if close is None else close) + 1
