"""When what could not be told is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.errors import OutsideError
from bot.jobs.policy import JobContext
from bot.jobs.progress import report_end
from bot.jobs.workflows import EndToReport
from bot.types import Command, Job, Report, Target
from tests.fakes import MemoryReports


@dataclass
class FakeEngine:
    """Runs each step at once; `waits` are those of what was queued."""

    waits: list[float] = field(default_factory=list)

    def step(self, name: str, body: Callable[[], Any], result: Any) -> Any:
        return body()

    def enqueue(
        self, queue: str, workflow: Any, workflow_id: str, payload: Any, *, key: str, wait_s: float
    ) -> None:
        self.waits.append(wait_s)


class Limited:
    """A GitHub that asks to be left alone for so long."""

    def __init__(self, retry_in_s: float | None) -> None:
        self.retry_in_s = retry_in_s

    def edit_comment(self, comment_id: int, body: str, *, on_line: bool) -> None:
        raise OutsideError("GitHub's limit was met.", next_step="Wait.", retry_in_s=self.retry_in_s)


@dataclass
class FakeContext:
    limited: Limited
    engine: FakeEngine = field(default_factory=FakeEngine)
    reports: MemoryReports = field(default_factory=MemoryReports)
    policy: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(server_url="https://h"))

    def github(self, target: Target) -> Limited:
        return self.limited

    def clean(self, words: str) -> str:
        return words

    def page_url(self, job: Job) -> str:
        return ""


def queued_wait(context: FakeContext, tries: int) -> list[float]:
    job = Job("a", "comment", Target("o/r", 1, 1), Command("solve"))
    context.reports.save(Report(job, "done"))
    report_end(cast(JobContext, context), EndToReport("a", 5, tries=tries))
    return context.engine.waits


@pytest.mark.parametrize(("asked_s", "wait_s"), [(None, 16.0), (7.0, 7.0), (700.0, 700.0)])
def test_an_end_is_told_after_the_wait_that_was_asked_for_or_one_that_doubles(
    asked_s: float | None, wait_s: float
) -> None:
    assert queued_wait(FakeContext(Limited(asked_s)), tries=5) == [wait_s]


def test_an_end_is_told_later_too_where_the_database_is_away() -> None:
    context = FakeContext(Limited(None))
    context.reports.is_away = True
    assert queued_wait(context, tries=2) == [2.0]
