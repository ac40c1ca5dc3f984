"""The map of a repository, by which one question of the model finds what is not shown: its top
directory, what the shown code calls and who calls it, and the files that are likely to matter with
the definitions that fit the task best.

Calls are resolved by name alone, and only among the candidates: a name that several of them define
stands for all of these."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.change.context.definitions import Definition
from bot.change.context.pieces import Piece, merge_ranges
from bot.change.context.ranking import RankedFile
from bot.change.context.source import Extent, Source, find_segment
from bot.change.tokens import estimate_tokens
from bot.types import Excerpt
from bot.types.snapshot import LineRange

_MAX_TOP_ENTRIES = 40
_MAX_FILES = 30
_MIN_SCORE = 0.4
"""Of a definition, relative to the best one of its file."""
_MAX_SIGNATURE_CHARS = 80
_MAX_SUBJECTS = 6
"""Shown definitions whose calls are looked up."""
_MAX_HOMONYMS = 3
_MAX_CALLED = 12
_MAX_CALLERS = 8
_MAX_CALLERS_OF_ONE = 5
_CALL = re.compile(rb"\b([A-Za-z_]\w{2,60})\(")


@dataclass(frozen=True, slots=True)
class Detail:
    """Of how many files definitions are named, and how many of each."""

    files: int
    definitions: int


PATHS_ONLY = Detail(0, 0)
BRIEF = Detail(10, 3)
WIDE = Detail(30, 16)

ShownLines = Mapping[str, Sequence[LineRange]]
"""By path: the lines that are shown, in order; no two ranges touch."""
Place = tuple[Source, Definition]


def render_map(
    paths: Sequence[str],
    files: Sequence[RankedFile],
    pieces: Sequence[Piece],
    shown: Sequence[Excerpt],
    *,
    budget_tokens: int,
    detail: Detail = BRIEF,
) -> str:
    """Whole lines only, `budget_tokens` at most. `pieces` are those of the files, best first."""
    lines = _shown_lines(shown)
    by_file: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_file.setdefault(piece.file, []).append(piece)
    text = ""
    for block in (
        _render_top(paths),
        *_render_calls(files, pieces, lines),
        *(
            _render_file(
                each,
                by_file.get(number, ()) if number < detail.files else (),
                lines,
                detail.definitions,
            )
            for number, each in enumerate(files[:_MAX_FILES])
        ),
    ):
        if block and estimate_tokens(text + block) <= budget_tokens:
            text += block
    return text


def _render_top(paths: Sequence[str]) -> str:
    counts: Counter[str] = Counter()
    for path in paths:
        name, slash, _ = path.partition("/")
        counts[name + slash] += 1
    entries = [
        f"{name} ({count})" if name.endswith("/") else name
        for name, count in sorted(counts.items())
    ]
    left_out = len(entries) - _MAX_TOP_ENTRIES
    more = f", and {left_out} more" if left_out > 0 else ""
    return f"{len(paths)} files: {', '.join(entries[:_MAX_TOP_ENTRIES])}{more}\n"


def _render_calls(
    files: Sequence[RankedFile], pieces: Sequence[Piece], shown: ShownLines
) -> Iterator[str]:
    """What the likeliest shown definitions call, and who calls them: lines for what is not shown."""
    subjects = [
        piece
        for piece in pieces
        if piece.extent and _shows(shown, files[piece.file].path, piece.start)
    ][:_MAX_SUBJECTS]
    definitions = _find_definitions(files)
    called = Counter(
        name
        for piece in subjects
        for name in set(
            _CALL.findall(files[piece.file].candidate.source.bytes(piece.start, piece.end))
        )
    )
    by_rareness = sorted(called, key=lambda name: (len(definitions.get(name, ())), name))
    lines = [
        line
        for name in by_rareness
        if len(definitions.get(name, ())) <= _MAX_HOMONYMS
        for line in _render_places(definitions.get(name, ()), shown)
    ]
    if lines:
        yield "Called in what is shown, and defined elsewhere:\n" + "".join(lines[:_MAX_CALLED])
    names = dict.fromkeys(piece.extent.definition.name for piece in subjects if piece.extent)
    callers = [line for name in names for line in _render_callers(name, files, shown)]
    if callers:
        yield "Callers of what is shown:\n" + "".join(callers[:_MAX_CALLERS])


def _find_definitions(files: Sequence[RankedFile]) -> dict[bytes, list[Place]]:
    """By name: where the source files define it."""
    found: dict[bytes, list[Place]] = {}
    for each in files:
        if each.candidate.file.kind == "source":
            for definition in each.candidate.source.definitions:
                place = (each.candidate.source, definition)
                found.setdefault(definition.name.encode(), []).append(place)
    return found


def _shown_lines(shown: Sequence[Excerpt]) -> ShownLines:
    ranges: dict[str, list[LineRange]] = {}
    for each in shown:
        ranges.setdefault(each.path, []).append((each.start, each.end))
    return {path: merge_ranges(of_file) for path, of_file in ranges.items()}


def _shows(shown: ShownLines, path: str, line: int) -> bool:
    ranges = shown.get(path, ())
    index = bisect_right(ranges, line, key=lambda each: each[0]) - 1
    return index >= 0 and line <= ranges[index][1]


def _render_places(places: Sequence[Place], shown: ShownLines) -> list[str]:
    """Nothing if one of the places is shown."""
    if any(_shows(shown, source.path, definition.line) for source, definition in places):
        return []
    return [
        f"  {source.path}:{definition.line}: {definition.signature[:_MAX_SIGNATURE_CHARS]}\n"
        for source, definition in places
    ]


def _render_callers(name: str, files: Sequence[RankedFile], shown: ShownLines) -> Iterator[str]:
    """One line for each place that calls it; none if they are many."""
    lines: list[str] = []
    for each in files:
        source = each.candidate.source
        if each.candidate.file.kind != "source" or source.has_long_lines:
            continue
        defined = {each.line for each in source.definitions if each.name == name}
        for line in _find_calls(source, name):
            if line in defined or _shows(shown, source.path, line):
                continue
            segment = find_segment(each.candidate.segments, line)
            within = f" in {segment.extent.name}" if segment and segment.extent else ""
            lines.append(f"  {name}: {source.path}:{line}{within}\n")
            if len(lines) > _MAX_CALLERS_OF_ONE:
                return
    yield from lines


def _find_calls(source: Source, name: str) -> Iterator[int]:
    """The lines with the name and a bracket behind it."""
    content, wanted = source.content, f"{name}(".encode()
    at = content.find(wanted)
    while at >= 0:
        before = content[at - 1 : at]
        if not (before.isalnum() or before == b"_"):
            yield bisect_right(source.offsets, at)
        at = content.find(wanted, at + 1)


def _render_file(
    ranked: RankedFile, pieces: Sequence[Piece], shown: ShownLines, most_definitions: int
) -> str:
    """The file's likeliest definitions that no excerpt shows; "" if the whole file is shown."""
    source = ranked.candidate.source
    if shown.get(source.path) == [(1, len(source.lines))]:
        return ""
    hidden = dict.fromkeys(
        piece.extent
        for piece in pieces
        if piece.extent
        and piece.score >= _MIN_SCORE
        and not _shows(shown, source.path, piece.extent.definition.line)
    )
    likeliest = sorted(list(hidden)[:most_definitions], key=lambda each: each.definition.line)
    named = "".join(
        f"  {each.definition.line}: {_signature(each)[:_MAX_SIGNATURE_CHARS]}\n"
        for each in likeliest
    )
    return f"{source.path} ({len(source.lines)} lines)\n{named}"


def _signature(extent: Extent) -> str:
    own = extent.definition.signature
    return own if extent.parent is None else f"{extent.parent.definition.name}: {own}"
