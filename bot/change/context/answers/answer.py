"""What one request is answered, and how much of it there is room for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.change.tokens import estimate_tokens

_MAX_ARGUMENT_CHARS = 200
"""What an answer repeats of a request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`parts` are shown in order, as many as there is room for."""

    parts: Sequence[str]
    heading: Callable[[int], str]
    """The heading if so many parts are shown."""
    lines: tuple[str, int] | None = None
    """For an answer whose parts are lines: their path, and the number of the first."""


def say(words: str) -> Answer:
    return Answer((), lambda _count: words)


def shorten(argument: str) -> str:
    return argument[:_MAX_ARGUMENT_CHARS]


def tokens_up_to(parts: Sequence[str], limit_tokens: int) -> int:
    """The tokens of the parts, counted no further than the limit."""
    tokens = 0
    for part in parts:
        tokens += estimate_tokens(part)
        if tokens >= limit_tokens:
            return limit_tokens
    return tokens


def count_fitting(parts: Sequence[str], room_tokens: int) -> int:
    for count, part in enumerate(parts):
        room_tokens -= estimate_tokens(part)
        if room_tokens < 0:
            return count
    return len(parts)


def render(answer: Answer, count: int) -> str:
    heading, body = answer.heading(count), "".join(answer.parts[:count])
    if not body:
        return f"{heading}\n\n"
    longest_run = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, 1 + longest_run)
    end = "" if body.endswith("\n") else "\n"
    return f"{heading}\n{fence}\n{body}{end}{fence}\n\n"
