"""Whether the edits of a review replace the change that it reviewed: only with a counterexample, of
the review or of the checks, and if a comparison of both versions prefers them. Most changes are
right as they are, and a reviewer who looks for faults finds some in these too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bot.change.review.reviewer import Reviewer
from bot.errors import Damaged, LimitReached, OutsideError, SetupError
from bot.types import Counterexample, Revision, Verdict

_NUMBER = re.compile(r"\d+")
_NOTHING_FURTHER = "Reflection asked for a revision but changed nothing further."
_BACK = "Reflection would have gone back to an earlier version; the newest one was kept."
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
    if new.patch.text == now.patch.text:
        return verdict, _fault_left(verdict, _NOTHING_FURTHER) or _NOTHING_FURTHER
    if any(new.patch.text == old.patch.text for old in revisions):
        return _kept(verdict, _BACK), _BACK
    old_problems, new_problems = _count(now.problems), _count(new.problems)
    mended = [
        problem
        for problem in now.problems
        if old_problems[_key(problem)] > new_problems[_key(problem)]
    ]
    # A file that parses again may show further problems: then the comparison decides.
    is_worse = not mended and bool(new_problems - old_problems)
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


def _count(problems: Sequence[str]) -> Counter[str]:
    return Counter(map(_key, problems))


def _key(problem: str) -> str:
    """A problem without its numbers: lines move."""
    return _NUMBER.sub("0", problem)


def _fault_of(problem: str) -> Counterexample:
    """What checks found is a counterexample as well."""
    return Counterexample(
        "none is needed: a check of the text found it", problem.partition(" ")[0], problem
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
    result = fault.result.rstrip(".")
    return f"A review reported a fault that is still there, at {fault.place}: {result}. {why}"
