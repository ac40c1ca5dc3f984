"""The loop: ask the model for edits, apply them, ask again for those that did not match, then let
the model review the diff until it is confident or the revisions are used up.

The model and git are callables, so the same replies give the same result: a run can be replayed
from its transcript, and a job that was killed continues from the replies that were recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bot.change import prompts
from bot.change.checks import find_problems
from bot.change.context import (
    WeighedRepository,
    answer_requests,
    build_context,
    is_worth_a_choice,
    render_wide_map,
    weigh_repository,
)
from bot.change.edits import NOTHING_SENT, apply_edits, read_reply
from bot.change.repository import with_changes
from bot.change.review_context import changed_places
from bot.errors import ContextTooLong, Damaged, LimitReached, OutsideError, SetupError, Unworkable
from bot.types import (
    Context,
    Message,
    ModelLimits,
    Prompt,
    Reply,
    RequestLimits,
    Revision,
    ShownFile,
    Solution,
    SyntaxChecker,
    Task,
    Verdict,
    no_syntax_checks,
)
from bot.types.reply import ParsedReply, RejectedEdit, Request
from bot.types.snapshot import Changes, Patch, RepositoryView

Ask = Callable[[Prompt], Reply]
Diff = Callable[[Changes], Patch]
ReportStep = Callable[[str], None]

NOTHING_YET: Changes = {}
MAX_REPAIRS = 1
"""How often one conversation asks again for failed edits."""
MAX_CONTINUATIONS = 2
"""How often one conversation asks for the rest of a reply that was cut off."""
_MAX_NAMED = 3
"""How many unread parts of a reply are named to people."""


@dataclass(frozen=True, slots=True)
class _Draft:
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
    notes: tuple[str, ...] = ()
    """What else people are told."""


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
    start: Changes = NOTHING_YET,
    syntax_checker: SyntaxChecker = no_syntax_checks,
) -> Solution:
    """The revisions that the model made of the task, best last. `start` are earlier changes: the
    model is shown the files with them, and the result contains them. `report_step` is called
    with "generate" and "reflect".

    Unworkable if the model sent edits but none could be applied; LimitReached if the limits end
    before there is a first revision.
    """
    model = _LimitedModel(ask, limits)
    conversations = _Conversations(task, base, model, syntax_checker, limits.context_tokens)
    report_step("generate")
    draft = conversations.generate(start)
    revisions = [_revision(base, draft, diff, syntax_checker)]
    is_idle = not revisions[0].patch.text or draft.changes == start
    if is_idle and (draft.rejected or draft.unfinished):
        raise _no_change(draft)
    report_step("reflect")
    notes = [*draft.notes, *((draft.unfinished,) if draft.unfinished else ())]
    if is_idle and revisions[0].patch.text:
        notes.append("The model changed nothing further: this is the change as it was.")
    shown = list(draft.shown)
    while revisions[-1].patch.text and len(revisions) <= limits.revisions:
        try:
            verdict, further = conversations.reflect(revisions[-1])
        except Damaged:
            raise
        except (LimitReached, OutsideError, SetupError) as error:
            # The change so far was paid for, and may be right.
            notes.append(f"Reflection ended early: {error.message}")
            break
        revisions[-1] = replace(revisions[-1], verdict=verdict)
        shown += further.shown
        notes += [further.unfinished] if further.unfinished else []
        revision = _revision(base, further, diff, syntax_checker)
        end = _why_to_stop(verdict, revisions, revision)
        if end is not None:
            notes += [end] if end else []
            left = dict.fromkeys((*revisions[-1].rejected, *revision.rejected))
            revisions[-1] = replace(revisions[-1], rejected=tuple(left))
            break
        revisions.append(revision)
    return Solution(
        tuple(revisions), tuple(dict.fromkeys(shown)), (*notes, *_notes_on_result(revisions[-1]))
    )


def _no_change(draft: _Draft) -> Unworkable:
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
        next_step="Try `/tinygen retry`, or say more exactly what to change and where.",
    )


@dataclass(frozen=True, slots=True)
class _Conversations:
    """What the conversations of one task have in common. Each asks the model until every edit is
    applied and nothing more is requested, or until the repairs and requests are used up."""

    task: Task
    base: RepositoryView
    ask: Ask
    check_syntax: SyntaxChecker
    context_tokens: int

    @property
    def _limits(self) -> RequestLimits:
        return RequestLimits(room_tokens=self.context_tokens // 2)

    def generate(self, start: Changes) -> _Draft:
        """The first draft. A context that the model says is too long is cut by a third, once."""
        now = with_changes(self.base, start)
        weighed = weigh_repository(now, prompts.task_words(self.task))
        wanted, notes = self._choose(weighed) if is_worth_a_choice(weighed) else ((), ())
        context = build_context(weighed, budget_tokens=self.context_tokens, wanted=wanted)
        try:
            draft = self._converse(
                prompts.generation_prompt(self.task, context, self._limits), start
            )
        except ContextTooLong:
            shorter = replace(self, context_tokens=context.tokens * 2 // 3)
            context = build_context(weighed, budget_tokens=shorter.context_tokens, wanted=wanted)
            draft = shorter._converse(
                prompts.generation_prompt(self.task, context, self._limits), start
            )
        return replace(draft, shown=(*_shown(context), *draft.shown), notes=notes)

    def _choose(self, weighed: WeighedRepository) -> tuple[Sequence[Request], tuple[str, ...]]:
        """What the model wants to see at first, if its reply says so; and notes for people."""
        wide_map = render_wide_map(weighed, budget_tokens=self.context_tokens)
        try:
            reply = self.ask(prompts.choice_prompt(self.task, wide_map, self._limits))
        except ContextTooLong:
            return (), ()
        except (SetupError, Unworkable) as error:
            # Another model than that of the change may have been asked.
            return (), (f"The model did not choose what it was shown at first: {error.message}",)
        requests = read_reply(reply.text, known=self.base.blobs).requests
        return requests, ()

    def reflect(self, now: Revision) -> tuple[Verdict, _Draft]:
        """The model's verdict on the current revision, and a draft with its further edits. Edits
        count more than a verdict beside them: the verdict is confident only if no reply holds an
        edit or asks for a revision."""
        places = answer_requests(
            self.base,
            now.changes,
            changed_places(now.patch, now.changes),
            budget_tokens=self.context_tokens,
        )
        found = (*now.problems, *(rejection.message for rejection in now.rejected))
        prompt = prompts.reflection_prompt(self.task, now.patch, places.text, found, self._limits)
        draft = self._converse(prompt, now.changes)
        verdicts = [(words, prompts.read_verdicts(words)) for words in draft.prose]
        wants_more = any("REVISION NEEDED" in tokens for _words, tokens in verdicts)
        is_idle = draft.changes == now.changes and not draft.rejected and not draft.unfinished
        reason = "\n\n".join(words for words, tokens in verdicts if tokens) or draft.summary
        forbidden = (each for each in now.rejected if each.is_final)
        rejected = tuple(dict.fromkeys((*forbidden, *draft.rejected)))
        verdict = Verdict(is_idle and not wants_more, prompts.without_verdict(reason))
        return verdict, replace(draft, summary=now.summary, rejected=rejected)

    def _converse(self, prompt: Prompt, start: Changes) -> _Draft:
        """`start` are the changes that the prompt shows."""
        changes = start
        repairs, continuations, rounds = MAX_REPAIRS, MAX_CONTINUATIONS, self._limits.rounds
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
                    self.base,
                    changes,
                    parts.requests,
                    budget_tokens=self._limits.room_tokens,
                )
                shown += answers.shown
                words = _joined(
                    prompts.repair_words(failed, 0, parts.problems, cut=cut) if failed else "",
                    prompts.more_words(
                        answers.text,
                        len(result.applied),
                        rounds=rounds,
                        unanswered=answers.unanswered,
                    ),
                )
            elif continuations and cut:
                continuations -= 1
                words = prompts.repair_words(failed, len(result.applied), parts.problems, cut=True)
            elif repairs and not cut and (failed or parts.problems or parts.requests):
                repairs -= 1
                words = prompts.repair_words(failed, len(result.applied), parts.problems, cut=False)
                words = _joined(words, prompts.NO_MORE_REQUESTS if parts.requests else "")
            else:
                left = (*forbidden.values(), *rejected)
                unfinished = _describe_unfinished(problems, parts.requests, cut=cut)
                return _Draft(
                    changes,
                    prompts.without_verdict(summary),
                    left,
                    tuple(shown),
                    tuple(prose),
                    unfinished,
                )
            turn = (Message("assistant", parts.answer), Message("user", words))
            prompt = Prompt("more" if parts.requests else "repair", (*prompt.messages, *turn))


def _why_to_stop(verdict: Verdict, revisions: Sequence[Revision], new: Revision) -> str | None:
    """None to continue with the new revision; else why not, as a sentence for people or, if none is
    needed, ""."""
    if verdict.confident:
        return ""
    if any(new.patch.text == old.patch.text for old in revisions):
        return "Reflection asked for a revision but changed nothing further."
    if not new.patch.text:
        return "Reflection would have undone the whole change; the change before it was kept."
    if len(new.problems) > len(revisions[-1].problems):
        return "Reflection made the change worse by the checks; the change before it was kept."
    return None


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


def _revision(
    base: RepositoryView, draft: _Draft, diff: Diff, syntax_checker: SyntaxChecker
) -> Revision:
    patch = diff(draft.changes)
    problems = find_problems(base, draft.changes, syntax_checker)
    return Revision(patch, draft.changes, draft.summary, draft.rejected, problems)


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
    return (*forbidden, *((undone + ".",) if failed else ()), *last.problems)


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
