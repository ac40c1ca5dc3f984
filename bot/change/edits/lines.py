"""A file's bytes as lines that an edit can be compared with, and that give back the same bytes.

Line endings and a byte-order mark are kept beside the lines: an edit says nothing about them, so
they must not change. Bytes that are not UTF-8 become surrogates and are written back as they were.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

LineKey = Callable[[str], str]
"""Two lines count as equal if their keys are: `exact`, `trimmed`, `unindented`, each more tolerant
than the one before."""

_BOM = "\ufeff"
_MAX_COMBINING_MARKS = 30
"""https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format"""


@dataclass(frozen=True, eq=False)
class Text:
    """`bodies[i] + ends[i]` are the file's lines. An end is "\\n", "\\r\\n", "\\r", or "" after a
    last line without line ending."""

    bom: str
    bodies: list[str]
    ends: list[str]
    _by_key: dict[LineKey, str] = field(default_factory=dict, repr=False)

    def join_by_key(self, key: LineKey) -> str:
        """The keys of all lines as `join_lines` gives them, so that a run of lines is found as one
        string. Kept for the next call."""
        if key not in self._by_key:
            self._by_key[key] = join_lines(map(key, self.bodies))
        return self._by_key[key]

    @cached_property
    def ends_of_spans(self) -> list[int]:
        """For each line, the next one that is not indented deeper."""
        ends = [len(self.bodies)] * len(self.bodies)
        open_lines: list[tuple[int, int]] = []
        for number, body in enumerate(self.bodies):
            if is_blank(body):
                continue
            depth = _count_columns(body)
            while open_lines and open_lines[-1][0] >= depth:
                ends[open_lines.pop()[1]] = number
            open_lines.append((depth, number))
        return ends

    @cached_property
    def line_end(self) -> str:
        """The line ending that most lines have; "\\n" if the file has none."""
        return max(("\n", "\r\n", "\r"), key=self.ends.count)

    def slice(self, start: int, end: int) -> Text:
        """Lines [start, end) as a text of their own."""
        return Text("", self.bodies[start:end], self.ends[start:end])

    def lines_with_ends(self) -> list[str]:
        lines = zip(self.bodies, self.ends, strict=True)
        return [body + end for body, end in lines]

    def render(self) -> str:
        return self.bom + "".join(self.lines_with_ends())


def split_lines(text: str) -> Text:
    """A line ends at LF or CRLF, or at CR in a file that has no LF at all; never at a form feed or
    U+2028."""
    bom = _BOM if text.startswith(_BOM) else ""
    text = text[len(bom) :]
    separator = "\r" if "\r" in text and "\n" not in text else "\n"
    bodies = text.split(separator)
    ends = [separator] * (len(bodies) - 1)
    last = bodies.pop()
    for number, body in enumerate(bodies):
        if body.endswith("\r"):
            bodies[number], ends[number] = body[:-1], "\r\n"
    if last:
        bodies.append(last)
        ends.append("")
    return Text(bom, bodies, ends)


def text_of(lines: Sequence[str]) -> Text:
    """The lines as a text in which "\\n" ends each of them."""
    return Text("", list(lines), ["\n"] * len(lines))


def join_lines(lines: Iterable[str]) -> str:
    """Each line between two newlines."""
    return "\n".join(["", *lines, ""])


def decode(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def exact(line: str) -> str:
    return line


def trimmed(line: str) -> str:
    return line.rstrip()


def unindented(line: str) -> str:
    return line.strip(" \t\r\f")


def compose(text: str) -> str:
    """The text in NFC, or unchanged if a letter has more combining marks than any language uses:
    Python's normalization takes time quadratic in their number, and blocks all other threads."""
    marks = 0
    for sign in text:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        if marks > _MAX_COMBINING_MARKS:
            return text
    return unicodedata.normalize("NFC", text)


def count_alphanumerics(lines: Iterable[str]) -> int:
    """How many letters and digits there are, which is how well the lines can be recognized."""
    return sum(map(str.isalnum, "".join(lines)))


def count_blank_ends(lines: Sequence[str]) -> tuple[int, int]:
    """How many blank lines are at the start and at the end; if all lines are blank, they count as
    start."""
    start = 0
    while start < len(lines) and is_blank(lines[start]):
        start += 1
    end = 0
    while end < len(lines) - start and is_blank(lines[len(lines) - 1 - end]):
        end += 1
    return start, end


def count_equal_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many lines are equal at the start and at the end; those at the start are counted first."""
    shorter = min(len(old), len(new))
    top = 0
    while top < shorter and old[top] == new[top]:
        top += 1
    bottom = 0
    while bottom < shorter - top and old[-1 - bottom] == new[-1 - bottom]:
        bottom += 1
    return top, bottom


def is_blank(line: str) -> bool:
    return not line.strip()


def _count_columns(line: str) -> int:
    indent = line[: len(line) - len(line.lstrip())]
    return len(indent.expandtabs(8))
