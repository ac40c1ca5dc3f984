"""The thoughts that some models write into their reply: edits in them were weighed, not meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NAMES = "think|thinking|thoughts?|reasoning"
_OPEN = re.compile(rf"\s*<(?:{_NAMES})>")
_CLOSE = re.compile(rf"</(?:{_NAMES})>")
_BARE_CLOSE = re.compile(rf"\s*</(?:{_NAMES})>")


@dataclass(frozen=True, slots=True)
class Start:
    """What a line's beginning says of thoughts: `rest` is what follows all of them on the line, None where they go on
    below it. `ends_earlier`: all before the line was thoughts, as where a server's template opens them."""

    rest: str | None
    ends_earlier: bool


def read_start(line: str) -> Start | None:
    """None where the line does not begin with any. All that follow one another are read at once, so that a line of
    them alone is gone through once."""
    at, ends_earlier = 0, False
    while True:
        if bare := _BARE_CLOSE.match(line, at):
            at, ends_earlier = bare.end(), True
        elif opened := _OPEN.match(line, at):
            closed = _CLOSE.search(line, opened.end())
            if closed is None:
                return Start(None, ends_earlier)
            at = closed.end()
        else:
            return Start(line[at:], ends_earlier) if at else None


def end_of(lines: Sequence[str], start: int) -> tuple[int, str] | None:
    """The line at or below `start` that ends thoughts begun above, and what follows on it; None where they have no
    end."""
    for number in range(start, len(lines)):
        close = _CLOSE.search(lines[number])
        if close:
            return number, lines[number][close.end() :]
    return None
