"""Where a change is looked at again: its places with what stands around them, touched functions in full."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from bot.core.reply import Request
from bot.core.tree import Changes, Patch

AROUND_LINES = 25
"""Lines shown above and below a changed place at least."""
MAX_BLOCK_LINES = 160
"""The longest function, or other indented block, that is shown whole for a change in it."""

_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")

Span = tuple[int, int]
"""First and last line, 1-based and inclusive."""


def changed_places(patch: Patch, changes: Changes) -> tuple[Request, ...]:
    """The places of a patch as requests to read them; none twice."""
    lines_of = {path: (change.content or b"").split(b"\n") for path, change in changes.items()}
    places: list[tuple[str, int, int]] = []
    for path, changed in _hunks(patch):
        first, last = _widened(lines_of.get(path, []), changed)
        if places and places[-1][0] == path and first <= places[-1][2] + 1:
            _, first, before = places.pop()
            last = max(last, before)
        places.append((path, first, last))
    return tuple(Request("read", path, first, last) for path, first, last in places)


def _hunks(patch: Patch) -> Iterator[tuple[str, Span]]:
    """The path of each hunk, and the lines of the new file from its first change to its last."""
    files = iter(patch.files)
    path = ""
    for part in re.split(r"^(?=diff --git |@@ )", patch.text, flags=re.MULTILINE):
        head, *body = part.split("\n")
        if head.startswith("diff --git "):
            path = next(files).path
        elif (hunk := _HUNK.match(head)) and hunk[2] != "0":
            yield path, _changed(int(hunk[1]), body)


def _changed(number: int, body: Sequence[str]) -> Span:
    """`number` is the line of the new file that the hunk begins with. What was taken away counts where it stood."""
    found: list[int] = []
    for line in body:
        if line[:1] in ("+", "-"):
            found.append(number)
        number += line[:1] in ("+", " ")
    return found[0], max(found[0], found[-1])


def _widened(lines: Sequence[bytes], changed: Span) -> Span:
    """The lines around the change, and the largest block around it that is short enough."""
    first, last = max(1, changed[0] - AROUND_LINES), changed[1] + AROUND_LINES
    block = max(_blocks(lines, changed[1]), default=changed, key=lambda span: span[1] - span[0])
    return min(first, block[0]), max(last, block[1])


def _blocks(lines: Sequence[bytes], at: int) -> Iterator[Span]:
    """Each block that holds the line and is short enough, inmost first: a line, all below it that are indented deeper,
    and the line that ends them."""
    depth: float = math.inf
    for first in range(min(at, len(lines)), max(0, at - MAX_BLOCK_LINES), -1):
        if lines[first - 1].strip() and _indent(lines[first - 1]) < depth:
            depth = _indent(lines[first - 1])
            below = range(at + 1, min(len(lines), first + MAX_BLOCK_LINES) + 1)
            end = next((line for line in below if lines[line - 1].strip() and _indent(lines[line - 1]) <= depth), None)
            if end or len(lines) < first + MAX_BLOCK_LINES:
                yield first, end or len(lines)


def _indent(line: bytes) -> int:
    blanks = line[: len(line) - len(line.lstrip())]
    return len(blanks.expandtabs(8))
