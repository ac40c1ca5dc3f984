"""The thoughts that some models write into their reply: edits in them were weighed, not meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NAMES = "think|thinking|thoughts?|reasoning"
_OPEN = re.compile(rf"\s*<(?:{_NAMES})>")
_CLOSE = re.compile(rf"</(?:{_NAMES})>")
_BARE_CLOSE = re.compile(rf"\s*</(?:{_NAMES})>")


def open_at(line: str) -> bool:
    return _OPEN.match(line) is not None


def end_of(lines: Sequence[str], start: int) -> tuple[int, str] | None:
    """The line that ends the thoughts begun at line `start`, and what follows on it; None where they have no end."""
    for number in range(start, len(lines)):
        close = _CLOSE.search(lines[number])
        if close:
            return number, lines[number][close.end() :]
    return None


def close_at(line: str) -> str | None:
    """What follows the sign that all before it was thoughts: where a server's template opens them, a reply has only
    their end. None where the line has no such sign."""
    close = _BARE_CLOSE.match(line)
    return line[close.end() :] if close else None
