"""Regular expressions that a model wrote.

Python's `re` backtracks: a pattern such as `(a+)+$` can run for ever, and nothing can stop it. RE2
takes time linear in the text, and has no look-around and no back-references:
https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from collections.abc import Iterator

import re2

MAX_PATTERN_CHARS = 500
_MAX_PATTERN_BYTES = 1 << 18
"""Memory of a compiled pattern with its cached states: it has some 3,000 instructions at most."""
_MAX_ESCAPE_CHARS = 4
"""What one character becomes, as in `\\x00`."""


class BadPattern(ValueError):
    """The pattern is not valid, or cannot be searched in linear time."""


class Pattern:
    """A regular expression that takes linear time."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN_CHARS:
            raise BadPattern(f"is longer than {MAX_PATTERN_CHARS} characters")
        self._anywhere = _compile(f"(?m){text}")
        self._line = _compile(f"(?m)^.*(?:{text})")
        self.instructions: int = self._line.programsize
        """The steps that a character of text costs in the worst case."""

    def find_lines(self, text: str) -> Iterator[tuple[int, str]]:
        """The lines that hold a match, without their ends, with their 1-based numbers."""
        text = text.replace("\r\n", "\n")
        if not self._anywhere.search(text):
            return
        number = 1
        last_start = -1
        for match in self._line.finditer(text):
            start = match.start()
            if start == last_start:  # RE2 finds an empty match at the end twice
                continue
            number += text.count("\n", max(last_start, 0), start)
            last_start = start
            end = text.find("\n", start)
            yield number, text[start : end if end >= 0 else None]


def literal_pattern(text: str) -> Pattern:
    """A pattern that finds the text itself; a long text is cut."""
    for share in (2, _MAX_ESCAPE_CHARS):
        escaped = re2.escape(_encodable(text[: MAX_PATTERN_CHARS // share]))
        if len(escaped) <= MAX_PATTERN_CHARS:
            break
    return Pattern(escaped)


def _compile(text: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _MAX_PATTERN_BYTES
    options.never_nl = True
    options.log_errors = False
    try:
        return re2.compile(_encodable(text), options)
    except re2.error as error:
        reason = error.args[0]
        raise BadPattern(f"is not understood: {reason.decode(errors='replace')}") from None


def _encodable(text: str) -> str:
    """The text with a replacement character for each half of a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
