"""The repository in brief: its top, and the signatures of the likely files that are not shown, to ask from."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

from bot.core.context.segments import Source
from bot.core.tokens import estimate_tokens
from bot.core.types import Excerpt

_MAX_TOP = 40
_MAX_SIGNATURES = 8
_MAX_SIGNATURE_CHARS = 100


def render_outline(
    paths: Iterable[str], candidates: Sequence[Source], shown: Sequence[Excerpt], *, budget_tokens: int
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
    entries = [f"{name} ({count} files)" if name.endswith("/") else name for name, count in sorted(counts.items())]
    more = f", and {len(entries) - _MAX_TOP} more" if len(entries) > _MAX_TOP else ""
    return f"{total} files: {', '.join(entries[:_MAX_TOP])}{more}\n"


def _signatures(source: Source, shown: Sequence[Excerpt]) -> str:
    ranges = sorted((each.start, each.end) for each in shown if each.path == source.path)
    if ranges and ranges[0] == (1, len(source.lines)):
        return ""
    hidden = [definition for definition in source.definitions if not _is_in(ranges, definition.line)]
    lines = [f"  {each.line}: {each.signature[:_MAX_SIGNATURE_CHARS]}\n" for each in hidden[:_MAX_SIGNATURES]]
    more = f"  … {len(hidden) - _MAX_SIGNATURES} more\n" if len(hidden) > _MAX_SIGNATURES else ""
    return f"{source.path} ({len(source.lines)} lines)\n{''.join(lines)}{more}"


def _is_in(ranges: Sequence[tuple[int, int]], line: int) -> bool:
    """Whether one of the ranges, which are in order and apart, holds the line."""
    index = bisect_right(ranges, line, key=lambda each: each[0]) - 1
    return index >= 0 and line <= ranges[index][1]
