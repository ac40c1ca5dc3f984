"""The table of odd replies (tests/samples/odd_replies), and what becomes of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from bot.adapters.syntax.parsers import find_fault
from bot.change.edits import apply_edits, read_reply
from tests import ROOT
from tests.change.snapshots import view_of

_TABLE = ROOT / "tests" / "samples" / "odd_replies"
_HEAD = re.compile(r"^%%%% (.+?) : (.+)\n", re.MULTILINE)

Tree = Mapping[str, str | None]
"""The text of each changed file; None where it is gone."""
Result = Literal["restored", "asked", "wrong", "silent"]


@dataclass(frozen=True)
class Case:
    name: str
    reply: str
    means: Tree | None
    """None where the model must be asked."""


@cache
def outcomes() -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    for name, head, text in _parts(_TABLE / "outcomes.txt"):
        path = head.removesuffix(" deleted").removesuffix(" without final newline")
        content: str | None = text
        if head.endswith(" deleted"):
            content = None
        elif head != path:
            content = text.removesuffix("\n")
        found.setdefault(name, {})[path] = content
    return found


def cases() -> Iterator[Case]:
    for table in sorted(_TABLE.glob("*.txt")):
        if table.stem == "outcomes":
            continue
        for name, meaning, text in _parts(table):
            yield Case(name, text.removesuffix("\n"), _tree(meaning))


def _parts(path: Path) -> Iterator[tuple[str, str, str]]:
    text = path.read_bytes().decode()
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        yield head[1], head[2], text[head.end() : end]


def _tree(meaning: str) -> Tree | None:
    if meaning == "ask":
        return None
    tree: dict[str, str | None] = {}
    for name in meaning.split(" + ") if meaning != "nothing" else ():
        tree |= outcomes()[name]
    return tree


def result_of(case: Case) -> Result:
    files = {path: (text or "").encode() for path, text in outcomes()["files"].items()}
    parsed = read_reply(case.reply, known=files)
    result = apply_edits(view_of(files), {}, parsed.edits, check_syntax=_check_syntax)
    if parsed.problems or result.rejected or parsed.requests:
        return "asked"
    tree = {
        path: None if change.content is None else change.content.decode()
        for path, change in result.changes.items()
    }
    if tree == case.means:
        return "restored"
    return "wrong" if tree else "silent"


def _check_syntax(files: Sequence[tuple[str, bytes]]) -> list[str | None]:
    return [find_fault(path, content) for path, content in files]
