"""The review of a change by the model, and the choice between the change and its revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from bot.change.conversation import Conversation, Draft
from bot.change.edits import read_reply
from bot.change.prompts import comparison_prompt, review_prompt
from bot.change.repository import with_changes
from bot.change.review.diff import WideDiff, content_of, widen_diff, widen_difference
from bot.change.review.elsewhere import describe_elsewhere
from bot.change.review.verdict import (
    read_choice,
    read_counterexamples,
    read_verdicts,
    without_choice,
    without_verdict,
)
from bot.types import Counterexample, Revision, Task, Verdict
from bot.types.snapshot import Change, Changes

_SMALL = 0.5
"""A revision is reviewed alone if what it changes is at most this part of the whole change: of a
larger one, showing the whole again costs little more. Set by hand."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Reviews the revisions of one task. `seed` decides in which order two of them are compared."""

    task: Task
    conversation: Conversation
    context_tokens: int
    seed: str

    def review(self, now: Revision, before: Revision | None = None) -> tuple[Verdict, Draft]:
        """The verdict on a revision, and a draft with the further edits. If the revision `before`
        was reviewed and little was changed since, only that is shown.

        Edits count more than a verdict beside them: the verdict is confident only if no reply
        holds an edit or asks for a revision.
        """
        base = self.conversation.base
        diff, elsewhere, mended = self._show(now, before)
        prompt = review_prompt(
            self.task,
            now.summary,
            diff.text,
            elsewhere=elsewhere,
            findings=(*now.problems, *now.signs, *(each.message for each in now.rejected)),
            mended=mended,
            limits=self.conversation.limits,
        )
        draft = self.conversation.hold(prompt, now.changes)
        verdicts = [(words, read_verdicts(words)) for words in draft.prose]
        wants_more = any("REVISION NEEDED" in tokens for _words, tokens in verdicts)
        is_idle = draft.changes == now.changes and not draft.rejected and not draft.unfinished
        reason = "\n\n".join(words for words, tokens in verdicts if tokens) or draft.summary
        verdict = Verdict(
            is_idle and not wants_more,
            without_verdict(reason),
            read_counterexamples("\n\n".join(draft.prose), (*base.blobs, *now.changes)),
        )
        open_still = (
            each
            for each in now.rejected
            if each.is_final or _is_same(now.changes, draft.changes, each.edit.path)
        )
        rejected = tuple(dict.fromkeys((*open_still, *draft.rejected)))
        return verdict, replace(draft, summary=now.summary, rejected=rejected)

    def compare(
        self, now: Revision, new: Revision, counterexamples: Sequence[Counterexample]
    ) -> tuple[Revision | None, str]:
        """The one of two revisions that the model chooses, and its reasons; None if its reply leaves
        that open. Which of them is shown as A depends on the seed and the change, so that the same
        job asks the same again."""
        is_new_first = (
            sha256(f"{self.seed} {now.patch.text}".encode(errors="replace")).digest()[0] % 2
        )
        a, b = (new, now) if is_new_first else (now, new)
        difference = widen_difference(
            self.conversation.base,
            a.changes,
            b.changes,
            budget_tokens=self.context_tokens,
            signs=("A ", "B "),
        )
        prompt = comparison_prompt(self.task, now.summary, difference.text, counterexamples)
        reply = self.conversation.ask(prompt)
        prose = read_reply(reply.text, known=self.conversation.base.blobs).prose
        chosen = {"A": a, "B": b, None: None}[read_choice(prose)]
        return chosen, without_choice(prose)

    def _show(
        self, now: Revision, before: Revision | None
    ) -> tuple[WideDiff, str, tuple[Counterexample, ...]]:
        """What a review shows: a diff, what stands elsewhere about it, and the faults that
        were mended since the last review if the diff is only what was changed since."""
        base = self.conversation.base
        whole = widen_diff(now.patch, now.changes, budget_tokens=self.context_tokens)
        if before is not None and before.verdict is not None:
            since = widen_difference(
                base, before.changes, now.changes, budget_tokens=self.context_tokens
            )
            if len(since.text) <= _SMALL * len(whole.text):
                earlier = with_changes(base, before.changes)
                back = {
                    path: Change(path, content_of(base, {}, path))
                    for path in before.changes.keys() - now.changes.keys()
                }
                elsewhere = describe_elsewhere(earlier, {**back, **now.changes}, since)
                return since, elsewhere, before.verdict.counterexamples
        return whole, describe_elsewhere(base, now.changes, whole), ()


def _is_same(now: Changes, new: Changes, path: str) -> bool:
    return now.get(path) == new.get(path)
