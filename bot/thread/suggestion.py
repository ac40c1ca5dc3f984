"""A change as GitHub's suggestion block, which a reader accepts with one click.

https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/reviewing-changes-in-pull-requests
"""

from __future__ import annotations

from bot.types import ReviewComment
from bot.types.characters import find_unseen
from bot.types.text import read_text, split_keeping_ends

MAX_SMALL_LINES = 12
"""A longer suggestion is harder to read than a commit."""


def suggest(comment: ReviewComment, old: bytes, new: bytes) -> str | None:
    """The text that replaces the commented lines to give `new`; None if the change also touches
    other lines, if a suggestion block cannot hold it, or if a reader would not see all of it. `old`
    is the commented file."""
    before, after = read_text(old), read_text(new)
    if before is None or after is None or "\r" in before + after:
        return None
    if comment.line is None or comment.side != "RIGHT":
        return None

    first, last = (comment.start_line or comment.line) - 1, comment.line  # 0-based, half-open
    lines, new_lines = split_keeping_ends(before), split_keeping_ends(after)
    rest = lines[last:]
    new_last = len(new_lines) - len(rest)
    if not 0 <= first < last <= len(lines) or first > new_last:
        return None
    if new_lines[:first] != lines[:first] or new_lines[new_last:] != rest:
        return None
    suggestion = "".join(new_lines[first:new_last])
    # One click would take what nobody has seen.
    return None if any(find_unseen(suggestion)) else suggestion


def is_small_suggestion(suggestion: str) -> bool:
    return suggestion.count("\n") <= MAX_SMALL_LINES
