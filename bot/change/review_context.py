"""The parts of the changed files that the model is shown for its review: each changed place with
the lines around it, and changed functions in full."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import chain, islice, pairwise

from bot.types.reply import Request
from bot.types.snapshot import Changes, Patch

AROUND_LINES = 25
"""Lines shown above and below a changed place at least."""
MAX_BLOCK_LINES = 160
"""The longest function, or other indented block, that is shown whole for a change in it."""
MAX_HUNKS = 1_000
"""How many hunks are looked at, from the first: far more than are ever shown."""

_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")

Span = tuple[int, int]
"""First and last line, 1-based and inclusive."""


def changed_places(patch: Patch, changes: Changes) -> tuple[Request, ...]:
    """The places of a patch as requests to read them; none twice."""
    places: list[tuple[str, int, int]] = []
    file = _File("", b"")
    for path, changed in islice(_hunks(patch), MAX_HUNKS):
        if path != file.path:
            file = _File(path, (changes[path].content if path in changes else None) or b"")
        first, last = _widened(file, changed)
        if places and places[-1][0] == path and first <= places[-1][2] + 1:
            _, first, before = places.pop()
            last = max(last, before)
        places.append((path, first, last))
    return tuple(Request("read", path, first, last) for path, first, last in places)


class _File:
    """A file's lines, counted from 1, with their indentation."""

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self._lines = content.split(b"\n")
        self._depths: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def depth(self, number: int) -> float:
        """The indentation of a line in columns; infinite for a blank line."""
        if number not in self._depths:
            line = self._lines[number - 1]
            indent = line[: len(line) - len(line.lstrip())]
            self._depths[number] = (
                math.inf if len(indent) == len(line) else len(indent.expandtabs(8))
            )
        return self._depths[number]


def _hunks(patch: Patch) -> Iterator[tuple[str, Span]]:
    """The path of each hunk, and the lines of the new file from its first change to its last."""
    files = iter(patch.files)
    path = ""
    for part in _parts(patch.text):
        head = part[: part.find("\n") + 1] or part
        if head.startswith("diff --git "):
            path = next(files).path
        elif (hunk := _HUNK.match(head)) and hunk[2] != "0":
            yield path, _changed(int(hunk[1]), part.split("\n")[1:])


def _parts(text: str) -> Iterator[str]:
    """The patch cut before each file and each hunk. By plain search, since a patch may have 64
    MB."""
    starts = chain(merge(_line_starts(text, "diff --git "), _line_starts(text, "@@ ")), [len(text)])
    return (text[start:end] for start, end in pairwise(starts))


def _line_starts(text: str, words: str) -> Iterator[int]:
    start = 0 if text.startswith(words) else text.find(f"\n{words}") + 1
    while text.startswith(words, start):
        yield start
        start = text.find(f"\n{words}", start) + 1 or len(text)


def _changed(number: int, body: Sequence[str]) -> Span:
    """`number` is the line of the new file that the hunk begins with. A removed line counts
    as the line of the new file that follows it."""
    found: list[int] = []
    for line in body:
        if line[:1] in ("+", "-"):
            found.append(number)
        number += line[:1] in ("+", " ")
    return found[0], max(found[0], found[-1])


def _widened(file: _File, changed: Span) -> Span:
    """The lines around the change, and the largest block around it that is short enough."""
    first, last = max(1, changed[0] - AROUND_LINES), changed[1] + AROUND_LINES
    block = max(_blocks(file, changed[1]), default=changed, key=lambda span: span[1] - span[0])
    return min(first, block[0]), max(last, block[1])


def _blocks(file: _File, at: int) -> Iterator[Span]:
    """Each block that holds the line and is short enough, innermost first. A block is a line, all
    lines below it that are indented deeper, and the line that ends them."""
    depth: float = math.inf
    end = at + 1
    for first in range(min(at, len(file)), max(0, at - MAX_BLOCK_LINES), -1):
        if file.depth(first) < depth:
            depth = file.depth(first)
            below = min(len(file), first + MAX_BLOCK_LINES)
            # A line that did not end a deeper block does not end a shallower one.
            while end <= below and file.depth(end) > depth:
                end += 1
            if end <= below:
                yield first, end
            elif len(file) < first + MAX_BLOCK_LINES:
                yield first, len(file)
