"""Chooses what the model is shown of a repository: excerpts of the files that a task most likely
changes, packed into the budget, and an outline from which the model can ask for more."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.change.context.paths import is_regular
from bot.change.context.ranking import MAX_RANKED_FILES, RankedFile, rank_files
from bot.change.context.segments import find_segment
from bot.change.context.source import Source
from bot.change.tokens import estimate_tokens
from bot.types import Context, Excerpt
from bot.types.snapshot import RepositoryView

_MAX_SHOWN_FILES = 25
_DOCS_WORDS = re.compile(
    r"\b(read-?me|docs?|documentation|document(ed|ing)?|change-?log|changes file|tutorial|guide"
    r"|manual|typo|spelling|wording|markdown|rst|licen[cs]e|contributing)\b",
    re.IGNORECASE,
)
"""Documentation is shown for a task with one of these words."""

# How excerpts are packed. Measured by the changed lines that are shown within 16,000 tokens, on 323
# real changes: no other value that was tried showed more (DECISIONS.md, "What of a file is shown").
_MAX_WHOLE_TOKENS = 1_000
_MAX_WHOLE_SHARE = 0.1
"""A file within both limits is shown whole; the share is of the budget. With 3,000 tokens and a
fifth (and an outline of 8 %), 1.6 points fewer lines were shown on 160 of the changes."""
_SHARPNESS = 2.0
"""Exponent of a segment's score: how much likelier a segment with a higher score is."""
_SIZE_EXPONENT = 0.5
"""How much an excerpt's size counts against it: 0 not at all, 1 in proportion."""
_NEIGHBOUR_SHARE = 0.1
"""Share of a segment's probability that is given to each of its neighbours as well."""
_MIN_HEAD_CHANCE = 0.1
"""The least probability of a file's head: many changes need one more import."""
_HEADING_TOKENS = 18
"""What the prompt adds to each excerpt, besides its path."""
_MAX_GAP_LINES = 8
"""A gap of so many lines between two excerpts is shown too: one excerpt reads better than two."""

_OUTLINE_SHARE = 0.05
_MAX_OUTLINE_TOKENS = 2_000
_MAX_OUTLINED_FILES = 40
_MAX_TOP_ENTRIES = 40
_MAX_SIGNATURES = 8
"""Of each file."""
_MAX_SIGNATURE_CHARS = 100

LineRange = tuple[int, int]
"""First and last line, 1-based and inclusive."""


def choose_context(snapshot: RepositoryView, task: str, *, budget_tokens: int) -> Context:
    """The files and excerpts that the task most likely needs, best first, and an outline of the
    rest."""
    snapshot = snapshot.visible()
    ranked, others = rank_files(snapshot, task)
    outline_tokens = min(_MAX_OUTLINE_TOKENS, int(budget_tokens * _OUTLINE_SHARE))
    shown = pack_excerpts(
        _choose_shown_files(ranked, task), budget_tokens=budget_tokens - outline_tokens
    )
    outline = render_outline(
        [path for path, blob in snapshot.blobs.items() if is_regular(blob)],
        [each.candidate.source for each in ranked[:_MAX_OUTLINED_FILES]],
        shown,
        budget_tokens=outline_tokens,
    )
    ranking = (*(each.path for each in ranked), *others)[:MAX_RANKED_FILES]
    tokens = sum(excerpt.tokens for excerpt in shown) + estimate_tokens(outline)
    return Context(ranking, shown, outline, tokens)


def _choose_shown_files(ranked: list[RankedFile], task: str) -> list[RankedFile]:
    """Without documentation, unless the task is about it or mentions the file, or nothing else is
    ranked."""
    shown = ranked
    if not _DOCS_WORDS.search(task):
        shown = [
            each
            for each in ranked
            if each.candidate.file.kind != "docs" or not each.why.startswith("says ")
        ]
    return (shown or ranked)[:_MAX_SHOWN_FILES]


@dataclass(frozen=True, slots=True)
class _Item:
    """Lines of a file that are shown together or not at all."""

    file: int
    """The position of the file among the ranked ones."""
    start: int
    end: int
    tokens: int
    value: float
    """The probability that the lines are needed."""


def pack_excerpts(files: Sequence[RankedFile], *, budget_tokens: int) -> tuple[Excerpt, ...]:
    """Excerpts in the order of the files and of their lines. Takes the items with the most value
    for their size first, as long as they fit."""
    max_whole_tokens = min(_MAX_WHOLE_TOKENS, int(budget_tokens * _MAX_WHOLE_SHARE))
    items: list[_Item] = []
    for number, ranked in enumerate(files):
        items.extend(_make_items(number, ranked, max_whole_tokens))
    items.sort(key=lambda item: (-item.value / item.tokens**_SIZE_EXPONENT, item.file, item.start))
    heading_tokens = [_HEADING_TOKENS + estimate_tokens(ranked.path) for ranked in files]
    chosen, left_tokens = _choose_items(items, heading_tokens, budget_tokens)
    excerpts: list[Excerpt] = []
    for number in sorted(chosen):
        ranked = files[number]
        source = ranked.candidate.source
        ranges, left_tokens = _fill_gaps(source, _merge_ranges(chosen[number]), left_tokens)
        for start, end in ranges:
            text = source.text(start, end)
            tokens = estimate_tokens(text) + heading_tokens[number]
            excerpts.append(Excerpt(ranked.path, start, end, text, tokens, ranked.why))
    return tuple(excerpts)


