"""The prompts for the review of a change, and for the choice between two versions of it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.change.prompts.parts import (
    FORM,
    joined,
    material,
    request_form,
    system_message,
    tag_of,
)
from bot.change.prompts.task import (
    IMAGES,
    language,
    task_section,
    words_of_thread,
)
from bot.change.review.verdict import CONFIDENT, REVISION_NEEDED
from bot.types import Counterexample, Message, Prompt, RequestLimits, Task

_REVIEW = f"""\
You review a change to a git repository before people see it. You get the task, the author's explanation, the change as
a diff with the code around it, the lines elsewhere that name what it changes or declare what it calls, and what checks
found. Nothing was run.

Trace an ordinary and an extreme input through every changed line: is each condition, operator, index, argument and
error what the task and the code around need? Is the task done in full, and nothing unasked? Do the callers still fit?
A fault counts if you can show it: with an input or a state, and what the code then does wrong. What you cannot show is
a remark; what you must see to be sure, ask for. Taste is no fault, and neither is what was so before and is not asked
for.

Answer with one of:
- {CONFIDENT} if you can show no fault. Say in one or two sentences what you checked; remarks for people may follow.
  Send no edits.
- {REVISION_NEEDED} if you can show one. Say of each fault, in three lines that begin with these words:

Input: the call, the file or the state that shows it
Place: src/greet.py:12
Result: what happens there, and what should happen

  Then send edits that mend the faults and do nothing else; they apply on top of the change, and SEARCH is copied from
  the diff without its first column. Edits without these three lines are not used.
"""

_COMPARE = """\
A change to a git repository has two versions. You get the task, the places in which they differ (a line that begins
with A is only in version A, one with B only in version B, the others are in both), and the faults that a review or a
check reported of one of them. Nothing was run, and a report may be wrong.

Trace each input through both versions. Choose the version that does what the task asks and breaks nothing; if the
faults cannot happen, or happen in both, the one that does nothing unasked. Say why in two or three sentences, and end
with [A] or [B].
"""
_LABELS = "The words `Input:`, `Place:` and `Result:` stay as they are."
_LIMITS = RequestLimits()


def review_prompt(
    task: Task,
    explanation: str,
    diff: str,
    *,
    elsewhere: str = "",
    findings: Sequence[str] = (),
    mended: Sequence[Counterexample] = (),
    limits: RequestLimits = _LIMITS,
) -> Prompt:
    """The prompt for the review of a change. If `mended` are faults of an earlier version, the diff
    is only what was changed since."""
    faults = render_counterexamples(mended)
    tag = tag_of(task)
    what = "what was changed since, and is to be reviewed" if faults else "the change"
    user = joined(
        *_task_before_change(tag, task, explanation),
        material(tag, "what was shown to be wrong with the change before", faults),
        material(tag, what, diff),
        material(tag, "lines elsewhere that name what is changed", elsewhere),
        material(tag, "what checks of the change found", _bullets(findings)),
        joined(language(task), _LABELS if task.language else ""),
        f"Answer with {CONFIDENT} or {REVISION_NEEDED}.",
    )
    system = system_message(tag, _REVIEW, FORM, request_form(limits))
    return Prompt("reflect", (system, Message("user", user, task.images)))


def comparison_prompt(
    task: Task, explanation: str, difference: str, counterexamples: Sequence[Counterexample]
) -> Prompt:
    """The prompt for the choice between two versions of a change. The lines of `difference` that
    only one of them has begin with A or B."""
    faults = render_counterexamples(counterexamples)
    tag = tag_of(task)
    user = joined(
        *_task_before_change(tag, task, explanation),
        material(tag, "the places in which versions A and B differ", difference),
        material(tag, "the faults that were reported of one of them", faults),
        language(task),
        "Why, in two or three sentences, then [A] or [B].",
    )
    return Prompt("compare", (system_message(tag, _COMPARE), Message("user", user, task.images)))


def _task_before_change(tag: str, task: Task, explanation: str) -> tuple[str, ...]:
    """What all reviews of a job begin with."""
    return (
        *words_of_thread(tag, task),
        IMAGES if task.images else "",
        task_section(task),
        material(tag, "the author's explanation of the change", explanation),
    )


def render_counterexamples(counterexamples: Sequence[Counterexample]) -> str:
    return "\n\n".join(
        f"Input: {each.input}\nPlace: {each.place}\nResult: {each.result}"
        for each in counterexamples
    )


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
