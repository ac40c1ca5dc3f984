"""The first request of a task: what the model is shown of the repository, chosen by the model itself
where there is much code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bot.change import prompts
from bot.change.context import (
    WeighedRepository,
    build_context,
    is_worth_a_choice,
    render_wide_map,
    weigh_repository,
)
from bot.change.conversation import Ask
from bot.change.edits import read_reply
from bot.errors import ContextTooLong, SetupError, Unworkable
from bot.types import Context, Excerpt, RequestLimits, ShownFile, Task
from bot.types.reply import Request
from bot.types.snapshot import RepositoryView

T = TypeVar("T")


def request_limits(context_tokens: int) -> RequestLimits:
    """Answers to the model's requests have half the room of what it is shown."""
    return RequestLimits(room_tokens=context_tokens // 2)


def send_first(
    task: Task,
    view: RepositoryView,
    ask: Ask,
    send: Callable[[Context, RequestLimits], T],
    *,
    context_tokens: int,
) -> tuple[T, tuple[ShownFile, ...], list[str]]:
    """What `send` returns for the context that it is given, what that context shows, and notes for
    people. If the model says that it is too long, `send` is called once more, with a third less."""
    weighed = weigh_repository(view, prompts.task_words(task))
    wanted: Sequence[Request] = ()
    notes: list[str] = []
    if is_worth_a_choice(weighed):
        wanted, notes = _choose(task, view, ask, weighed, context_tokens)
    context = build_context(weighed, budget_tokens=context_tokens, wanted=wanted)
    try:
        result = send(context, request_limits(context_tokens))
    except ContextTooLong:
        shorter_tokens = context.tokens * 2 // 3
        context = build_context(weighed, budget_tokens=shorter_tokens, wanted=wanted)
        result = send(context, request_limits(shorter_tokens))
    return result, list_shown(context, task), notes


def _choose(
    task: Task, view: RepositoryView, ask: Ask, weighed: WeighedRepository, context_tokens: int
) -> tuple[Sequence[Request], list[str]]:
    """What the model wants to see at first, if its reply says so; and notes for people."""
    wide_map = render_wide_map(weighed, budget_tokens=context_tokens)
    try:
        reply = ask(prompts.choice_prompt(task, wide_map, request_limits(context_tokens)))
    except ContextTooLong:
        return (), []
    except (SetupError, Unworkable) as error:
        # Another model than that of the change may have been asked.
        return (), [f"The model did not choose what it was shown at first: {error.message}"]
    return read_reply(reply.text, known=view.blobs).requests, []


def list_shown(context: Context, task: Task) -> tuple[ShownFile, ...]:
    """What a context shows, for people."""
    excerpts = (
        ShownFile(part.path, part.start, part.end, _why(part, task)) for part in context.shown
    )
    return (*excerpts, *context.answered)


def _why(part: Excerpt, task: Task) -> str:
    """The ranking takes a comment's `path:line` for any other place that the task names."""
    lines = [comment.line for comment in task.remarks if comment.path == part.path]
    if not lines:
        return part.why
    holds_them = any(line and part.start <= line <= part.end for line in lines)
    return "the lines commented on" if holds_them else "in the file commented on"
