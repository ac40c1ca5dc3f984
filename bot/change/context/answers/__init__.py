"""Answers what the model asks to see of the working tree, which is the base with the edits so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.change.context.answers.answer import (
    Answer,
    count_fitting,
    render,
    say,
    shorten,
    tokens_up_to,
)
from bot.change.context.answers.files import answer_list, answer_log, answer_read
from bot.change.context.answers.search import answer_callers, answer_search
from bot.change.context.answers.tree import WorkingTree
from bot.change.tokens import estimate_tokens
from bot.types import RequestLimits, ShownFile
from bot.types.reply import Request
from bot.types.snapshot import Changes, RepositoryView

_HEADING_TOKENS = 60
"""Reserved in each answer for its heading and fences."""
_MAX_LOGS = 3
"""Each may take ten seconds."""
_FORMS = (
    "`read PATH`, `read PATH:START-END`, `read PATH def NAME`, `search REGEX`,"
    " `search REGEX in GLOB`, `callers NAME`, `list DIR`, `log PATH` or `log PATH:START-END`"
)


@dataclass(frozen=True, slots=True)
class Answers:
    """One block of text for each request, in order; `shown` are the lines that the text holds.
    `unanswered` is the number of requests for which there was no room."""

    text: str
    shown: tuple[ShownFile, ...]
    unanswered: int = 0


def answer_requests(
    view: RepositoryView, changes: Changes, requests: Sequence[Request], *, budget_tokens: int
) -> Answers:
    """The answers to the first different requests, `budget_tokens` together at most.
    An answer that is cut says so, and how to ask for the rest."""
    tree = WorkingTree(view, changes)
    asked = list(dict.fromkeys(requests))
    answers = [_answer(tree, request) for request in _limit(asked)]
    texts: list[str] = []
    shown: list[ShownFile] = []
    left_tokens = budget_tokens
    for answer, room_tokens in zip(answers, _share(answers, budget_tokens), strict=True):
        count = count_fitting(answer.parts, room_tokens - _HEADING_TOKENS)
        block = render(answer, count)
        left_tokens -= estimate_tokens(block)
        if left_tokens < 0:
            break
        texts.append(block)
        if answer.lines is not None and count:
            path, start = answer.lines
            shown.append(ShownFile(path, start, start + count - 1, "the model asked for it"))
    return Answers("".join(texts), tuple(shown), len(asked) - len(texts))


def _limit(asked: Sequence[Request]) -> list[Request]:
    """The first ones: so many in all, and so many of those that may wait for another server."""
    logs = [request for request in asked if request.kind == "log"][_MAX_LOGS:]
    return [request for request in asked if request not in logs][: RequestLimits().lines]


def _share(answers: Sequence[Answer], budget_tokens: int) -> list[int]:
    """The room of each answer. A short answer leaves what it does not need to the long ones."""
    needs = [_HEADING_TOKENS + tokens_up_to(answer.parts, budget_tokens) for answer in answers]
    rooms = [0] * len(answers)
    shortest_first = sorted(range(len(answers)), key=lambda number: needs[number])
    for done, number in enumerate(shortest_first):
        rooms[number] = min(needs[number], budget_tokens // (len(answers) - done))
        budget_tokens -= rooms[number]
    return rooms


def _answer(tree: WorkingTree, request: Request) -> Answer:
    if request.kind == "list":
        return answer_list(tree, request.argument)
    if request.kind == "search":
        return answer_search(tree, request)
    if request.kind == "callers":
        return answer_callers(tree, request.argument)
    if request.kind == "read":
        return answer_read(tree, request)
    if request.kind == "log":
        return answer_log(tree, request)
    return say(f"`{shorten(request.argument)}` is not understood. Write {_FORMS}.")
