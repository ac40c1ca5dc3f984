"""Tasks for the made repositories, written as people write issues: plain, with traces, paths, code
and templates."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.tools.made.dice import Dice
from tests.tools.made.repositories import Made

_BUDGETS = (700, 1_500, 4_000, 12_000, 60_000)
_OF_EACH = 4
_NAME = re.compile(
    r"\b(?:def|class|function|func|fn|sub|int|const|struct|interface) (\w+)|^(\w+)\(\) \{", re.M
)


@dataclass(frozen=True)
class Task:
    """What is asked for, and the room for what is shown."""

    text: str
    budget_tokens: int


def make_tasks(made: Made, number: int) -> list[Task]:
    """Four tasks for the repository of that number: each kind comes several times over all of
    them."""
    dice = Dice(f"tasks {number}")
    kinds = [_KINDS[(number * _OF_EACH + n) % len(_KINDS)] for n in range(_OF_EACH)]
    return [
        Task(kind(made, dice), _BUDGETS[(number + n) % len(_BUDGETS)])
        for n, kind in enumerate(kinds)
    ]


def _plain(made: Made, dice: Dice) -> str:
    return (
        f"{made.words.sentence(dice)}\n\n{made.words.sentence(dice)}. {made.words.sentence(dice)}."
    )


def _about_a_definition(made: Made, dice: Dice) -> str:
    name, path = _definition(made, dice)
    stem = path.rpartition("/")[2].partition(".")[0]
    asked = f"{name} is wrong for some values\n\nCall `{name}` of {stem} and look."
    return f"{asked} {made.words.sentence(dice)}."


def _about_a_path(made: Made, dice: Dice) -> str:
    path, other = dice.some(made.sources(), 2)
    line = dice.number(1, max(1, len(made.lines(path))))
    short = other.rpartition("/")[2]
    extension = made.language.extension
    return (
        f"Mend {path} and common.{extension}\n\nSee {path}:{line}, and also {short} "
        f"and x1/y2.{extension}.\n{made.words.sentence(dice)}."
    )


def _with_a_python_trace(made: Made, dice: Dice) -> str:
    frames = "".join(
        f'  File "/opt/app/{path}", line {dice.number(1, 40)}, in {dice.pick(made.words.verbs)}\n'
        f"    {dice.pick(made.lines(path)).strip()}\n"
        for path in dice.some(made.sources(), 3)
    )
    error = f"made.{dice.pick(made.words.nouns).title()}Error: no {dice.pick(made.words.nouns)}"
    trace = f"Traceback (most recent call last):\n{frames}{error}\n"
    return f"It stops with an error\n\n{made.words.sentence(dice)}.\n\n```\n{trace}```\n"


def _with_another_trace(made: Made, dice: Dice) -> str:
    frames = "".join(
        f"    at org.made.{dice.pick(made.words.verbs)}"
        f"({path.rpartition('/')[2]}:{dice.number(1, 30)})\n"
        for path in dice.some(made.sources(), 3)
    )
    path = dice.pick(made.sources())
    return (
        f"{made.words.sentence(dice)}\n\n"
        f"fatal: IllegalStateException: {dice.pick(made.words.nouns)}\n{frames}"
        f"Caused by: another\n{path}:{dice.number(1, 20)}: in it\n"
    )


def _with_code(made: Made, dice: Dice) -> str:
    lines = made.lines(dice.pick(made.sources()))
    start = dice.number(0, max(0, len(lines) - 6))
    code = "\n".join(lines[start : start + 6])
    shown = f"This code shows it:\n\n```\n{code}\n```"
    return f"{made.words.sentence(dice)}\n\n{shown}\n\n{made.words.sentence(dice)}."


def _with_a_template(made: Made, dice: Dice) -> str:
    noun = dice.pick(made.words.nouns)
    return (
        f"[Bug]: {made.words.sentence(dice)}\n\n"
        f"<!-- Please say {noun} -->\n### Describe the bug\n\n"
        f"{made.words.sentence(dice)}.\n\n### Environment\n- OS: Linux {noun}\n- Python 3.11.2\n"
        f"See https://example.com/{noun}/x "
        f"and https://host/o/r/blob/main/{dice.pick(made.sources())}.\n\n"
        f"Signed-off-by: {noun} <a@example.com>\nFixes #12\n"
    )


def _with_a_phrase_of_the_code(made: Made, dice: Dice) -> str:
    """Says a comment of a file word for word."""
    sentences = [
        line for path in made.sources() for line in made.lines(path) if line.count(" ") > 6
    ]
    phrase = dice.pick(sentences).strip(" /#*-.")
    return f"Something is off\n\nThe file says: {phrase}. {made.words.sentence(dice)}."


def _with_modules(made: Made, dice: Dice) -> str:
    paths = [path for path in made.sources() if len(_names(made, path)) > 1]
    path, other = dice.some(paths, 2)
    dotted = path.rpartition(".")[0].replace("/", ".")
    module = other.rpartition(".")[0].replace("/", ".")
    owner, member = dice.some(_names(made, path), 2)
    return (
        f"{dotted} loses the {dice.pick(made.words.nouns)}\n\n"
        f"from {module} import {dice.pick(_names(made, other))}, nothing\n\n"
        f"{owner}.{member}() and {owner}::{dice.pick(made.words.verbs)} "
        f"of {dotted.partition('.')[2] or dotted}. {made.words.sentence(dice)}."
    )


def _about_docs(made: Made, dice: Dice) -> str:
    asked = made.words.sentence(dice).lower()
    return f"Say in the README that {asked}\n\n{made.words.sentence(dice)}."


def _of_spans(made: Made, dice: Dice) -> str:
    names = [_definition(made, dice)[0] for _ in range(3)]
    noun = dice.pick(made.words.nouns)
    return (
        f"Rename {names[0]}\n\n"
        f"It is `{names[1]}` in one place and `{names[2]}(…)` in another, `{noun}` too.\n"
        f"Both tests of {noun} not set up. {made.words.sentence(dice)}."
    )


def _very_long(made: Made, dice: Dice) -> str:
    """A log of which the middle is not read."""
    log = "".join(f"[{n}] {made.words.sentence(dice)};\n" for n in range(900))
    title, end = made.words.sentence(dice), made.words.sentence(dice)
    return f"{title}\n\n{log}\n{end} in the {dice.pick(made.words.nouns)}."


def _definition(made: Made, dice: Dice) -> tuple[str, str]:
    """A name that is defined in some file, and the file."""
    path = dice.pick(made.sources())
    return dice.pick(_names(made, path) or [*made.words.nouns]), path


def _names(made: Made, path: str) -> list[str]:
    """What the file defines, about."""
    found = _NAME.findall("\n".join(made.lines(path)))
    return sorted({one or other for one, other in found})


_KINDS: tuple[Callable[[Made, Dice], str], ...] = (
    _plain,
    _about_a_definition,
    _about_a_path,
    _with_a_python_trace,
    _with_another_trace,
    _with_code,
    _with_a_template,
    _with_a_phrase_of_the_code,
    _with_modules,
    _about_docs,
    _of_spans,
    _very_long,
    _plain,
)
