"""What of the best files is shown: the pieces that most likely hold what must be changed, for the room they take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.core.context.ranking import Ranked
from bot.core.context.segments import Source, segment_at
from bot.core.tokens import estimate_tokens
from bot.core.types import Excerpt

_WHOLE_TOKENS = 1_000
_WHOLE_SHARE = 0.1
"""A file is shown whole where it takes no more than this, and no more than this share of the budget."""
_SHARPNESS = 2.0
"""How much surer a piece with a higher score is."""
_DENSITY = 0.5
"""How much room counts against a piece: 0 not at all, 1 in proportion."""
_NEIGHBOURS = 0.1
"""What of a piece's chance the ones beside it have too."""
_HEAD = 0.1
"""The least chance of a file's head: many a change needs one import more."""
_FRAME_TOKENS = 18
"""What the prompt adds around each excerpt, beside its path."""
_BRIDGE_LINES = 8
"""Two excerpts of a file with no more lines between them read better as one."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of a file that is shown as one or not at all; `value` is the chance that it is needed."""

    rank: int
    start: int
    end: int
    tokens: int
    value: float


def pack(files: Sequence[Ranked], *, budget_tokens: int) -> tuple[Excerpt, ...]:
    """Excerpts in the files' order, each file's in the order of its lines."""
    whole_tokens = min(_WHOLE_TOKENS, int(budget_tokens * _WHOLE_SHARE))
    pieces = [piece for n, ranked in enumerate(files) for piece in _pieces(n, ranked, whole_tokens)]
    pieces.sort(key=lambda piece: (-piece.value / piece.tokens**_DENSITY, piece.rank, piece.start))
    frames = [_FRAME_TOKENS + estimate_tokens(ranked.path) for ranked in files]
    chosen: dict[int, list[_Piece]] = {}
    above: set[tuple[int, int]] = set()
    below: set[tuple[int, int]] = set()
    """Of the chosen pieces, by file: the line before each, on which a neighbour ends, and the line after it."""
    left = budget_tokens
    for piece in pieces:
        touching = ((piece.rank, piece.start) in below) + ((piece.rank, piece.end) in above)
        cost = piece.tokens + frames[piece.rank] * (1 - touching)
        if cost <= left:
            chosen.setdefault(piece.rank, []).append(piece)
            above.add((piece.rank, piece.start - 1))
            below.add((piece.rank, piece.end + 1))
            left -= cost
    excerpts: list[Excerpt] = []
    for n in sorted(chosen):
        ranges, left = _bridged(files[n].candidate.source, list(_joined(chosen[n])), left)
        excerpts += _excerpts(files[n], ranges, frames[n])
    return tuple(excerpts)


def _pieces(rank: int, ranked: Ranked, whole_tokens: int) -> Iterator[_Piece]:
    source, segments = ranked.candidate.source, ranked.candidate.segments
    total = estimate_tokens(source.text(1, len(source.lines)), safe=source.has_long_lines)
    if total <= whole_tokens or source.has_long_lines:
        if source.lines:
            yield _Piece(rank, 1, len(source.lines), total, ranked.chance)
        return
    for segment, chance in zip(segments, _chances(ranked), strict=True):
        tokens = max(1, estimate_tokens(source.text(segment.start, segment.end)))
        yield _Piece(rank, segment.start, segment.end, tokens, ranked.chance * (chance + tokens / total))


def _chances(ranked: Ranked) -> list[float]:
    """How likely each segment is needed, by its words and place; beside that, any is by its size alone."""
    scores = [score**_SHARPNESS for score in _segment_scores(ranked)]
    whole = sum(scores) or 1.0
    own = [0.0, *(score / whole for score in scores), 0.0]
    chances = [one + _NEIGHBOURS * (before + after) for before, one, after in zip(own, own[1:], own[2:], strict=False)]
    return [max(_HEAD, chances[0]), *chances[1:]]


def _segment_scores(ranked: Ranked) -> list[float]:
    segments = ranked.candidate.segments
    pointed = {segment_at(segments, line) for line in ranked.lines}
    best = max(ranked.candidate.segment_scores, default=1.0)
    return [
        score + (2 * best if segment in pointed else 0.0)
        for segment, score in zip(segments, ranked.candidate.segment_scores, strict=True)
    ]


def _joined(pieces: Iterable[_Piece]) -> Iterator[tuple[int, int]]:
    """Line ranges; neighbours become one."""
    start = end = 0
    for piece in sorted(pieces, key=lambda each: each.start):
        if start and piece.start != end + 1:
            yield start, end
        if piece.start != end + 1 or not start:
            start = piece.start
        end = piece.end
    if start:
        yield start, end


def _bridged(source: Source, ranges: list[tuple[int, int]], left: int) -> tuple[list[tuple[int, int]], int]:
    """The ranges, with short gaps closed as far as `left` tokens go; and what is left of them."""
    closed = ranges[:1]
    for start, end in ranges[1:]:
        begin, before = closed[-1]
        cost = estimate_tokens(source.text(before + 1, start - 1))
        if start - before - 1 <= _BRIDGE_LINES and cost <= left:
            closed[-1] = (begin, end)
            left -= cost
        else:
            closed.append((start, end))
    return closed, left


def _excerpts(ranked: Ranked, ranges: Iterable[tuple[int, int]], frame_tokens: int) -> Iterator[Excerpt]:
    for start, end in ranges:
        text = ranked.candidate.source.text(start, end)
        yield Excerpt(ranked.path, start, end, text, estimate_tokens(text) + frame_tokens, ranked.why)
