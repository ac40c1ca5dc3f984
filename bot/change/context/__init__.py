"""Chooses what a model is shown of a repository, and answers what it asks to see."""

from __future__ import annotations

from bot.change.context.answers import Answers, answer_requests
from bot.change.context.choose import (
    WeighedRepository,
    build_context,
    choose_context,
    is_worth_a_choice,
    render_wide_map,
    weigh_repository,
)

__all__ = [
    "Answers",
    "WeighedRepository",
    "answer_requests",
    "build_context",
    "choose_context",
    "is_worth_a_choice",
    "render_wide_map",
    "weigh_repository",
]
