"""A file's bytes as lines that an edit can be compared with, and that give back the same bytes.

Line ends and a byte-order mark are kept beside the words: an edit says nothing about them, so
nothing of them may change. Bytes that are not UTF-8 travel as surrogates and come back as they
were.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

BOM = "\ufeff"

_PLAIN = {
    **dict.fromkeys(map(ord, "‘’‚‛′ʼ"), "'"),
    **dict.fromkeys(map(ord, "“”„‟″«»"), '"'),
    **dict.fromkeys(map(ord, "‐‑‒–—―−"), "-"),
    **dict.fromkeys([0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " "),
    **dict.fromkeys([0x200B, 0x2060, 0xFEFF], ""),
    ord("…"): "...",
}
"""What typography, chat windows and models make of plain characters, and what those were."""


_MOST_MARKS = 30


def plain(text: str) -> str:
    """The text with typographic quotes, dashes, spaces and ellipses as a keyboard types them."""
    if text.isascii():
        return text
    return composed(text.translate(_PLAIN))


def composed(text: str) -> str:
    """Letters and their marks as one sign, where there is one (NFC); as it stands where one letter
    has marks without end."""
    return unicodedata.normalize("NFC", text) if _is_stream_safe(text) else text


def _is_stream_safe(text: str) -> bool:
    """Whether no letter has more marks than any writing puts on one: to normalize takes time
    quadratic in their number, in one call that no other thread gets a turn in.
    https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format"""
    marks = 0
    for sign in text:
        marks = marks + 1 if unicodedata.combining(sign) else 0
        if marks > _MOST_MARKS:
            return False
    return True


Key = Callable[[str], str]


def exact(line: str) -> str:
    return line


def trimmed(line: str) -> str:
    return line.rstrip()


def folded(line: str) -> str:
    return plain(line).rstrip()


def unindented(line: str) -> str:
    return plain(line).strip()


def collapsed(line: str) -> str:
    return " ".join(plain(line).split())


Spend = Callable[[int], None]
_NS_OF_A_LINE = 200
_NS_OF_A_CHAR = 5
_BLANK = 1 << 60


def _freely(_work_ns: int) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Text:
    """`bodies[i] + ends[i]` are the file's lines; an end is "\\n", "\\r\\n", "\\r", or "" after the
    last line where nothing ends it."""

    bom: str
    bodies: list[str]
    ends: list[str]
    spend: Spend = _freely
    """Is told of the work that is done on the text, in about nanoseconds; it may raise where that
    was enough."""
    _keyed: dict[Key, str] = field(default_factory=dict, repr=False)

    def keyed(self, key: Key) -> str:
        """All lines by `key`, each one between two newlines, so that a run of lines is found as one
        string."""
        if key not in self._keyed:
            self.pass_over()
            self._keyed[key] = joined(map(key, self.bodies))
        return self._keyed[key]

    def pass_over(self, times: int = 1) -> None:
        """Spends what looking at every line costs."""
        self.spend(times * (_NS_OF_A_LINE * len(self.bodies) + _NS_OF_A_CHAR * self._size))

    @cached_property
    def depths(self) -> list[int]:
        """The indentation of each line, in columns; that of a blank line is deeper than any."""
        self.pass_over()
        return [_BLANK if is_blank(body) else _depth(body) for body in self.bodies]

    @cached_property
    def _size(self) -> int:
        return sum(map(len, self.bodies))

    @cached_property
    def line_end(self) -> str:
        """The one that most lines have; "\\n" for a file without any."""
        return max(("\n", "\r\n", "\r"), key=self.ends.count)

    def render(self) -> str:
        return self.bom + "".join(
            body + end for body, end in zip(self.bodies, self.ends, strict=True)
        )


def joined(lines: Iterable[str]) -> str:
    return "\n".join(["", *lines, ""])


def split_kept(text: str) -> list[str]:
    """The lines with their newlines; only LF ends one."""
    *lines, last = text.split("\n")
    return [line + "\n" for line in lines] + ([last] if last else [])


def decode(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def split(text: str, spend: Spend = _freely) -> Text:
    """Lines end at LF or CRLF only, or at CR in a file that has no LF at all: never at a form feed
    or U+2028."""
    bom = BOM if text.startswith(BOM) else ""
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
    return Text(bom, bodies, ends, spend)


def signs(lines: Iterable[str]) -> int:
    """How many letters and digits there are: what lines can be known by."""
    return sum(map(str.isalnum, "".join(lines)))


def _depth(line: str) -> int:
    indent = line[: len(line) - len(line.lstrip())].expandtabs(8)
    return len(indent)


def is_blank(line: str) -> bool:
    return not line.strip()


def blank_ends(lines: Sequence[str]) -> tuple[int, int]:
    """How many blank lines stand at the start and at the end; a wholly blank sequence counts as all
    start."""
    start = 0
    while start < len(lines) and is_blank(lines[start]):
        start += 1
    end = 0
    while end < len(lines) - start and is_blank(lines[len(lines) - 1 - end]):
        end += 1
    return start, end
