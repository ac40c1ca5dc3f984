"""Searching with a pattern that a model wrote, in time linear in the text.

Python's `re` backtracks: a pattern such as `(a+)+$` can keep it busy for ever, and nothing can stop it. RE2 does not,
and knows neither look-around nor back-references: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from collections.abc import Iterator

import re2

MAX_PATTERN_CHARS = 500
_MAX_MEMORY_BYTES = 1 << 18
"""For the pattern's program and its remembered states, so that no program has over some 3,000 instructions."""


class BadPattern(ValueError):
    """The pattern cannot be searched in linear time, or is none."""


class Pattern:
    """`size` is what each character may cost in the worst case, in instructions."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN_CHARS:
            raise BadPattern(f"is longer than {MAX_PATTERN_CHARS} characters")
        self._anywhere = _compiled(f"(?m){text}")
        self._line = _compiled(f"(?m)^.*(?:{text})")
        self.size: int = self._line.programsize

    def lines(self, text: str) -> Iterator[tuple[int, str]]:
        """The lines that hold a match, each once, with their 1-based numbers and without their ends."""
        text = text.replace("\r\n", "\n")
        if not self._anywhere.search(text):
            return
        number, last = 1, -1
        for found in self._line.finditer(text):
            start = found.start()
            if start == last:  # as an empty match at the end is found twice
                continue
            number, last = number + text.count("\n", max(last, 0), start), start
            end = text.find("\n", start)
            yield number, text[start : end if end >= 0 else None]


def literal(text: str) -> Pattern:
    """What finds the text itself, cut to what a pattern may hold."""
    return Pattern(re2.escape(_encodable(text[: MAX_PATTERN_CHARS // 2])))


def _encodable(text: str) -> str:
    """Half of a surrogate pair becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _compiled(text: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _MAX_MEMORY_BYTES
    options.never_nl = True
    options.log_errors = False
    try:
        return re2.compile(_encodable(text), options)
    except re2.error as error:
        reason = error.args[0]
        raise BadPattern(f"is not understood: {reason.decode(errors='replace')}") from None
