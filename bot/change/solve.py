"""The loop: ask the model for edits, apply them, then let the model review the change. A revision
replaces the change only if the checks or a comparison prefer it, and is reviewed in its turn.

The model and git are callables, so the same replies give the same result: a run can be replayed
from its transcript, and a job that was killed continues from the replies that were recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.change import prompts
from bot.change.checks import find_problems
from bot.change.checks.signs import find_signs
from bot.change.context import (
    WeighedRepository,
    build_context,
    is_worth_a_choice,
    render_wide_map,
    weigh_repository,
)
from bot.change.conversation import (
    Ask,
    Conversation,
    Draft,
    ReportShown,
    ignore_shown,
)
from bot.change.edits import read_reply
from bot.change.repository import with_changes
from bot.change.review.decision import decide
from bot.change.review.reviewer import Reviewer
from bot.errors import ContextTooLong, Damaged, LimitReached, OutsideError, SetupError, Unworkable
from bot.types import (
    NO_PARSERS,
    Context,
    ModelLimits,
    Parsers,
    Prompt,
    Reply,
    RequestLimits,
    Revision,
    ShownFile,
    Solution,
    SyntaxChecker,
    Task,
)
from bot.types.reply import Request
from bot.types.snapshot import Changes, Patch, RepositoryView

Diff = Callable[[Changes], Patch]
ReportStep = Callable[[str], None]

NOTHING_YET: Changes = {}


class _LimitedModel:
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


def solve(
    task: Task,
    base: RepositoryView,
    ask: Ask,
    diff: Diff,
    *,
    limits: ModelLimits,
    report_step: ReportStep = lambda _step: None,
    report_shown: ReportShown = ignore_shown,
    start: Changes = NOTHING_YET,
    parsers: Parsers = NO_PARSERS,
    seed: str = "",
) -> Solution:
    """The revisions that the model made of the task, best last; each was reviewed. `start` are
    earlier changes: the model is shown the files with them, and the result contains them.
    `report_step` is called with "generate" and "reflect", `report_shown` with what the model is shown
    as soon as it is. `seed` decides in which order two
    revisions are compared.

    Unworkable if the model sent edits but none could be applied; LimitReached if the limits end
    before there is a first revision.
    """
    model = _LimitedModel(ask, limits)
    context_tokens = limits.context_tokens

    def revision(draft: Draft) -> Revision:
        patch = diff(draft.changes)
        problems = find_problems(base, draft.changes, parsers)
        signs = tuple(sign.sentence for sign in find_signs(base, draft.changes))
        return Revision(patch, draft.changes, draft.summary, draft.rejected, problems, signs)

    report_step("generate")
    author = _Author(
        task, base, model, parsers.check_syntax, context_tokens, report_shown=report_shown
    )
    draft, notes = author.generate(start)
    first = revision(draft)
    is_idle = not first.patch.text or draft.changes == start
    if is_idle and (draft.rejected or draft.unfinished):
        raise _no_change(draft)
    report_step("reflect")
    notes += [draft.unfinished] if draft.unfinished else []
    if is_idle and first.patch.text:
        notes.append("The model changed nothing further: this is the change as it was.")
    reviewer = Reviewer(task, author.conversation(context_tokens), context_tokens, seed)
    revisions, shown, found = _review(first, revision, reviewer, limits.revisions)
    return Solution(
        revisions,
        tuple(dict.fromkeys((*draft.shown, *shown))),
        (*notes, *found, *_notes_on_result(revisions[-1])),
    )


def _review(
    first: Revision,
    make_revision: Callable[[Draft], Revision],
    reviewer: Reviewer,
    max_revisions: int,
) -> tuple[tuple[Revision, ...], list[ShownFile], list[str]]:
    """The change and its revisions, what their reviews were shown, and notes for people. Ends with
    a revision that is not revised further; that too was reviewed."""
    revisions, shown, notes = [first], list[ShownFile](), list[str]()
    while revisions[-1].patch.text:
        now, before = revisions[-1], revisions[-2] if len(revisions) > 1 else None
        try:
            verdict, draft = reviewer.review(now, before)
        except Damaged:
            raise
        except (LimitReached, OutsideError, SetupError) as error:
            # The change so far was paid for, and may be right.
            notes.append(f"Reflection ended early: {error.message}")
            break
        shown += draft.shown
        notes += [draft.unfinished] if draft.unfinished else []
        new = now if draft.changes == now.changes else make_revision(draft)
        is_last = len(revisions) > max_revisions
        verdict, note = decide(reviewer, verdict, revisions, new, is_last=is_last)
        notes += [note] if note else []
        if verdict.decision != "taken":
            left = tuple(dict.fromkeys((*now.rejected, *draft.rejected)))
            revisions[-1] = replace(now, verdict=verdict, rejected=left)
            break
        revisions[-1] = replace(now, verdict=verdict)
        revisions.append(new)
    return tuple(revisions), shown, notes


def _no_change(draft: Draft) -> Unworkable:
    is_all_forbidden = draft.rejected and all(each.is_final for each in draft.rejected)
    if is_all_forbidden and not draft.unfinished:
        return Unworkable(
            "The change would touch nothing but what the repository's settings guard: "
            + " ".join(dict.fromkeys(r.message for r in draft.rejected)),
            next_step=(
                "Change them by hand, or take them out of `protected` or `context` in"
                " `.github/tinygen.yml`."
            ),
        )
    return Unworkable(
        draft.unfinished
        or "The model's edits did not match the files, and did not after it was told why.",
        next_step="Ask again, or say more exactly what to change and where.",
    )


@dataclass(frozen=True, slots=True)
class _Author:
    """Writes the first draft of a task."""

    task: Task
    base: RepositoryView
    ask: Ask
    check_syntax: SyntaxChecker
    context_tokens: int
    report_shown: ReportShown

    def conversation(self, context_tokens: int) -> Conversation:
        """One in which answers to the model's requests have half the room of what it is shown."""
        limits = RequestLimits(room_tokens=context_tokens // 2)
        tag = prompts.tag_of(self.task)
        return Conversation(self.base, self.ask, self.check_syntax, limits, tag, self.report_shown)

    def generate(self, start: Changes) -> tuple[Draft, list[str]]:
        """The first draft, and notes for people. A context that the model says is too long is cut
        by a third, once."""
        now = with_changes(self.base, start)
        weighed = weigh_repository(now, prompts.task_words(self.task))
        wanted, notes = self._choose(weighed) if is_worth_a_choice(weighed) else ((), [])
        context = build_context(weighed, budget_tokens=self.context_tokens, wanted=wanted)
        try:
            draft = self._write(context, self.context_tokens, start)
        except ContextTooLong:
            shorter = context.tokens * 2 // 3
            context = build_context(weighed, budget_tokens=shorter, wanted=wanted)
            draft = self._write(context, shorter, start)
        return replace(draft, shown=(*_shown(context), *draft.shown)), notes

    def _write(self, context: Context, context_tokens: int, start: Changes) -> Draft:
        conversation = self.conversation(context_tokens)
        prompt = prompts.generation_prompt(self.task, context, conversation.limits)
        self.report_shown(_shown(context))
        return conversation.hold(prompt, start)

    def _choose(self, weighed: WeighedRepository) -> tuple[Sequence[Request], list[str]]:
        """What the model wants to see at first, if its reply says so; and notes for people."""
        wide_map = render_wide_map(weighed, budget_tokens=self.context_tokens)
        limits = self.conversation(self.context_tokens).limits
        try:
            reply = self.ask(prompts.choice_prompt(self.task, wide_map, limits))
        except ContextTooLong:
            return (), []
        except (SetupError, Unworkable) as error:
            # Another model than that of the change may have been asked.
            return (), [f"The model did not choose what it was shown at first: {error.message}"]
        return read_reply(reply.text, known=self.base.blobs).requests, []


def _shown(context: Context) -> tuple[ShownFile, ...]:
    excerpts = (ShownFile(part.path, part.start, part.end, part.why) for part in context.shown)
    return (*excerpts, *context.answered)


def _notes_on_result(last: Revision) -> tuple[str, ...]:
    forbidden = tuple(
        dict.fromkeys(rejection.message for rejection in last.rejected if rejection.is_final)
    )
    failed = [rejection for rejection in last.rejected if not rejection.is_final]
    undone = f"{len(failed)} of the model's edits did not match and were left out: " + ", ".join(
        sorted({f"`{rejection.edit.path}`" for rejection in failed})
    )
    return (*forbidden, *((undone + ".",) if failed else ()), *last.problems, *last.signs)
