"""Cuts a source file into segments that make sense alone: its head, then one segment for each
definition; long ones are cut at blank lines. Excerpts are made of whole segments."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.change.context.definitions import Definition, find_definitions
from bot.types.text import read_text

MAX_SEGMENT_LINES = 60
_MIN_SEGMENT_LINES = 25
"""A long segment is not cut at a blank line before this many lines."""
MAX_LINE_CHARS = 2_000
"""A file with a longer line is data or minified code: it is one segment without definitions."""
_MAX_NESTING = 2
"""Definitions begin a segment at the top of the file and directly inside one other definition."""

_BELONGS_BELOW = re.compile(
    r"\s*(@|#(?!\s*(if|else|endif|include|define))|//|/\*|\*|--|\"\"\"|<!--|\[\w)"
)
"""A decorator or comment belongs to the definition below it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Successive lines of a file, 1-based and inclusive."""

    start: int
    end: int
    definition: Definition | None = None
    """The definition that begins here, or whose chunk this is."""
    parent: Definition | None = None
    """The definition around it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text file in lines, with their ends, and its definitions."""

    path: str
    content: bytes
    lines: tuple[str, ...]
    definitions: tuple[Definition, ...]
    has_long_lines: bool
    offsets: tuple[int, ...]
    """Where each line begins in `content`; the last is the length of `content`."""

    def bytes(self, start: int, end: int) -> bytes:
        return self.content[self.offsets[start - 1] : self.offsets[end]]

    def text(self, start: int, end: int) -> str:
        return "".join(self.lines[start - 1 : end])


def read_source(path: str, content: bytes) -> Source | None:
    """None if the content is not text."""
    text = read_text(content)
    if text is None:
        return None
    content = text.encode()
    lines = tuple(re.findall(r"[^\n]*\n|[^\n]+", text))
    has_long_lines = any(len(line) > MAX_LINE_CHARS for line in lines)
    line_ends = [match.end() for match in re.finditer(rb"\n", content)]
    if not content.endswith(b"\n"):
        line_ends.append(len(content))
    return Source(
        path,
        content,
        lines,
        definitions=() if has_long_lines else find_definitions(path, content),
        has_long_lines=has_long_lines,
        offsets=(0, *line_ends),
    )


def split_segments(source: Source) -> tuple[Segment, ...]:
    """The whole file as segments, without gaps."""
    segments: list[Segment] = []
    starts = _find_starts(source)
    owners = {line: (definition, parent) for line, definition, parent in starts}
    bounds = [1, *(line for line, _, _ in starts if line > 1), len(source.lines) + 1]
    for start, next_start in pairwise(bounds):
        if next_start > start:
            definition, parent = owners.get(start, (None, None))
            segment = Segment(start, next_start - 1, definition, parent)
            segments.extend(_split_long(source, segment))
    return tuple(segments)


def _find_starts(source: Source) -> list[tuple[int, Definition, Definition | None]]:
    """The lines where segments begin, each with its definition and the one around that."""
    enclosing: list[tuple[int, Definition]] = []  # with their indentation, the outermost first
    starts: list[tuple[int, Definition, Definition | None]] = []
    for definition in source.definitions:
        if definition.line > len(source.lines):
            break
        indent = _indent_of(source.lines[definition.line - 1])
        while enclosing and enclosing[-1][0] >= indent:
            enclosing.pop()
        if len(enclosing) < _MAX_NESTING:
            lowest = starts[-1][0] + 1 if starts else 1
            start = _include_lines_above(source.lines, definition.line, lowest)
            starts.append((start, definition, enclosing[-1][1] if enclosing else None))
        enclosing.append((indent, definition))
    return starts


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _include_lines_above(lines: Sequence[str], line: int, lowest: int) -> int:
    while line - 1 > lowest and _BELONGS_BELOW.match(lines[line - 2]):
        line -= 1
    return line


def _split_long(source: Source, segment: Segment) -> Iterator[Segment]:
    """The segment in chunks of at most `MAX_SEGMENT_LINES`, which end at blank lines if
    possible."""
    start = segment.start
    while segment.end - start >= MAX_SEGMENT_LINES:
        end = _find_chunk_end(source, start)
        yield Segment(start, end, segment.definition, segment.parent)
        start = end + 1
    yield Segment(start, segment.end, segment.definition, segment.parent)


def _find_chunk_end(source: Source, start: int) -> int:
    last = start + MAX_SEGMENT_LINES - 1
    for line in range(last, start + _MIN_SEGMENT_LINES, -1):
        if not source.lines[line - 1].strip():
            return line
    return last


def find_segment(segments: Sequence[Segment], line: int) -> Segment | None:
    """The segment that holds the line."""
    index = bisect_right(segments, line, key=lambda segment: segment.start) - 1
    return segments[index] if index >= 0 and line <= segments[index].end else None
