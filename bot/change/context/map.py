"""The map of a repository: its top directory, and the files that are likely to matter with the
definitions that fit the task best, so that one question of the model finds the rest."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

from bot.change.context.pieces import Piece
from bot.change.context.ranking import RankedFile
from bot.change.tokens import estimate_tokens
from bot.types import Excerpt
from bot.types.snapshot import LineRange

_MAX_TOP_ENTRIES = 40
_MAX_FILES = 30
_MAX_DEFINITIONS = 3
"""Of each file."""
_MIN_SCORE = 0.25
"""Of a definition, relative to the best one of its file."""
_MAX_SIGNATURE_CHARS = 80


def render_map(
    paths: Sequence[str],
    files: Sequence[RankedFile],
    pieces: Iterable[Piece],
    shown: Sequence[Excerpt],
    *,
    budget_tokens: int,
) -> str:
    """Whole lines only, `budget_tokens` at most. `pieces` are those of the files, best first."""
    by_file: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_file.setdefault(piece.file, []).append(piece)
    text = ""
    for block in (
        _render_top(paths),
        *(
            _render_file(each, by_file.get(number, ()), shown)
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


def _render_file(ranked: RankedFile, pieces: Sequence[Piece], shown: Sequence[Excerpt]) -> str:
    """The file's likeliest definitions that no excerpt shows; "" if the whole file is shown."""
    source = ranked.candidate.source
    ranges = sorted((each.start, each.end) for each in shown if each.path == source.path)
    if ranges and ranges[0] == (1, len(source.lines)):
        return ""
    hidden = dict.fromkeys(
        piece.extent
        for piece in pieces
        if piece.extent
        and piece.score >= _MIN_SCORE
        and not _is_within(ranges, piece.extent.definition.line)
    )
    likeliest = sorted(list(hidden)[:_MAX_DEFINITIONS], key=lambda each: each.definition.line)
    named = "".join(
        f"  {each.definition.line}: {each.definition.signature[:_MAX_SIGNATURE_CHARS]}\n"
        for each in likeliest
    )
    return f"{source.path} ({len(source.lines)} lines)\n{named}"


def _is_within(ranges: Sequence[LineRange], line: int) -> bool:
    """`ranges` are in order and do not overlap."""
    index = bisect_right(ranges, line, key=lambda each: each[0]) - 1
    return index >= 0 and line <= ranges[index][1]
