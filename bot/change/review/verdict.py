"""Reads what the model says of a change: the verdict tokens, the counterexamples, and the choice
between two versions. Nothing is guessed: a counterexample lacks no part and names a file, and a
choice is one letter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from bot.change.edits.reply.fences import Fences
from bot.types import Counterexample

CONFIDENT = "[CONFIDENT]"
REVISION_NEEDED = "[REVISION NEEDED]"

_SAID = r"\[[*_`\s]{0,9}(CONFIDENT|REVISION[\s_-]{1,9}NEEDED)[*_`\s]{0,9}\]"
_VERDICT = re.compile(_SAID, re.IGNORECASE)
_MARKED_VERDICT = re.compile(
    rf"(?<![*_`])[*_`]*+(?:{_SAID}|\[\s*NO CHANGE\s*\])[*_`]*:?", re.IGNORECASE
)
_CHOICE = re.compile(r"\[\s{0,9}([AB])\s{0,9}\]")
_FINAL_CHOICE = re.compile(r"\[\s{0,9}([AB])\s{0,9}\][*_`.!\s]{0,9}\Z")

_PARTS = ("input", "place", "result")
_LABEL = re.compile(
    r"[\s#*+•\d.()\[\]_`-]{0,12}(input|place|result)(?:\s\d{1,2})?[*_`]{0,3}\s{0,4}[:：][*_`]{0,3}"
    r"(.*)",
    re.IGNORECASE | re.DOTALL,
)
_NOTHING = frozenset(
    ("", "-", "none", "n/a", "nothing", "the call, the file or the state that shows it")
)
_LINE_NUMBER = re.compile(r"[\s,(]{0,4}(?::(?=\s?\d)|#L)|[\s,(]{1,4}(?:lines?|L(?=\d))\b|^lines?\b")
_PATH_ENDS = "`'\"*()[]<>,;: \t"
_MAX_COUNTEREXAMPLES = 10
_MAX_PART_CHARS = 1_000
_MAX_LABEL_LINES = 40
"""Of a fence, among which labels are looked for."""


def read_verdicts(prose: str) -> frozenset[str]:
    """The verdict tokens in the prose, "CONFIDENT" or "REVISION NEEDED" each, without those in
    quotes or fences."""
    said = "\n".join(_unquoted(prose.split("\n")))
    return frozenset(
        "CONFIDENT" if found[1].upper() == "CONFIDENT" else "REVISION NEEDED"
        for found in _VERDICT.finditer(said)
    )


def read_choice(prose: str) -> Literal["A", "B"] | None:
    """The version that the prose ends with; else the only one that it names; None if it names
    neither or both."""
    said = "\n".join(_unquoted(prose.split("\n"))).rstrip()
    final = _FINAL_CHOICE.search(said, max(0, len(said) - 40))
    named = {final[1]} if final else {found[1] for found in _CHOICE.finditer(said)}
    match sorted(named):
        case ["A"]:
            return "A"
        case ["B"]:
            return "B"
        case _:
            return None


def without_choice(prose: str) -> str:
    """The prose before the choice that it ends with, for people."""
    return re.sub(r"[*_`]{0,3}\[\s{0,9}[AB]\s{0,9}\][*_`.!\s]{0,9}\Z", "", prose).strip()


def without_verdict(prose: str) -> str:
    """The prose around the tokens, for people."""
    return _MARKED_VERDICT.sub("", prose).strip()


def read_counterexamples(prose: str, paths: Iterable[str]) -> tuple[Counterexample, ...]:
    """Those that are complete: an input, a place in one of the `paths` (the files of the repository
    and of the change), and a result. Each part may go on to the next label or, the result, to the
    next blank line."""
    known: dict[str, list[str]] = {}
    for path in paths:
        known.setdefault(path.rpartition("/")[2], []).append(path)
    found: list[Counterexample] = []
    parts: dict[str, str] = {}
    for label, text in _labelled(prose.split("\n")):
        if label == "input":
            parts = {}
        parts[label] = text
        if label == "result":
            is_whole = len(parts) == len(_PARTS)
            is_told = all(text.strip(" .").casefold() not in _NOTHING for text in parts.values())
            if is_whole and is_told and _names_file(parts["place"], known):
                found.append(Counterexample(*(parts[each] for each in _PARTS)))
            parts = {}
    return tuple(dict.fromkeys(found))[:_MAX_COUNTEREXAMPLES]


def _labelled(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each label with its text: up to the next label and, of the result, to a verdict or a blank
    line. A fence below a label belongs to it; a fence that has labels itself is read like the
    rest."""
    fences, number = Fences(lines), 0
    label, text, has_text = "", list[str](), False
    while number < len(lines):
        fence = fences.at(number)
        close = fences.close(fence) if fence else None
        if close is not None and (label or not _has_label(lines[number + 1 : close])):
            text += lines[number : close + 1]
            has_text = True
            number = close + 1
            continue
        line = "" if fence else lines[number]
        number += 1
        is_end = label == "result" and (
            (has_text and not line.strip()) or _VERDICT.search(line) is not None
        )
        begins = None if line.lstrip().startswith(">") else _LABEL.fullmatch(line)
        if label and (begins or is_end):
            yield label, _joined(text)
            label, text, has_text = "", [], False
        if begins:
            label, text = begins[1].lower(), [begins[2]]
            has_text = bool(begins[2].strip())
        elif label:
            text.append(line)
            has_text = has_text or bool(line.strip())
    if label:
        yield label, _joined(text)


def _has_label(lines: Sequence[str]) -> bool:
    return any(_LABEL.fullmatch(line) for line in lines[:_MAX_LABEL_LINES])


def _joined(lines: Sequence[str]) -> str:
    text = "\n".join(lines).strip()
    return text.removesuffix("**")[:_MAX_PART_CHARS]


def _names_file(place: str, known: Mapping[str, Sequence[str]]) -> bool:
    """Whether what stands before the line number, or any word, is the path of a file, or its
    end."""
    first = place.partition("\n")[0]
    before = _LINE_NUMBER.split(first, maxsplit=1)[0].strip(_PATH_ENDS)
    words = (word.strip(_PATH_ENDS) for word in _LINE_NUMBER.sub(" ", first).split())
    candidates = (before, *(word for word in words if "." in word or "/" in word))
    return any(_is_path(path.removeprefix("./").rstrip("."), known) for path in candidates)


def _is_path(path: str, known: Mapping[str, Sequence[str]]) -> bool:
    name = path.rpartition("/")[2]
    return any(f"/{each}".endswith(f"/{path.removeprefix('b/')}") for each in known.get(name, ()))


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
