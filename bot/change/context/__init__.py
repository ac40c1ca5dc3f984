"""Chooses what a model is shown of a repository, and answers what it asks to see."""

from __future__ import annotations

from bot.change.context.answers import Answers, answer_requests
from bot.change.context.choose import choose_context

__all__ = ["Answers", "answer_requests", "choose_context"]
