"""A change as GitHub's suggestion block: what the commented lines become, taken over with a click.

https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/reviewing-changes-in-pull-requests
"""

from __future__ import annotations

from bot.core.text import read_text
from bot.core.types import Remark

SMALL_LINES = 12
"""What is longer is read more easily as a commit."""


def suggest(remark: Remark, old: bytes, new: bytes) -> str | None:
    """The text that stands for the commented lines in `new`; None where the change reaches beyond them, or where a
    block cannot say it. `old` is the file as it was commented on."""
    before, after = read_text(old), read_text(new)
    if before is None or after is None or remark.line is None or remark.side != "RIGHT" or "\r" in before + after:
        return None
    first, last = (remark.start_line or remark.line) - 1, remark.line
    lines, changed = before.splitlines(keepends=True), after.splitlines(keepends=True)
    rest = lines[last:]
    until = len(changed) - len(rest)
    is_inside = 0 <= first < last <= len(lines) and first <= until
    if not is_inside or changed[:first] != lines[:first] or changed[until:] != rest:
        return None
    return "".join(changed[first:until])


def is_small(suggestion: str) -> bool:
    return suggestion.count("\n") <= SMALL_LINES
