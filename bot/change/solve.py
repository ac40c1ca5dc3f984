"""The loop: ask the model for edits, apply them, then let the model review the change. A revision
replaces the change only if the checks or a comparison prefer it, and is reviewed in its turn.

The model and git are callables, so the same replies give the same result: a run can be replayed
from its transcript, and a job that was killed continues from the replies that were recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.change import prompts
from bot.change.checks import find_problems
from bot.change.checks.signs import find_signs
from bot.change.conversation import (
    Ask,
    Conversation,
    Draft,
    LimitedModel,
    ReportShown,
    ignore_shown,
)
from bot.change.first_request import list_shown, request_limits, send_first
from bot.change.repository import with_changes
from bot.change.review.decision import decide
from bot.change.review.reviewer import Reviewer
from bot.errors import Damaged, LimitReached, OutsideError, SetupError, Unworkable
from bot.types import (
    NO_PARSERS,
    Context,
    ModelLimits,
    Parsers,
    RequestLimits,
    Revision,
    ShownFile,
    Solution,
    Task,
)
from bot.types.snapshot import Changes, Patch, RepositoryView

Diff = Callable[[Changes], Patch]
ReportStep = Callable[[str], None]

NOTHING_YET: Changes = {}


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
    model = LimitedModel(ask, limits)
    context_tokens = limits.context_tokens
    tag = prompts.tag_of(task)

    def converse(requests: RequestLimits) -> Conversation:
        return Conversation(base, model, parsers.check_syntax, requests, tag, report_shown)

    def write(context: Context, requests: RequestLimits) -> Draft:
        report_shown(list_shown(context, task))
        prompt = prompts.generation_prompt(task, context, requests)
        return converse(requests).hold(prompt, start)

    def revision(draft: Draft) -> Revision:
        patch = diff(draft.changes)
        problems = find_problems(base, draft.changes, parsers)
        signs = tuple(sign.sentence for sign in find_signs(base, draft.changes))
        return Revision(patch, draft.changes, draft.summary, draft.rejected, problems, signs)

    report_step("generate")
    draft, first_shown, notes = send_first(
        task, with_changes(base, start), model, write, context_tokens=context_tokens
    )
    first = revision(draft)
    is_idle = not first.patch.text or draft.changes == start
    if is_idle and (draft.rejected or draft.unfinished):
        raise _no_change(draft)
    report_step("reflect")
    notes += [draft.unfinished] if draft.unfinished else []
    if is_idle and first.patch.text:
        notes.append("The model changed nothing further: this is the change as it was.")
    reviewer = Reviewer(task, converse(request_limits(context_tokens)), context_tokens, seed)
    revisions, shown, found = _review(first, revision, reviewer, limits.revisions)
    return Solution(
        revisions,
        tuple(dict.fromkeys((*first_shown, *draft.shown, *shown))),
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


def _notes_on_result(last: Revision) -> tuple[str, ...]:
    forbidden = tuple(
        dict.fromkeys(rejection.message for rejection in last.rejected if rejection.is_final)
    )
    failed = [rejection for rejection in last.rejected if not rejection.is_final]
    undone = f"{len(failed)} of the model's edits did not match and were left out: " + ", ".join(
        sorted({f"`{rejection.edit.path}`" for rejection in failed})
    )
    return (*forbidden, *((undone + ".",) if failed else ()), *last.problems, *last.signs)
