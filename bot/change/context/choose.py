"""Chooses what the model is shown of a repository at first: the pieces that a task most likely
changes, the tests that exercise them, the head of the changelog, and a map from which the model can
ask for more.

Where there is much code, the model chooses from a larger map first (`render_wide_map`); what it
names is then likelier than anything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.change.context.answers import Answers, answer_requests
from bot.change.context.map import BRIEF, PATHS_ONLY, WIDE, render_map
from bot.change.context.model_choice import prefer, put_first, sort_requests
from bot.change.context.pieces import Piece, pack_pieces, weigh_pieces
from bot.change.context.ranking import MAX_RANKED_FILES, RankedFile, Ranking, rank_files
from bot.change.context.related import choose_changelog, choose_tests, find_tests
from bot.change.tokens import estimate_tokens
from bot.types import Context, RequestLimits
from bot.types.reply import Request
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
_WIDE_MAP_SHARE = 0.125
_ANSWERS_SHARE = 0.5
"""For what the model chose and no piece is: searches, callers, ranges of lines."""
_FIRST_IN_MAP = 10
_TESTS_IN_MAP = 4
_DOCS_IN_MAP = 4
"""In the wide map, tests and documentation stand behind so many of the likeliest files."""
_MIN_CHOICE_TOKENS = 4_000
"""Of less code, the model need not choose: nearly all of it can be shown."""
_DOCS_WORDS = re.compile(
    r"\b(read-?me|docs?|documentation|document(ed|ing)?|change-?log|changes file|tutorial|guide"
    r"|manual|typo|spelling|wording|markdown|rst|licen[cs]e|contributing)\b",
    re.IGNORECASE,
)
"""Documentation is shown for a task with one of these words."""


@dataclass(frozen=True, slots=True)
class WeighedRepository:
    """A repository weighed for a task: its likeliest files, and their pieces."""

    view: RepositoryView
    ranking: Ranking
    files: Sequence[RankedFile]
    pieces: Sequence[Piece]
    is_about_docs: bool


def weigh_repository(view: RepositoryView, task: str) -> WeighedRepository:
    view = view.visible()
    ranking = rank_files(view, task)
    is_about_docs = _DOCS_WORDS.search(task) is not None
    files = ranking.files if is_about_docs else _without_needless_docs(ranking.files)
    files = files[:_MAX_WEIGHED_FILES]
    pieces = weigh_pieces(files, is_about_docs=is_about_docs)
    return WeighedRepository(view, ranking, files, pieces, is_about_docs)


def choose_context(view: RepositoryView, task: str, *, budget_tokens: int) -> Context:
    """What the task most likely needs, without a question to the model."""
    return build_context(weigh_repository(view, task), budget_tokens=budget_tokens)


def build_context(
    weighed: WeighedRepository, *, budget_tokens: int, wanted: Sequence[Request] = ()
) -> Context:
    """What the task most likely needs, best file first. `wanted` is what the model asked for
    before."""
    ranked, files, pieces = weighed.ranking.files, weighed.files, weighed.pieces
    limit = RequestLimits().lines
    choice = sort_requests(ranked, wanted[:limit])
    if not choice.is_empty:
        ranked = put_first(choice.files, ranked)
        files = put_first(choice.files, files)[:_MAX_WEIGHED_FILES]
        pieces = weigh_pieces(files, is_about_docs=weighed.is_about_docs)
        pieces = prefer(pieces, files, choice)
    answers = Answers("", ())
    if choice.others:
        answers_tokens = int(_ANSWERS_SHARE * budget_tokens)
        answers = answer_requests(weighed.view, {}, choice.others, budget_tokens=answers_tokens)
        budget_tokens -= answers_tokens
    unanswered = answers.unanswered + max(0, len(wanted) - limit)
    map_tokens, tests_tokens, changelog_tokens = (
        int(share * budget_tokens) for share in (_MAP_SHARE, _TESTS_SHARE, _CHANGELOG_SHARE)
    )
    pieces_tokens = budget_tokens - map_tokens - tests_tokens - changelog_tokens
    shown = pack_pieces(
        files,
        [piece for piece in pieces if piece.file < _MAX_SHOWN_FILES],
        budget_tokens=min(pieces_tokens, _MAX_PIECES_TOKENS),
        keep_docs=weighed.is_about_docs,
    )
    ranking = weighed.ranking
    if not any(each.candidate.file.kind == "test" for each in choice.files):
        shown += choose_tests(ranked, pieces, shown, budget_tokens=tests_tokens)
    shown += choose_changelog(
        weighed.view, ranking.repository, shown, budget_tokens=changelog_tokens
    )
    rendered = render_map(
        list(ranking.repository.blobs),
        files,
        pieces,
        shown,
        budget_tokens=map_tokens,
        detail=BRIEF if choice.is_empty else PATHS_ONLY,
    )
    ordered = (*(each.path for each in ranking.files), *ranking.others)[:MAX_RANKED_FILES]
    tokens = sum(excerpt.tokens for excerpt in shown) + estimate_tokens(rendered + answers.text)
    return Context(ordered, shown, rendered, tokens, answers.text, answers.shown, unanswered)


def is_worth_a_choice(weighed: WeighedRepository) -> bool:
    """Whether it pays to let the model choose from the map before it is shown anything. How sure the
    ranking is of itself says little: see DECISIONS.md."""
    return sum(piece.tokens for piece in weighed.pieces) > _MIN_CHOICE_TOKENS


def render_wide_map(weighed: WeighedRepository, *, budget_tokens: int) -> str:
    """The map from which the model chooses what it is shown: the likeliest files with their
    likeliest definitions. `budget_tokens` is that of the context."""
    files = _files_of_wide_map(weighed)
    return render_map(
        list(weighed.ranking.repository.blobs),
        files,
        weigh_pieces(files, is_about_docs=weighed.is_about_docs),
        (),
        budget_tokens=int(_WIDE_MAP_SHARE * budget_tokens),
        detail=WIDE,
    )


def _files_of_wide_map(weighed: WeighedRepository) -> list[RankedFile]:
    """With the tests and the documentation that likely change with the first files."""
    ranked, first = weighed.ranking.files, weighed.files[:_FIRST_IN_MAP]
    tests = find_tests(ranked, weighed.pieces, most=_TESTS_IN_MAP)
    docs = [each for each in ranked if each.candidate.file.kind == "docs"][:_DOCS_IN_MAP]
    return put_first(put_first(first, [*tests, *docs]), weighed.files)


def _without_needless_docs(ranked: Sequence[RankedFile]) -> Sequence[RankedFile]:
    """Without documentation, unless the task mentions the file or nothing else is ranked."""
    others = [
        each
        for each in ranked
        if each.candidate.file.kind != "docs" or not each.why.startswith("says ")
    ]
    return others or ranked
