"""The teller of one job: its comment, its report and its log row, always in step with each other.

The report is the truth; the comment and the row are made from it. Progress that cannot be shown is logged and does not
stop the work; the end is told wherever it can be.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import structlog

from bot.core.record import dump_report, load_report
from bot.core.render import fits_comment, marker, render_comment
from bot.core.types import FINAL_STATES, Failure, Report, Step, StepState
from bot.errors import AskerError, Cancelled, LimitReached, OutsideError, TinyGenError
from bot.job.house import House
from bot.ports import GitHub

_log = structlog.get_logger()

STEPS = {
    "read": "Read the task and the repository",
    "generate": "Write the change",
    "reflect": "Review the change",
    "deliver": "Deliver",
}


class Teller:
    def __init__(self, house: House, report: Report, comment_id: int | None) -> None:
        self._house = house
        self.report = report
        self.comment_id = comment_id

    def update(self, **changes: Any) -> None:
        """Changes the report; nothing is shown yet."""
        self.report = replace(self.report, **changes)

    def record(self) -> None:
        """Writes report and row; the thread is not told."""
        report = self.report
        self._house.engine.step("record", lambda: self._record(report))
        self._send_row()

    def progress(self, step: str) -> None:
        """Shows that `step` (a key of STEPS) has begun, and that those before it are done."""
        at = list(STEPS).index(step)
        states: list[StepState] = ["done" if i < at else "running" if i == at else "waiting" for i in range(len(STEPS))]
        steps = tuple(Step(title, state) for title, state in zip(STEPS.values(), states, strict=True))
        self.update(state="running", steps=steps)
        self._show(f"tell {step}")

    def done(self, **changes: Any) -> None:
        self.update(**changes, state="done", steps=tuple(replace(step, state="done") for step in self.report.steps))
        self._finish()

    def stopped(self, error: TinyGenError | Cancelled) -> None:
        """The job's end, in words for its asker."""
        steps = tuple(
            replace(step, state="failed" if step.state == "running" else step.state) for step in self.report.steps
        )
        if isinstance(error, Cancelled):
            self.update(state="cancelled", steps=steps)
        else:
            self.update(state="failed", steps=steps, failure=failure_of(error))
        self._finish()

    def refused(self, failure: Failure, *, silently: bool = False) -> None:
        """`silently`: without a comment, as for bots."""
        self.update(state="refused", failure=failure)
        if not silently:
            self.open_comment("refuse")
        self._finish()

    def open_comment(self, step: str) -> None:
        """Makes the job's one comment, or finds it."""
        number = self.report.job.target.issue_number
        if number is not None and self.comment_id is None:
            self.comment_id = self._house.engine.step(step, lambda: self._post(number))

    def _post(self, number: int) -> int:
        return self._github().post_comment(number, self._words(self.report), marker=marker(self.report.job.id))

    def _finish(self) -> None:
        finished_at = self._house.engine.step("clock", lambda: self._house.now().isoformat())
        self.update(finished_at=finished_at)
        self._show(f"tell {self.report.state}")

    def _show(self, step: str) -> None:
        report = self.report
        self._house.engine.step(step, lambda: self._record_and_show(report))
        self._send_row()

    def _send_row(self) -> None:
        """Sends the log row on its way, where the log is kept elsewhere as well."""
        state, job_id = self.report.state, self.report.job.id
        if self._house.remote_log and (state == "queued" or state in FINAL_STATES):
            self._house.engine.enqueue("log", "log", f"{job_id}-log-{state}", {"id": job_id})

    def _record(self, report: Report) -> None:
        clean = load_report(json.loads(self._house.clean(json.dumps(dump_report(report)))))
        self._house.reports.save(clean)
        self._house.log.write(clean)

    def _record_and_show(self, report: Report) -> None:
        self._record(report)
        command_id = report.job.target.comment_id
        if command_id is None:
            return
        try:
            self._show_in_thread(report, command_id)
        except (AskerError, OutsideError) as error:
            _log.warning("the thread could not be told", state=report.state, error=error.message)

    def _show_in_thread(self, report: Report, command_id: int) -> None:
        if self.comment_id is not None:
            self._github().edit_comment(self.comment_id, self._words(report))
        if report.state in FINAL_STATES:
            self._github().react(command_id, "rocket" if report.state == "done" else "confused")

    def _github(self) -> GitHub:
        target = self.report.job.target
        return self._house.connect(target.repo, target.installation_id)

    def _words(self, report: Report) -> str:
        return self._house.clean(render_comment(report, with_diff=fits_comment(report)))


def failure_of(error: TinyGenError) -> Failure:
    retryable = isinstance(error, OutsideError) or not isinstance(error, AskerError | LimitReached)
    return Failure(error.message, error.next_step, retryable, type(error).__name__)
