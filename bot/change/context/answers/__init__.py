"""Answers what the model asks to see of the working tree, which is the base with the edits so far."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.change.context.answers.answer import Answer, say, shorten
from bot.change.context.answers.files import answer_list, answer_log, answer_read
from bot.change.context.answers.search import answer_callers, answer_search
from bot.change.context.answers.tree import WorkingTree
from bot.change.tokens import estimate_tokens
from bot.types import RequestLimits, ShownFile
from bot.types.reply import Request
from bot.types.snapshot import Changes, RepositoryView

_HEADING_TOKENS = 60
"""Reserved in each answer for its heading and fences."""
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
    answers = [_answer(tree, request) for request in asked[: RequestLimits().lines]]
    texts: list[str] = []
    shown: list[ShownFile] = []
    left_tokens = budget_tokens
    for answer, room_tokens in zip(answers, _share(answers, budget_tokens), strict=True):
        count = _count_fitting(answer.parts, room_tokens - _HEADING_TOKENS)
        block = _render(answer, count)
        left_tokens -= estimate_tokens(block)
        if left_tokens < 0:
            break
        texts.append(block)
        if answer.lines is not None and count:
            path, start = answer.lines
            shown.append(ShownFile(path, start, start + count - 1, "the model asked for it"))
    return Answers("".join(texts), tuple(shown), len(asked) - len(texts))


def _share(answers: Sequence[Answer], budget_tokens: int) -> list[int]:
    """The room of each answer. A short answer leaves what it does not need to the long ones."""
    needs = [_HEADING_TOKENS + _tokens_up_to(answer.parts, budget_tokens) for answer in answers]
    rooms = [0] * len(answers)
    shortest_first = sorted(range(len(answers)), key=lambda number: needs[number])
    for done, number in enumerate(shortest_first):
        rooms[number] = min(needs[number], budget_tokens // (len(answers) - done))
        budget_tokens -= rooms[number]
    return rooms


def _tokens_up_to(parts: Sequence[str], limit_tokens: int) -> int:
    """The tokens of the parts, counted no further than the limit."""
    tokens = 0
    for part in parts:
        tokens += estimate_tokens(part)
        if tokens >= limit_tokens:
            return limit_tokens
    return tokens


def _count_fitting(parts: Sequence[str], room_tokens: int) -> int:
    for count, part in enumerate(parts):
        room_tokens -= estimate_tokens(part)
        if room_tokens < 0:
            return count
    return len(parts)


def _render(answer: Answer, count: int) -> str:
    heading, body = answer.heading(count), "".join(answer.parts[:count])
    if not body:
        return f"{heading}\n\n"
    longest_run = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, 1 + longest_run)
    end = "" if body.endswith("\n") else "\n"
    return f"{heading}\n{fence}\n{body}{end}{fence}\n\n"


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
