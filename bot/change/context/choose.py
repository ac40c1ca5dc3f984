"""Chooses what the model is shown of a repository at first: the pieces that a task most likely
changes, the tests that exercise them, the head of the changelog, and a map from which the model can
ask for more."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.change.context.map import render_map
from bot.change.context.pieces import pack_pieces, weigh_pieces
from bot.change.context.ranking import MAX_RANKED_FILES, RankedFile, rank_files
from bot.change.context.related import choose_changelog, choose_tests
from bot.change.tokens import estimate_tokens
from bot.types import Context
from bot.types.snapshot import RepositoryView

_MAX_WEIGHED_FILES = 30
_MAX_SHOWN_FILES = 20
_MAX_PIECES_TOKENS = 7_000
"""Also of a larger budget: where the ranking is unsure, the map and one question find the rest for
less."""
_MAP_SHARE = 0.06
_TESTS_SHARE = 0.05
_CHANGELOG_SHARE = 0.0125
"""Shares of the budget. What they leave is for the pieces, which seldom need all of it."""
_DOCS_WORDS = re.compile(
    r"\b(read-?me|docs?|documentation|document(ed|ing)?|change-?log|changes file|tutorial|guide"
    r"|manual|typo|spelling|wording|markdown|rst|licen[cs]e|contributing)\b",
    re.IGNORECASE,
)
"""Documentation is shown for a task with one of these words."""


def choose_context(view: RepositoryView, task: str, *, budget_tokens: int) -> Context:
    """What the task most likely needs, best file first."""
    view = view.visible()
    ranking = rank_files(view, task)
    files = _without_needless_docs(ranking.files, task)[:_MAX_WEIGHED_FILES]
    is_about_docs = _DOCS_WORDS.search(task) is not None
    pieces = weigh_pieces(files, is_about_docs=is_about_docs)
    map_tokens, tests_tokens, changelog_tokens = (
        int(share * budget_tokens) for share in (_MAP_SHARE, _TESTS_SHARE, _CHANGELOG_SHARE)
    )
    pieces_tokens = budget_tokens - map_tokens - tests_tokens - changelog_tokens
    shown = pack_pieces(
        files,
        [piece for piece in pieces if piece.file < _MAX_SHOWN_FILES],
        budget_tokens=min(pieces_tokens, _MAX_PIECES_TOKENS),
        keep_docs=is_about_docs,
    )
    shown += choose_tests(ranking.files, pieces, shown, budget_tokens=tests_tokens)
    shown += choose_changelog(view, ranking.repository, shown, budget_tokens=changelog_tokens)
    rendered = render_map(
        list(ranking.repository.blobs), files, pieces, shown, budget_tokens=map_tokens
    )
    ordered = (*(each.path for each in ranking.files), *ranking.others)[:MAX_RANKED_FILES]
    tokens = sum(excerpt.tokens for excerpt in shown) + estimate_tokens(rendered)
    return Context(ordered, shown, rendered, tokens)


def _without_needless_docs(ranked: Sequence[RankedFile], task: str) -> Sequence[RankedFile]:
    """Without documentation, unless the task is about it or mentions the file, or nothing else is
    ranked."""
    if _DOCS_WORDS.search(task):
        return ranked
    others = [
        each
        for each in ranked
        if each.candidate.file.kind != "docs" or not each.why.startswith("says ")
    ]
    return others or ranked
