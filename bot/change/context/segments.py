"""Cuts a source file into segments that make sense alone: its head, then one segment for each
definition; long ones are cut at blank lines. Excerpts are made of whole segments."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.change.context.source import Extent, Source, find_extents

MAX_SEGMENT_LINES = 60
_MIN_SEGMENT_LINES = 25
"""A long segment is not cut at a blank line before this many lines."""
_MAX_NESTING = 2
"""Definitions begin a segment at the top of the file and directly inside one other definition."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Successive lines of a file, 1-based and inclusive."""

    start: int
    end: int
    extent: Extent | None = None
    """The innermost definition that all of the lines are in, of those that begin segments."""


def split_segments(source: Source) -> tuple[Segment, ...]:
    """The whole file as segments, without gaps."""
    extents = [each for each in find_extents(source) if each.depth < _MAX_NESTING]
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
