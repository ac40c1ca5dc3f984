"""Whether the edits of a review replace the change that it reviewed: only with a counterexample, of
the review or of the checks, and if a comparison of both versions prefers them. Most changes are
right as they are, and a reviewer who looks for faults finds some in these too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.change.review.reviewer import Reviewer
from bot.errors import Damaged, LimitReached, OutsideError, SetupError
from bot.types import Counterexample, Revision, Verdict

_LINE = re.compile(r":\d+")
_NOTHING_FURTHER = "Reflection asked for a revision but changed nothing further."
_UNDONE = "Reflection would have undone the whole change; the change before it was kept."
_WORSE = "Reflection made the change worse by the checks; the change before it was kept."
_NOT_SHOWN = "Its edits were not used: it named no input, place and wrong result."
_USED_UP = "Its edits were not used: the revisions were used up (TINYGEN_MAX_REVISIONS)."
_CHOSEN = "A comparison of both versions chose it."
_NOT_CHOSEN = "A comparison of both versions chose the one before."
_UNCLEAR = "A comparison of both versions had no clear result, so the one before was kept."


def decide(
    reviewer: Reviewer,
    verdict: Verdict,
    revisions: Sequence[Revision],
    new: Revision,
    *,
    is_last: bool,
) -> tuple[Verdict, str]:
    """The verdict on the last of the revisions with the decision on its edits, which led to `new`;
    and a note for people, or "". `is_last`: no further revision may be made."""
    now = revisions[-1]
    if verdict.confident:
        return verdict, ""
    if any(new.patch.text == old.patch.text for old in revisions):
        return verdict, _fault_left(verdict, _NOTHING_FURTHER) or _NOTHING_FURTHER
    old_problems, new_problems = _without_lines(now.problems), _without_lines(new.problems)
    mended = [problem for words, problem in old_problems.items() if words not in new_problems]
    # A file that parses again may show further problems: then the comparison decides.
    is_worse = not mended and bool(new_problems.keys() - old_problems.keys())
    if is_worse or not new.patch.text:
        why = _WORSE if new.patch.text else _UNDONE
        return _kept(verdict, why), why
    faults = (*verdict.counterexamples, *map(_fault_of, mended))
    if not faults:
        return _kept(verdict, _NOT_SHOWN), ""
    verdict = replace(verdict, counterexamples=faults)
    if is_last:
        return _kept(verdict, _USED_UP), _fault_left(verdict, _USED_UP)
    return _compare(reviewer, verdict, now, new)


def _without_lines(problems: Sequence[str]) -> dict[str, str]:
    """Each problem by its words without the number of its line, which moves."""
    return {_LINE.sub(":", problem): problem for problem in problems}


def _fault_of(problem: str) -> Counterexample:
    """What checks found is a counterexample as well."""
    return Counterexample(
        "any run, as checks found without one", problem.partition(" ")[0], problem
    )


def _compare(
    reviewer: Reviewer, verdict: Verdict, now: Revision, new: Revision
) -> tuple[Verdict, str]:
    try:
        chosen, prose = reviewer.compare(now, new, verdict.counterexamples)
    except Damaged:
        raise
    except (LimitReached, OutsideError, SetupError) as error:
        why = f"The versions could not be compared, so the one before was kept: {error.message}"
        return _kept(verdict, why), _fault_left(verdict, why)
    verdict = replace(verdict, comparison=prose)
    if chosen is new:
        return replace(verdict, decision="taken", why=_CHOSEN), ""
    return _kept(verdict, _UNCLEAR if chosen is None else _NOT_CHOSEN), ""


def _kept(verdict: Verdict, why: str) -> Verdict:
    return replace(verdict, decision="kept", why=why)


def _fault_left(verdict: Verdict, why: str) -> str:
    """A note on a fault that a review showed and that was not mended; "" if it showed none."""
    if not verdict.counterexamples:
        return ""
    fault = verdict.counterexamples[0]
    return f"A review found a fault that is still there, at {fault.place}: {fault.result} {why}"
