"""What was decided of a command before a restart holds after it, whichever commit recorded it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

import pytest

from bot.jobs.accept import is_refused
from bot.jobs.policy import Authorization, JobContext, Refusal, dump_authorization
from bot.jobs.progress import ProgressReporter
from bot.types import Command, Failure, Job, Report, Target

NO = Failure("You may not.", "Ask mona.")


class FakeReporter:
    """Remembers how the job ended."""

    def __init__(self) -> None:
        self.report = Report(
            Job("a", "comment", Target("o/r", 1, 1), Command("solve", "x"), "mallory"), "queued"
        )
        self.ended: list[tuple[str, Failure]] = []

    def update(self, **changes: Any) -> None: ...

    def refused(self, failure: Failure) -> None:
        self.ended.append(("told", failure))

    def refused_in_silence(self, failure: Failure) -> None:
        self.ended.append(("in silence", failure))


@pytest.mark.parametrize(
    ("recorded", "ended"),
    [
        (asdict(Refusal(NO)), [("told", NO)]),
        (asdict(NO), [("told", NO)]),  # as commits up to adabc01 recorded it
        ({"again": asdict(NO)}, [("in silence", NO)]),
        (dump_authorization(Authorization()), []),
        (None, []),
    ],
)
def test_a_recorded_refusal_is_never_taken_for_a_permission(
    recorded: Any, ended: list[tuple[str, Failure]]
) -> None:
    reporter = FakeReporter()
    assert is_refused(cast(JobContext, None), cast(ProgressReporter, reporter), recorded) is bool(
        ended
    )
    assert reporter.ended == ended
