"""What the model is shown of a repository, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from bot.core.context.mentions import find_named
from bot.core.context.outline import render_outline
from bot.core.context.packing import pack
from bot.core.context.paths import is_shown, kinds_of
from bot.core.context.ranking import Ranked, explained, rank, term_weights
from bot.core.context.requests import Answers, answer_requests
from bot.core.context.scan import MAX_FILE_BYTES, Matcher, scan
from bot.core.context.segments import Source, read_source
from bot.core.context.task import read_task
from bot.core.tokens import estimate_tokens
from bot.core.types import Context, Snapshot

__all__ = ["Answers", "Index", "answer_requests", "choose_context"]

MAX_RANKING = 100
_CANDIDATES = 40
_SHOWN = 20
_OUTLINE_SHARE = 0.1
_OUTLINE_TOKENS = 2_000
_ABOUT_DOCS = re.compile(
    r"\b(read-?me|docs?|documentation|document(ed|ing)?|change-?log|changes file|tutorial|guide|manual|typo|spelling"
    r"|wording|markdown|rst|licen[cs]e|contributing)\b",
    re.IGNORECASE,
)


class Index(Protocol):
    """What was learnt of blobs before."""


def choose_context(snapshot: Snapshot, task: str, *, budget_tokens: int, index: Index | None = None) -> Context:
    """The files and excerpts that the task most likely needs, best first, and an outline of the rest."""
    del index
    asked = read_task(task)
    kinds = kinds_of(blob.path for blob in snapshot.blobs.values() if is_shown(blob))
    files = scan(snapshot, kinds, asked)
    ranked = rank(files, asked, find_named(asked, kinds))
    weights = term_weights(files, asked)
    sources = _read(snapshot, [explained(each, weights) for each in ranked[:_CANDIDATES]])
    outline_tokens = min(_OUTLINE_TOKENS, int(budget_tokens * _OUTLINE_SHARE))
    shown = pack(
        _worth_showing(sources, task)[:_SHOWN], weights, Matcher(asked), budget_tokens=budget_tokens - outline_tokens
    )
    outline = render_outline(kinds, [source for _, source in sources], shown, budget_tokens=outline_tokens)
    tokens = sum(excerpt.tokens for excerpt in shown) + estimate_tokens(outline)
    return Context(tuple(each.path for each in ranked[:MAX_RANKING]), shown, outline, tokens)


def _worth_showing(sources: list[tuple[Ranked, Source]], task: str) -> list[tuple[Ranked, Source]]:
    """Documentation is left to the outline unless the task is about it, or names the file, or there is nothing else."""
    if _ABOUT_DOCS.search(task):
        return sources
    others = [each for each in sources if each[0].scanned.kind != "docs" or not each[0].why.startswith("says ")]
    return others or sources


def _read(snapshot: Snapshot, ranked: Sequence[Ranked]) -> list[tuple[Ranked, Source]]:
    readable = [each for each in ranked if 0 < each.scanned.blob.size_bytes <= MAX_FILE_BYTES]
    contents = snapshot.read([each.scanned.blob for each in readable])
    read = ((each, read_source(each.path, content)) for each, content in zip(readable, contents, strict=True))
    return [(each, source) for each, source in read if source is not None]
