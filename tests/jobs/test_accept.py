"""What was decided about a command before a restart holds after it, whichever commit recorded
it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from bot.jobs.accept import DECISION, Decision, StandingRefusal
from bot.jobs.policy import Authorization, Refusal
from bot.types import AuthorPermissions, Failure, Outsider

NO = Failure("You may not.", "Ask mona.")
KNOWN = AuthorPermissions({"mona": "write"}, (Outsider("mallory", "the request"),))


@pytest.mark.parametrize(
    ("recorded", "decision"),
    [
        ({"failure": asdict(NO), "covers": ""}, Refusal(NO, covers="")),
        (asdict(NO), Refusal(NO)),  # as commits up to adabc01 recorded it
        ({"again": asdict(NO)}, StandingRefusal(NO)),
        ({"may_write": False, "has": "read"}, Authorization(may_write=False, permission="read")),
        ({}, Authorization()),
        (None, Authorization()),
    ],
)
def test_a_recorded_refusal_is_never_taken_for_a_permission(
    recorded: Any, decision: Decision
) -> None:
    assert DECISION.load(recorded) == decision


@pytest.mark.parametrize(
    "decision",
    [
        Refusal(NO, covers="solve"),
        StandingRefusal(NO),
        Authorization(may_write=False, mistakes=("Line 2.",), permission="read", authors=KNOWN),
    ],
)
def test_a_decision_comes_back_as_it_was_recorded(decision: Decision) -> None:
    assert DECISION.load(DECISION.dump(decision)) == decision
