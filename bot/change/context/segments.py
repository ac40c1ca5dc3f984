"""A file cut into pieces that make sense alone: its head, then definition by definition, long ones
at blank lines.

The repository in brief: its top, and the signatures of the likely files that are not shown, to ask
from.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.change.context.definitions import Definition, find_definitions
from bot.change.tokens import estimate_tokens
from bot.types import Excerpt
from bot.types.text import read_text

MAX_SEGMENT_LINES = 60
_MIN_CHUNK_LINES = 25
MAX_LINE_CHARS = 2_000
"""A file with a longer line is shown only whole: such lines are data or minified code."""

_LEADING = re.compile(
    r"\s*(@|#(?!\s*(if|else|endif|include|define))|//|/\*|\*|--|\"\"\"|<!--|\[\w)"
)


@dataclass(frozen=True, slots=True)
class Segment:
    """1-based, inclusive lines. `definition` is what begins there; `parent` the definition around
    it."""

    start: int
    end: int
    definition: Definition | None = None
    parent: Definition | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A text file's lines, ends kept, and its definitions."""

    path: str
    content: bytes
    lines: tuple[str, ...]
    definitions: tuple[Definition, ...]
    has_long_lines: bool

    offsets: tuple[int, ...]
    """Where each line begins in `content`, and its length."""

    def bytes(self, start: int, end: int) -> bytes:
        return self.content[self.offsets[start - 1] : self.offsets[end]]

    def text(self, start: int, end: int) -> str:
        return "".join(self.lines[start - 1 : end])


def read_source(path: str, content: bytes) -> Source | None:
    """None where the content is no text that may be shown."""
    text = read_text(content)
    if text is None:
        return None
    content = text.encode()
    lines = tuple(re.findall(r"[^\n]*\n|[^\n]+", text))
    long = any(len(line) > MAX_LINE_CHARS for line in lines)
    breaks = [match.end() for match in re.finditer(rb"\n", content)]
    offsets = (0, *breaks) if content.endswith(b"\n") else (0, *breaks, len(content))
    return Source(
        path, content, lines, () if long else find_definitions(path, content), long, offsets
    )


def cut(source: Source) -> tuple[Segment, ...]:
    """The file as consecutive segments, without gaps."""
    starts = _starts(source)
    bounds = [1, *(line for line, _, _ in starts if line > 1), len(source.lines) + 1]
    owners = {line: (definition, parent) for line, definition, parent in starts}
    return tuple(
        segment
        for begin, after in pairwise(bounds)
        if after > begin
        for segment in _split(source, begin, after - 1, *owners.get(begin, (None, None)))
    )


def _starts(source: Source) -> list[tuple[int, Definition, Definition | None]]:
    """Where segments begin: each definition at the top of the file or directly inside another, with
    the comments and decorators above it."""
    stack: list[tuple[int, Definition]] = []
    starts: list[tuple[int, Definition, Definition | None]] = []
    for definition in source.definitions:
        if definition.line > len(source.lines):
            break
        indent = _indent(source.lines[definition.line - 1])
        while stack and stack[-1][0] >= indent:
            stack.pop()
        if len(stack) < 2:
            begin = _with_leading(source.lines, definition.line, starts[-1][0] + 1 if starts else 1)
            starts.append((begin, definition, stack[-1][1] if stack else None))
        stack.append((indent, definition))
    return starts


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _with_leading(lines: Sequence[str], line: int, lowest: int) -> int:
    while line - 1 > lowest and _LEADING.match(lines[line - 2]):
        line -= 1
    return line


def _split(
    source: Source, start: int, end: int, definition: Definition | None, parent: Definition | None
) -> Iterator[Segment]:
    """A long segment in chunks that end at blank lines where there are some."""
    while end - start >= MAX_SEGMENT_LINES:
        stop = start + MAX_SEGMENT_LINES - 1
        blank = next(
            (
                n
                for n in range(stop, start + _MIN_CHUNK_LINES, -1)
                if not source.lines[n - 1].strip()
            ),
            stop,
        )
        yield Segment(start, blank, definition, parent)
        start = blank + 1
    yield Segment(start, end, definition, parent)


def segment_at(segments: Sequence[Segment], line: int) -> Segment | None:
    """The segment that holds the line."""
    index = bisect_right(segments, line, key=lambda segment: segment.start) - 1
    return segments[index] if index >= 0 and line <= segments[index].end else None


_MAX_TOP = 40
_MAX_SIGNATURES = 8
_MAX_SIGNATURE_CHARS = 100


def render_outline(
    paths: Iterable[str],
    candidates: Sequence[Source],
    shown: Sequence[Excerpt],
    *,
    budget_tokens: int,
) -> str:
    """At most `budget_tokens`; whole lines only."""
    blocks = [_top(paths), *(_signatures(source, shown) for source in candidates)]
    text = ""
    for block in blocks:
        if block and estimate_tokens(text + block) <= budget_tokens:
            text += block
    return text


def _top(paths: Iterable[str]) -> str:
    counts: Counter[str] = Counter()
    total = 0
    for path in paths:
        first, slash, _ = path.partition("/")
        counts[first + slash] += 1
        total += 1
    entries = [
        f"{name} ({count} files)" if name.endswith("/") else name
        for name, count in sorted(counts.items())
    ]
    more = f", and {len(entries) - _MAX_TOP} more" if len(entries) > _MAX_TOP else ""
    return f"{total} files: {', '.join(entries[:_MAX_TOP])}{more}\n"


def _signatures(source: Source, shown: Sequence[Excerpt]) -> str:
    ranges = sorted((each.start, each.end) for each in shown if each.path == source.path)
    if ranges and ranges[0] == (1, len(source.lines)):
        return ""
    hidden = [
        definition for definition in source.definitions if not _is_in(ranges, definition.line)
    ]
    lines = [
        f"  {each.line}: {each.signature[:_MAX_SIGNATURE_CHARS]}\n"
        for each in hidden[:_MAX_SIGNATURES]
    ]
    more = f"  … {len(hidden) - _MAX_SIGNATURES} more\n" if len(hidden) > _MAX_SIGNATURES else ""
    return f"{source.path} ({len(source.lines)} lines)\n{''.join(lines)}{more}"


def _is_in(ranges: Sequence[tuple[int, int]], line: int) -> bool:
    """Whether one of the ranges, which are in order and apart, holds the line."""
    index = bisect_right(ranges, line, key=lambda each: each[0]) - 1
    return index >= 0 and line <= ranges[index][1]
