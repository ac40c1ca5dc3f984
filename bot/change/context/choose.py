"""From a task to what the model is shown: every file scanned once, the likely ones examined, the
best ones packed.

What of the best files is shown: the pieces that most likely hold what must be changed, for the room
they take.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from bot.change.context.features import Candidate, FeatureExtractor, first_scores, read_corpus
from bot.change.context.index import Scan, Scanned, is_readable, scan
from bot.change.context.paths import is_shown
from bot.change.context.ranking import Ranked, rank, votes
from bot.change.context.segments import Source, read_source, render_outline, segment_at
from bot.change.context.task import find_named, read_task
from bot.change.tokens import estimate_tokens
from bot.types import Context, Excerpt
from bot.types.snapshot import RepositoryView

_WHOLE_TOKENS = 1_000
_WHOLE_SHARE = 0.1
"""A file is shown whole where it takes no more than this, and no more than this share of the
budget."""
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
    """Part of a file that is shown as one or not at all; `value` is the chance that it is
    needed."""

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
    """Of the chosen pieces, by file: the line before each, on which a neighbour ends, and the line
    after it."""
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
        yield _Piece(
            rank, segment.start, segment.end, tokens, ranked.chance * (chance + tokens / total)
        )


def _chances(ranked: Ranked) -> list[float]:
    """How likely each segment is needed, by its words and place; beside that, any is by its size
    alone."""
    scores = [score**_SHARPNESS for score in _segment_scores(ranked)]
    whole = sum(scores) or 1.0
    own = [0.0, *(score / whole for score in scores), 0.0]
    chances = [
        one + _NEIGHBOURS * (before + after)
        for before, one, after in zip(own, own[1:], own[2:], strict=False)
    ]
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


def _bridged(
    source: Source, ranges: list[tuple[int, int]], left: int
) -> tuple[list[tuple[int, int]], int]:
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


def _excerpts(
    ranked: Ranked, ranges: Iterable[tuple[int, int]], frame_tokens: int
) -> Iterator[Excerpt]:
    for start, end in ranges:
        text = ranked.candidate.source.text(start, end)
        yield Excerpt(
            ranked.path, start, end, text, estimate_tokens(text) + frame_tokens, ranked.why
        )


MAX_RANKING = 100
_EXAMINED = 60
_VOTED = 15
_OUTLINED = 40
_SHOWN = 25
_OUTLINE_SHARE = 0.05
_OUTLINE_TOKENS = 2_000
_ABOUT_DOCS = re.compile(
    r"\b(read-?me|docs?|documentation|document(ed|ing)?|change-?log|changes"
    r" file|tutorial|guide|manual|typo|spelling"
    r"|wording|markdown|rst|licen[cs]e|contributing)\b",
    re.IGNORECASE,
)


def choose_context(snapshot: RepositoryView, task: str, *, budget_tokens: int) -> Context:
    """The files and excerpts that the task most likely needs, best first, and an outline of the
    rest."""
    snapshot = snapshot.visible()
    ranked, rest = rank_files(snapshot, task)
    outline_tokens = min(_OUTLINE_TOKENS, int(budget_tokens * _OUTLINE_SHARE))
    shown = pack(
        _worth_showing(ranked, task)[:_SHOWN], budget_tokens=budget_tokens - outline_tokens
    )
    sources = [each.candidate.source for each in ranked[:_OUTLINED]]
    paths = (path for path, blob in snapshot.blobs.items() if is_shown(blob))
    outline = render_outline(paths, sources, shown, budget_tokens=outline_tokens)
    tokens = sum(excerpt.tokens for excerpt in shown) + estimate_tokens(outline)
    return Context((*(each.path for each in ranked), *rest)[:MAX_RANKING], shown, outline, tokens)


def _worth_showing(ranked: list[Ranked], task: str) -> list[Ranked]:
    """Documentation is left to the outline unless the task is about it, or names the file, or there
    is nothing else."""
    if _ABOUT_DOCS.search(task):
        return ranked
    others = [
        each
        for each in ranked
        if each.candidate.file.kind != "docs" or not each.why.startswith("says ")
    ]
    return others or ranked


def rank_files(snapshot: RepositoryView, text: str) -> tuple[list[Ranked], list[str]]:
    """The files that were examined, best first, and others that say anything of the task, by their
    words."""
    task = read_task(text)
    scanned = scan(snapshot, task.terms)
    corpus = read_corpus(scanned, task.terms)
    first = _best(first_scores(scanned, corpus), _EXAMINED + MAX_RANKING)
    named = find_named(text, scanned.blobs)
    voted = votes(snapshot.history(), task.terms)
    wanted = _worth_examining(first, scanned, {mention.path for mention in named}, voted)
    candidates = list(_examined(snapshot, wanted, FeatureExtractor(task, corpus)))
    ranked = rank(candidates, task, corpus, named, voted)
    known = {each.path for each in ranked}
    return ranked, [path for path in first if path not in known]


def _best(scores: Mapping[str, float], most: int) -> list[str]:
    """The paths with a score, best first."""
    return nsmallest(most, filter(scores.get, scores), key=lambda path: (-scores[path], path))


def _worth_examining(
    first: Sequence[str], scanned: Scan, named: set[str], voted: Mapping[str, float]
) -> list[Scanned]:
    still_there = {path: vote for path, vote in voted.items() if path in scanned.blobs}
    extra = {*_best(still_there, _VOTED), *named}
    paths = dict.fromkeys((*first[:_EXAMINED], *sorted(extra)))
    return [scanned.file(path) for path in paths if is_readable(scanned.blobs[path])]


def _examined(
    snapshot: RepositoryView, files: Sequence[Scanned], examiner: FeatureExtractor
) -> Iterator[Candidate]:
    contents = snapshot.read([file.blob for file in files])
    for file, content in zip(files, contents, strict=True):
        if (source := read_source(file.blob.path, content)) is not None:
            yield examiner.examine(file, source)
