"""What one request is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
