"""What of the best files is shown: the pieces that say most for the room they take, within the budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.core.context.definitions import Definition
from bot.core.context.ranking import Ranked
from bot.core.context.scan import Matcher
from bot.core.context.segments import Segment, Source, cut, segment_at
from bot.core.context.words import split_words
from bot.core.tokens import estimate_tokens
from bot.core.types import Excerpt

_WHOLE_TOKENS = 1_200
"""A file this small is shown whole."""
_RANK_DECAY = 1.2
_SHARPNESS = 2.0
_DENSITY = 0.8
"""How much room counts against a piece: 0 not at all, 1 in proportion."""
_FRAME_TOKENS = 12
"""What the prompt adds around each excerpt: its path, its lines, a fence."""
_BRIDGE_LINES = 8
"""Two excerpts of a file with no more lines between them read better as one."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of a file that is shown as one or not at all."""

    rank: int
    start: int
    end: int
    tokens: int
    value: float


def pack(
    files: Sequence[tuple[Ranked, Source]], idf: Mapping[str, float], matcher: Matcher, *, budget_tokens: int
) -> tuple[Excerpt, ...]:
    """Excerpts in the files' order, each file's in the order of its lines."""
    pieces = [piece for n, (ranked, source) in enumerate(files) for piece in _pieces(n, ranked, source, idf, matcher)]
    pieces.sort(key=lambda piece: (-piece.value / piece.tokens**_DENSITY, piece.rank, piece.start))
    chosen: dict[int, list[_Piece]] = {}
    left = budget_tokens
    for piece in pieces:
        cost = piece.tokens + _FRAME_TOKENS
        if cost <= left:
            chosen.setdefault(piece.rank, []).append(piece)
            left -= cost
    excerpts: list[Excerpt] = []
    for n in sorted(chosen):
        ranked, source = files[n]
        ranges, left = _bridged(source, list(_joined(chosen[n])), left)
        excerpts += _excerpts(ranked, source, ranges)
    return tuple(excerpts)


def _pieces(rank: int, ranked: Ranked, source: Source, idf: Mapping[str, float], matcher: Matcher) -> Iterator[_Piece]:
    worth = 1.0 / (1 + rank) ** _RANK_DECAY
    total = estimate_tokens(source.text(1, len(source.lines)))
    if total <= _WHOLE_TOKENS or source.has_long_lines:
        if source.lines:
            yield _Piece(rank, 1, len(source.lines), total, worth)
        return
    segments = cut(source)
    scores = [score**_SHARPNESS for score in _segment_scores(segments, source, ranked, idf, matcher)]
    sum_ = sum(scores) or 1.0
    for segment, score in zip(segments, scores, strict=True):
        tokens = estimate_tokens(source.text(segment.start, segment.end))
        if score > 0:
            yield _Piece(rank, segment.start, segment.end, max(1, tokens), worth * score / sum_)


def _segment_scores(
    segments: Sequence[Segment], source: Source, ranked: Ranked, idf: Mapping[str, float], matcher: Matcher
) -> list[float]:
    counted = [matcher.counts(split_words(source.text(each.start, each.end).encode())) for each in segments]
    pointed = {segment_at(segments, line) for line in ranked.lines}
    scores = []
    for segment, counts in zip(segments, counted, strict=True):
        score = sum(idf[term] * count / (count + 1.0) for term, count in counts.items())
        score += 2.0 * _name_score(segment.definition, idf, matcher) + 0.7 * _name_score(segment.parent, idf, matcher)
        score = max(score, 0.0)
        scores.append(score + (3.0 * max(score, 1.0) if segment in pointed else 0.0))
    return scores


def _name_score(definition: Definition | None, idf: Mapping[str, float], matcher: Matcher) -> float:
    return sum(idf[term] for term in matcher.terms_of(definition.name)) if definition else 0.0


def _joined(pieces: Iterable[_Piece]) -> Iterator[tuple[int, int]]:
    """Line ranges; neighbours become one."""
    start = end = 0
    for piece in sorted(pieces, key=lambda each: each.start):
        if start and piece.start == end + 1:
            end = piece.end
        else:
            if start:
                yield start, end
            start, end = piece.start, piece.end
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


def _excerpts(ranked: Ranked, source: Source, ranges: Iterable[tuple[int, int]]) -> Iterator[Excerpt]:
    for start, end in ranges:
        text = source.text(start, end)
        yield Excerpt(ranked.path, start, end, text, estimate_tokens(text) + _FRAME_TOKENS, ranked.why)