def _make_items(number: int, ranked: RankedFile, max_whole_tokens: int) -> Iterator[_Item]:
    source = ranked.candidate.source
    lines = len(source.lines)
    total = estimate_tokens(source.text(1, lines), safe=source.has_long_lines)
    if total <= max_whole_tokens or source.has_long_lines:
        if lines:
            yield _Item(number, 1, lines, total, ranked.chance)
        return
    chances = _segment_chances(ranked)
    for segment, chance in zip(ranked.candidate.segments, chances, strict=True):
        tokens = max(1, estimate_tokens(source.text(segment.start, segment.end)))
        # Any line of the file may be needed, so half of the value goes by size alone.
        value = ranked.chance * (chance + tokens / total)
        yield _Item(number, segment.start, segment.end, tokens, value)


def _segment_chances(ranked: RankedFile) -> list[float]:
    """How likely each segment is needed, by its score and those of its neighbours."""
    scores = [score**_SHARPNESS for score in _segment_scores(ranked)]
    total = sum(scores) or 1.0
    shares = [0.0, *(score / total for score in scores), 0.0]
    chances = [
        share + _NEIGHBOUR_SHARE * (before + after)
        for before, share, after in zip(shares, shares[1:], shares[2:], strict=False)
    ]
    return [max(_MIN_HEAD_CHANCE, chances[0]), *chances[1:]]


def _segment_scores(ranked: RankedFile) -> list[float]:
    """A segment with a line that the task mentions scores higher than any other."""
    candidate = ranked.candidate
    mentioned = {find_segment(candidate.segments, line) for line in ranked.lines}
    highest = max(candidate.segment_scores, default=1.0)
    return [
        score + (2 * highest if segment in mentioned else 0.0)
        for segment, score in zip(candidate.segments, candidate.segment_scores, strict=True)
    ]


def _choose_items(
    items: Iterable[_Item], heading_tokens: Sequence[int], budget_tokens: int
) -> tuple[dict[int, list[_Item]], int]:
    """The items that fit, in their order, by file; and the tokens that are left. An item that
    touches a chosen one shares its heading."""
    chosen: dict[int, list[_Item]] = defaultdict(list)
    starts: set[LineRange] = set()
    ends: set[LineRange] = set()
    left_tokens = budget_tokens
    for item in items:
        touched = ((item.file, item.start - 1) in ends) + ((item.file, item.end + 1) in starts)
        cost = item.tokens + heading_tokens[item.file] * (1 - touched)
        if cost <= left_tokens:
            chosen[item.file].append(item)
            starts.add((item.file, item.start))
            ends.add((item.file, item.end))
            left_tokens -= cost
    return chosen, left_tokens


def _merge_ranges(items: Iterable[_Item]) -> list[LineRange]:
    """The items' lines in order; items that touch become one range."""
    ranges: list[LineRange] = []
    for item in sorted(items, key=lambda item: item.start):
        if ranges and item.start == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], item.end)
        else:
            ranges.append((item.start, item.end))
    return ranges


def _fill_gaps(
    source: Source, ranges: list[LineRange], left_tokens: int
) -> tuple[list[LineRange], int]:
    """The ranges with short gaps filled as far as the tokens go; and the tokens that are left."""
    filled = ranges[:1]
    for start, end in ranges[1:]:
        last_start, last_end = filled[-1]
        gap_lines = start - last_end - 1
        cost = estimate_tokens(source.text(last_end + 1, start - 1))
        if gap_lines <= _MAX_GAP_LINES and cost <= left_tokens:
            filled[-1] = (last_start, end)
            left_tokens -= cost
        else:
            filled.append((start, end))
    return filled, left_tokens


def render_outline(
    paths: Sequence[str],
    sources: Sequence[Source],
    shown: Sequence[Excerpt],
    *,
    budget_tokens: int,
) -> str:
    """The repository's top directory, and signatures of the likely files that are not shown. Whole
    blocks only, `budget_tokens` at most."""
    text = ""
    for block in (_render_top(paths), *(_render_signatures(source, shown) for source in sources)):
        if block and estimate_tokens(text + block) <= budget_tokens:
            text += block
    return text


def _render_top(paths: Sequence[str]) -> str:
    counts: Counter[str] = Counter()
    for path in paths:
        name, slash, _ = path.partition("/")
        counts[name + slash] += 1
    entries = [
        f"{name} ({count} files)" if name.endswith("/") else name
        for name, count in sorted(counts.items())
    ]
    left_out = len(entries) - _MAX_TOP_ENTRIES
    more = f", and {left_out} more" if left_out > 0 else ""
    return f"{len(paths)} files: {', '.join(entries[:_MAX_TOP_ENTRIES])}{more}\n"


def _render_signatures(source: Source, shown: Sequence[Excerpt]) -> str:
    """The signatures that no excerpt shows; "" if the whole file is shown."""
    ranges = sorted((each.start, each.end) for each in shown if each.path == source.path)
    if ranges and ranges[0] == (1, len(source.lines)):
        return ""
    hidden = [each for each in source.definitions if not _is_within(ranges, each.line)]
    signatures = "".join(
        f"  {each.line}: {each.signature[:_MAX_SIGNATURE_CHARS]}\n"
        for each in hidden[:_MAX_SIGNATURES]
    )
    left_out = len(hidden) - _MAX_SIGNATURES
    more = f"  … {left_out} more\n" if left_out > 0 else ""
    return f"{source.path} ({len(source.lines)} lines)\n{signatures}{more}"


def _is_within(ranges: Sequence[LineRange], line: int) -> bool:
    """`ranges` are in order and do not overlap."""
    index = bisect_right(ranges, line, key=lambda each: each[0]) - 1
    return index >= 0 and line <= ranges[index][1]
