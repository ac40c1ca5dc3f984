"""A source file in lines, with the extent of each of its definitions: from its decorators and
comments to its last line. Found by indentation, since no parser covers all languages.

Its segments are parts that make sense alone: the file's head, then one for each definition; long
ones are cut at blank lines. What is shown of a file is made of whole segments."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.change.context.definitions import Definition, find_definitions
from bot.change.context.paths import language_of
from bot.types.snapshot import LineRange
from bot.types.text import read_text

MAX_LINE_CHARS = 2_000
"""A file with a longer line is data or minified code: it has no definitions."""

_BELONGS_BELOW = re.compile(r"\s*(@|#(?!\s*(if|else|endif|include|define))|//|/\*|\*|--|<!--|\[\w)")
"""A decorator or comment belongs to the definition below it."""
_COMMENT = re.compile(r"#|//|/\*|\*|--|<!--")
_LABEL = re.compile(r"\w+:\s*$")
_LABELLED = ("c", "go")
_CONTINUES = re.compile(r"[)\]{]|\}?\s*(?:->|:)|(?:then|do|begin|where)\b")
"""The end of a definition's head over several lines: `) -> int:`, or a brace of its own line."""
_CLOSES = re.compile(r"\}|end\b")
"""The last line of a block that is no deeper than its first."""
_BRACKETS = re.compile(r"\s*[)\]}]+\s*(?:#.*)?$")
_MAX_DECORATOR_LINES = 30
_DOCSTRING = re.compile(r"[rRuU]?(\"\"\"|\'\'\')")
_OVERLOAD = re.compile(r"\s*@(?:\w+\.)?overload\b")
MIN_FOLDED_LINES = 20
"""A docstring or comment with this many lines after its first is folded."""
_KEPT_LINES = 3
_KEPT_AT_END = 6
"""Of its beginning, and of its end: where entries such as `.. versionchanged::` are added."""
MAX_SEGMENT_LINES = 60
_MIN_SEGMENT_LINES = 25
"""A long segment is not cut at a blank line before this many lines."""
_MAX_NESTING = 2
"""Definitions begin a segment at the top of the file and directly inside one other definition."""
_HAS_MEMBERS = re.compile(
    r"\b(?:class|interface|enum|struct|union|trait|impl|record|module|mod|namespace|object|protocol"
    r"|extension|mixin|defmodule|defprotocol|defimpl)\b"
)

_QUOTES = re.compile(r'"""|\'\'\'')


@dataclass(frozen=True, slots=True)
class Extent:
    """The lines of a definition, 1-based and inclusive, with those above it that belong to it."""

    definition: Definition
    start: int
    end: int
    parent: Extent | None
    depth: int
    """How many definitions are around it."""

    @property
    def name(self) -> str:
        """With the name around it: `Parser.parse`."""
        own = self.definition.name
        return own if self.parent is None else f"{self.parent.definition.name}.{own}"


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
    return None if text is None else make_source(path, text)


def make_source(path: str, text: str) -> Source:
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


def find_extents(source: Source) -> tuple[Extent, ...]:
    """The extent of each definition, in their order. A definition lasts until the next line of code
    that is no deeper than its first one and does not go on with its head."""
    definitions = {each.line: each for each in reversed(source.definitions)}
    open_: list[_Open] = []  # the definitions around the line, outermost first
    found: list[tuple[Definition, int | None]] = []
    ends: list[int] = []
    last = 0
    for number, line in _code_lines(source):
        definition = definitions.get(number) if line else None  # an example in a docstring is none
        if line:
            _close(open_, ends, number, line, last, is_definition=definition is not None)
        if definition is not None:
            found.append((definition, open_[-1].at if open_ else None))
            open_.append(_Open(_indent_of(line), len(ends)))
            ends.append(number)
        last = number
    for each in open_:
        ends[each.at] = last
    extents: list[Extent] = []
    above = 0
    for (definition, parent), end in zip(found, ends, strict=True):
        start = _include_lines_above(source.lines, definition.line, above)
        around = None if parent is None else extents[parent]
        depth = 0 if around is None else around.depth + 1
        extents.append(Extent(definition, start, end, around, depth))
        above = definition.line
    return tuple(extents)


@dataclass(frozen=True, slots=True)
class _Open:
    """A definition whose end is not found yet, by its position among all of them."""

    indent: int
    at: int


def _close(
    open_: list[_Open], ends: list[int], number: int, line: str, last: int, *, is_definition: bool
) -> None:
    """Ends the definitions that the line is not in. `last` is the line of code before it."""
    indent = _indent_of(line)
    while open_ and indent <= open_[-1].indent:
        is_level = indent == open_[-1].indent and not is_definition
        if is_level and _CONTINUES.match(line, indent):
            return
        is_end = is_level and _CLOSES.match(line, indent)
        ends[open_.pop().at] = number if is_end else last
        if is_end:
            return


