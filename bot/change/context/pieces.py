"""Chooses pieces of the likeliest files: those that are likely to be needed for their size."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from bot.change.context.paths import FileKind
from bot.change.context.ranking import NAMED, RankedFile
from bot.change.context.source import (
    Extent,
    Segment,
    Source,
    find_long_docs,
    find_overloads,
    find_segment,
)
from bot.change.context.tokenize import split_words
from bot.change.tokens import estimate_tokens
from bot.types import Excerpt
from bot.types.snapshot import LineRange

PIECE_WEIGHTS: Mapping[str, float] = {
    "file's chance": 0.47,
    "file's rank": -0.63,
    "score": 2.81,
    "share of the file's scores": 1.84,
    "score beside it": 0.39,
    "named": 0.31,
    "head": 1.62,
    "source": 2.41,
    "pieces of the file": -0.45,
    "size": 0.34,
    "share of the file": -1.36,
}
"""By feature: the parameters of a logistic regression, fitted on 323 real changes (the pieces that
each of them touched)."""
_BIAS = -7.03
_MENTIONED_CHANCE = 0.5
"""The least chance of a piece with a line that the task mentions."""
_NAMED_CHANCE = 0.15
"""The least chance of the beginning of a definition that the task names, if hardly any other has
that name; and of the constructor of a class that it names."""
_MAX_HOMONYMS = 2
_CONSTRUCTORS = ("__init__", "constructor", "initialize", "new")
_MIN_FILE_CHANCE = 1e-4
_MAX_NAMED = 3

_SIZE_EXPONENT = 0.5
"""How much a piece's size counts against it: 0 not at all, 1 in proportion."""
_MIN_SIZE = 100
"""In tokens: a smaller piece counts as this large, since scraps of code are hard to read."""
_MIN_VALUE = 0.0007
"""A piece is not shown if its chance, divided by its size in tokens to that power, is less. It
decides how much is shown of a repository: see DECISIONS.md."""
_HEADING_TOKENS = 12
"""What the prompt adds to each excerpt, besides its path."""
_MAX_SIGNATURE_CHARS = 100
_GAPS_SHARE = 0.05
"""Of the budget, kept for short gaps."""
_MAX_GAP_LINES = 8
"""A gap of so many lines between two excerpts is shown too: one excerpt reads better than two."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment of a file: its lines are shown together or not at all."""

    file: int
    """The position of the file among the ranked ones."""
    start: int
    end: int
    extent: Extent | None
    tokens: int
    score: float
    """How well it fits the task; 1 is the best piece of the file."""
    chance: float
    """That a change for the task touches it."""

    @property
    def value(self) -> float:
        return self.chance / math.pow(max(self.tokens, _MIN_SIZE), _SIZE_EXPONENT)


def weigh_pieces(files: Sequence[RankedFile], *, is_about_docs: bool) -> list[Piece]:
    """The pieces of the files, best value first. A file with very long lines, which is data or
    minified, has none. `is_about_docs`: documentation counts as much as source."""
    readable = [
        (n, each) for n, each in enumerate(files) if not each.candidate.source.has_long_lines
    ]
    kinds: tuple[FileKind, ...] = ("source", "docs") if is_about_docs else ("source",)
    names = _find_distinct_names(files)
    best = max((max(each.candidate.scores, default=0.0) for _, each in readable), default=0.0)
    pieces = [
        piece for n, each in readable for piece in _weigh_file(n, each, best or 1.0, kinds, names)
    ]
    return sorted(pieces, key=lambda piece: (-piece.value, piece.file, piece.start))


