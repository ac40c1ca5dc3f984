"""One conversation with the model: asks until every edit of its replies is applied and it asks for
nothing more, or until the repairs and requests are used up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.change import prompts
from bot.change.context import answer_requests
from bot.change.edits import NOTHING_SENT, apply_edits, read_reply
from bot.change.review.verdict import without_verdict
from bot.errors import LimitReached
from bot.types import (
    Message,
    ModelLimits,
    Prompt,
    Reply,
    RequestLimits,
    ShownFile,
    SyntaxChecker,
)
from bot.types.reply import ParsedReply, RejectedEdit, Request
from bot.types.snapshot import Changes, RepositoryView

Ask = Callable[[Prompt], Reply]
ReportShown = Callable[[Sequence[ShownFile]], None]

MAX_REPAIRS = 1
"""How often one conversation asks again for failed edits."""
MAX_CONTINUATIONS = 2
"""How often one conversation asks for the rest of a reply that was cut off."""
_MAX_NAMED = 3
"""How many unread parts of a reply are named to people."""


class LimitedModel:
    """Calls the model; raises LimitReached once the limits are used up."""

    def __init__(self, ask: Ask, limits: ModelLimits) -> None:
        self._ask, self._limits = ask, limits
        self._calls = self._tokens = 0

    def __call__(self, prompt: Prompt) -> Reply:
        if self._calls >= self._limits.calls or self._tokens >= self._limits.tokens:
            raise LimitReached(
                f"The job used up its limit of {self._limits.calls} model calls or"
                f" {self._limits.tokens} tokens.",
                next_step=(
                    "Ask for less at once, or let the operator raise TINYGEN_MAX_CALLS or"
                    " TINYGEN_MAX_TOKENS."
                ),
            )
        reply = self._ask(prompt)
        self._calls += 1
        self._tokens += reply.prompt_tokens + reply.completion_tokens
        return reply


def ignore_shown(_shown: Sequence[ShownFile]) -> None: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """The result of one conversation: all changes so far, the model's prose, and the edits that
    were rejected."""

    changes: Changes
    summary: str
    rejected: tuple[RejectedEdit, ...]
    shown: tuple[ShownFile, ...]
    prose: tuple[str, ...]
    """The prose of each reply."""
    unfinished: str = ""
    """What is unfinished after the last reply, in words for people; "" if nothing is."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the conversations of one task have in common."""

    base: RepositoryView
    ask: Ask
    check_syntax: SyntaxChecker
    limits: RequestLimits
    tag: str
    """Of material, as the prompts have it."""
    report_shown: ReportShown = ignore_shown
    """Called with what the model is shown because it asked."""

    def hold(self, prompt: Prompt, start: Changes) -> Draft:
        """All that the replies come to. `start` are the changes that the prompt shows."""
        changes = start
        repairs, continuations, rounds = MAX_REPAIRS, MAX_CONTINUATIONS, self.limits.rounds
        prose: list[str] = []
        summary = ""
        shown: list[ShownFile] = []
        rejected: tuple[RejectedEdit, ...] = ()
        problems: tuple[str, ...] = ()
        forbidden: dict[str, RejectedEdit] = {}
        while True:
            reply = self.ask(prompt)
            parts = read_reply(reply.text, known=self.base.blobs)
            result = apply_edits(
                self.base, changes, parts.edits, seen=start, check_syntax=self.check_syntax
            )
            changes = result.changes
            forbidden |= {each.message: each for each in result.rejected if each.is_final}
            failed = tuple(each for each in result.rejected if not each.is_final)
            rejected = (*_left_open(rejected, parts), *failed)
            if parts.problems != (NOTHING_SENT,) or not problems:
                problems = parts.problems
            prose.append(parts.prose)
            summary = summary or (parts.prose if result.applied or not parts.requests else "")
            cut = reply.finish == "length"
            if parts.requests and rounds:
                rounds -= 1
                answers = answer_requests(
                    self.base, changes, parts.requests, budget_tokens=self.limits.room_tokens
                )
                shown += answers.shown
                self.report_shown(answers.shown)
                open_problems = tuple(each for each in parts.problems if each != NOTHING_SENT)
                is_open = failed or open_problems or cut
                words = prompts.joined(
                    prompts.repair_words(self.tag, failed, 0, open_problems, cut=cut)
                    if is_open
                    else "",
                    prompts.more_words(
                        self.tag,
                        answers.text,
                        len(result.applied),
                        rounds=rounds,
                        unanswered=answers.unanswered,
                    ),
                )
            elif continuations and cut:
                continuations -= 1
                words = prompts.repair_words(
                    self.tag, failed, len(result.applied), parts.problems, cut=True
                )
            elif repairs and not cut and (failed or parts.problems or parts.requests):
                repairs -= 1
                words = prompts.repair_words(
                    self.tag, failed, len(result.applied), parts.problems, cut=False
                )
                words = prompts.joined(words, prompts.NO_MORE_REQUESTS if parts.requests else "")
            else:
                return Draft(
                    changes,
                    without_verdict(summary),
                    (*forbidden.values(), *rejected),
                    tuple(shown),
                    tuple(prose),
                    _describe_unfinished(problems, parts.requests, cut=cut),
                )
            turn = (Message("assistant", parts.answer), Message("user", words))
            prompt = Prompt("more" if parts.requests else "repair", (*prompt.messages, *turn))


def _left_open(rejected: Sequence[RejectedEdit], parts: ParsedReply) -> Iterator[RejectedEdit]:
    """The earlier rejections that a further reply says nothing about: it edits another file. A
    quote is left open by none."""
    edited = {edit.path for edit in parts.edits}
    return (
        each for each in rejected if each.edit.path not in edited and each.edit.action != "quote"
    )


def _describe_unfinished(problems: Sequence[str], requests: Sequence[Request], *, cut: bool) -> str:
    problems = [problem for problem in problems if problem != NOTHING_SENT]
    if problems:
        named = " ".join(problem.partition(". ")[0] + "." for problem in problems[:_MAX_NAMED])
        return (
            "Part of the model's reply could not be read as edits, and could not after it was told"
            f" why. {named}"
        )
    if requests:
        return "The model asked to see ever more of the repository."
    return "The model's reply was cut off before its end, time and again." if cut else ""