def enclosing_extent(extents: Sequence[Extent], line: int) -> Extent | None:
    """The innermost definition that the line is in."""
    at = bisect_right(extents, line, key=lambda extent: extent.start) - 1
    extent = extents[at] if at >= 0 else None
    while extent is not None and extent.end < line:
        extent = extent.parent
    return extent


def _code_lines(source: Source) -> Iterator[tuple[int, str]]:
    """The lines whose indentation counts, with their numbers: no blank ones, no comments, no labels
    of C. A line that begins inside a string of several lines is given as ""."""
    definitions = {each.line for each in source.definitions}
    language = language_of(source.path)
    quote = ""
    for number, line in enumerate(source.lines, 1):
        stripped = line.lstrip()
        is_in_string = bool(quote)
        if language == "python":
            for found in _QUOTES.findall(line):
                quote = "" if quote == found else quote or found
        if is_in_string:
            yield number, ""
        elif number in definitions or (
            stripped
            and not _COMMENT.match(stripped)
            and not (language in _LABELLED and _LABEL.match(stripped))
        ):
            yield number, line


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _include_lines_above(lines: Sequence[str], line: int, above: int) -> int:
    """The first of the lines below `above` that belong to the definition on `line`."""
    while line - 1 > above:
        text = lines[line - 2]
        if _BELONGS_BELOW.match(text):
            line -= 1
        elif _BRACKETS.match(text) and (start := _decorator_start(lines, line - 1)) > above:
            line = start
        else:
            break
    return line


def _decorator_start(lines: Sequence[str], end: int) -> int:
    """The first line of the decorator whose last line is a bracket; 0 if it ends none."""
    indent = _indent_of(lines[end - 1])
    for line in range(end - 1, max(0, end - _MAX_DECORATOR_LINES), -1):
        if _indent_of(lines[line - 1]) <= indent:
            return line if lines[line - 1].lstrip().startswith("@") else 0
    return 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Successive lines of a file, 1-based and inclusive."""

    start: int
    end: int
    extent: Extent | None = None
    """The innermost definition that all of the lines are in, of those that begin segments."""


def split_segments(source: Source) -> tuple[Segment, ...]:
    """The whole file as segments, without gaps."""
    extents = [each for each in find_extents(source) if _begins_segment(each)]
    owners: dict[int, Extent | None] = {1: None}
    for extent in extents:
        owners[_after(source, extent.end)] = extent.parent
    owners.update((extent.start, extent) for extent in extents)
    bounds = [
        *sorted(start for start in owners if start <= len(source.lines)),
        len(source.lines) + 1,
    ]
    return tuple(
        part
        for start, next_start in pairwise(bounds)
        for part in _split_long(source, Segment(start, next_start - 1, owners[start]))
    )


def _begins_segment(extent: Extent) -> bool:
    """Whether it is at the top of the file, or a member of what is; a function in a function is a
    part of that."""
    if extent.parent is None:
        return True
    return extent.depth < _MAX_NESTING and bool(
        _HAS_MEMBERS.search(extent.parent.definition.signature)
    )


def _after(source: Source, end: int) -> int:
    """The first line below that is not blank."""
    line = end + 1
    while line <= len(source.lines) and not source.lines[line - 1].strip():
        line += 1
    return line


def _split_long(source: Source, segment: Segment) -> Iterator[Segment]:
    """The segment in chunks of at most `MAX_SEGMENT_LINES`, which end at blank lines if
    possible."""
    start = segment.start
    while segment.end - start >= MAX_SEGMENT_LINES:
        end = _find_chunk_end(source, start)
        yield Segment(start, end, segment.extent)
        start = end + 1
    yield Segment(start, segment.end, segment.extent)


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


def find_overloads(source: Source) -> Iterator[LineRange]:
    """The signatures that Python's type checkers read beside the definition itself."""
    for extent in find_extents(source):
        above = source.lines[extent.start - 1 : extent.definition.line - 1]
        if any(_OVERLOAD.match(line) for line in above):
            yield extent.start, extent.end


def find_long_docs(source: Source) -> Iterator[LineRange]:
    """The middle of long docstrings and comments."""
    start, ending, before = 0, "", ""
    for number, line in enumerate(source.lines, 1):
        stripped = line.strip()
        if start:
            if ending in stripped:
                if number - start >= MIN_FOLDED_LINES:
                    yield start + _KEPT_LINES, number - _KEPT_AT_END
                start = 0
        elif opening := _opening(source.path, stripped, before):
            rest = stripped.partition(opening)[2]
            ending = "*/" if opening == "/*" else opening
            start = 0 if ending in rest else number
        before = stripped or before


def _opening(path: str, line: str, before: str) -> str:
    """How the docstring or comment that begins on the line is opened; "" if none does. `before` is
    the last line that is not blank: a docstring follows the head of a definition."""
    if line.startswith("/*"):
        return "/*"
    if language_of(path) != "python" or not (before.endswith(":") or not before):
        return ""
    docstring = _DOCSTRING.match(line)
    return docstring[1] if docstring else ""