def _weigh_file(
    number: int,
    ranked: RankedFile,
    best: float,
    kinds: Collection[FileKind],
    names: Collection[bytes],
) -> Iterator[Piece]:
    candidate, source = ranked.candidate, ranked.candidate.source
    tokens = [
        max(1, estimate_tokens(source.text(each.start, each.end))) for each in candidate.segments
    ]
    highest = max(candidate.scores, default=0.0) or 1.0
    squares = [score**2 for score in candidate.scores]
    all_squares, all_tokens = sum(squares) or 1.0, sum(tokens)
    mentioned = {find_segment(candidate.segments, line) for line in ranked.lines}
    for n, segment in enumerate(candidate.segments):
        beside = (*candidate.scores[max(0, n - 1) : n], *candidate.scores[n + 1 : n + 2])
        features = {
            "file's chance": math.log(max(_MIN_FILE_CHANCE, ranked.chance)),
            "file's rank": math.log(1 + number),
            "score": candidate.scores[n] / best,
            "share of the file's scores": squares[n] / all_squares,
            "score beside it": max(beside, default=0.0) / best,
            "named": min(_MAX_NAMED, candidate.named[n]),
            "head": float(n == 0),
            "source": float(candidate.file.kind in kinds or ranked.why == NAMED),
            "pieces of the file": math.log(len(tokens)),
            "size": math.log(1 + tokens[n]),
            "share of the file": tokens[n] / all_tokens,
        }
        logit = _BIAS + sum(PIECE_WEIGHTS[name] * value for name, value in features.items())
        chance = 1 / (1 + math.exp(-logit))
        if segment in mentioned:
            chance = max(chance, _MENTIONED_CHANCE)
        if _is_named(segment, names):
            chance = max(chance, _NAMED_CHANCE)
        score = candidate.scores[n] / highest
        yield Piece(number, segment.start, segment.end, segment.extent, tokens[n], score, chance)


def _find_distinct_names(files: Sequence[RankedFile]) -> frozenset[bytes]:
    """The task's names that hardly any source file defines more than once."""
    counts = Counter(
        definition.name.encode()
        for each in files
        if each.candidate.file.kind == "source"
        for definition in each.candidate.source.definitions
        if definition.name.encode() in each.candidate.names
    )
    return frozenset(name for name, count in counts.items() if count <= _MAX_HOMONYMS)


def _is_named(segment: Segment, names: Collection[bytes]) -> bool:
    """Whether the segment begins a definition that is named, or the constructor of one."""
    extent = segment.extent
    if extent is None or extent.start != segment.start:
        return False
    is_constructor = extent.definition.name in _CONSTRUCTORS and extent.parent is not None
    named = extent.parent if is_constructor else extent
    return named is not None and named.definition.name.encode() in names


def pack_pieces(
    files: Sequence[RankedFile],
    pieces: Sequence[Piece],
    *,
    budget_tokens: int,
    keep_docs: bool = False,
) -> tuple[Excerpt, ...]:
    """Excerpts of the pieces that are worth their size, as far as they fit: in the order of the
    files and of their lines. Long docstrings and comments are left out, unless `keep_docs`."""
    heading_tokens = [_HEADING_TOKENS + estimate_tokens(ranked.path) for ranked in files]
    gaps_tokens = int(_GAPS_SHARE * budget_tokens)
    chosen, left_tokens = _choose(pieces, heading_tokens, budget_tokens - gaps_tokens)
    left_tokens += gaps_tokens
    excerpts: list[Excerpt] = []
    for number in sorted(chosen):
        source = files[number].candidate.source
        ranked, heading = files[number], heading_tokens[number]
        ranges, left_tokens = _fill_gaps(source, merge_ranges(chosen[number]), left_tokens)
        if not keep_docs:
            ranges = list(_fold(ranked, ranges))
        excerpts += make_excerpts(source, ranked.candidate.segments, ranges, ranked.why, heading)
    return fit_excerpts(excerpts, budget_tokens)


def make_excerpts(
    source: Source,
    segments: Sequence[Segment],
    ranges: Sequence[LineRange],
    why: str,
    heading_tokens: int,
) -> list[Excerpt]:
    """Excerpts of the lines; `heading_tokens` is what the prompt adds to each."""
    excerpts = []
    for start, end in ranges:
        text, within = source.text(start, end), _within(segments, ranges, start)
        tokens = estimate_tokens(text) + estimate_tokens(within) + heading_tokens
        excerpts.append(
            Excerpt(source.path, start, end, text, tokens, why, len(source.lines), within)
        )
    return excerpts


def fit_excerpts(excerpts: Sequence[Excerpt], budget_tokens: int) -> tuple[Excerpt, ...]:
    """The first excerpts that fit together. What is left out between the lines of a file takes a
    few tokens of its own, which were not counted when the lines were chosen."""
    totals = accumulate(excerpt.tokens for excerpt in excerpts)
    fitting = sum(1 for _ in takewhile(lambda total: total <= budget_tokens, totals))
    return tuple(excerpts[:fitting])


def _within(segments: Sequence[Segment], ranges: Sequence[LineRange], line: int) -> str:
    """The definition around the line, unless it begins in the ranges."""
    segment = find_segment(segments, line)
    extent = segment.extent if segment else None
    if extent is not None and extent.start == line:
        extent = extent.parent
    if extent is None:
        return ""
    head = extent.definition
    is_shown = any(start <= head.line <= end for start, end in ranges)
    return "" if is_shown else f"{head.signature[:_MAX_SIGNATURE_CHARS]} (line {head.line})"


def _choose(
    pieces: Sequence[Piece], heading_tokens: Sequence[int], budget_tokens: int
) -> tuple[dict[int, list[LineRange]], int]:
    """The lines of the pieces that fit, by file; and the tokens that are left. A piece that touches
    a chosen one shares its heading."""
    chosen: dict[int, list[LineRange]] = defaultdict(list)
    starts: set[LineRange] = set()
    ends: set[LineRange] = set()
    left_tokens = budget_tokens
    for piece in pieces:
        if piece.value < _MIN_VALUE and chosen:
            break
        touched = ((piece.file, piece.start - 1) in ends) + ((piece.file, piece.end + 1) in starts)
        cost = piece.tokens + heading_tokens[piece.file] * (1 - touched)
        if cost <= left_tokens:
            chosen[piece.file].append((piece.start, piece.end))
            starts.add((piece.file, piece.start))
            ends.add((piece.file, piece.end))
            left_tokens -= cost
    return chosen, left_tokens


def merge_ranges(ranges: Sequence[LineRange]) -> list[LineRange]:
    """The ranges in order; those that touch become one."""
    merged: list[LineRange] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _fold(ranked: RankedFile, ranges: Sequence[LineRange]) -> Iterator[LineRange]:
    """The ranges without overloads, and without long docstrings and comments that say none of the
    task's names; but with the lines that the task mentions."""
    source, names = ranked.candidate.source, ranked.candidate.names
    long_docs = [
        each
        for each in find_long_docs(source)
        if names.isdisjoint(split_words(source.bytes(*each)))
    ]
    mentioned = sorted(ranked.lines)
    folds = [
        (start, end)
        for start, end in merge_ranges([*find_overloads(source), *long_docs])
        if bisect_left(mentioned, start) == bisect_right(mentioned, end)
    ]
    for start, end in ranges:
        first = bisect_left(folds, start, key=lambda fold: fold[1])
        after = bisect_right(folds, end, key=lambda fold: fold[0])
        rest = start
        for fold_start, fold_end in folds[first:after]:
            if fold_start > rest:
                yield rest, fold_start - 1
            rest = fold_end + 1
        if rest <= end:
            yield rest, end


def _fill_gaps(
    source: Source, ranges: list[LineRange], left_tokens: int
) -> tuple[list[LineRange], int]:
    """The ranges with short gaps filled as far as the tokens go; and the tokens that are left."""
    filled = ranges[:1]
    for start, end in ranges[1:]:
        last_start, last_end = filled[-1]
        cost = estimate_tokens(source.text(last_end + 1, start - 1))
        if start - last_end - 1 <= _MAX_GAP_LINES and cost <= left_tokens:
            filled[-1] = (last_start, end)
            left_tokens -= cost
        else:
            filled.append((start, end))
    return filled, left_tokens
