"""The teller of one job: its comment, its report and its log row, always in step with each other.

The report is the truth; the comment and the row are made from it. Progress that cannot be shown is logged and does not
stop the work; an end that cannot be told now is told later (late.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import structlog

from bot.core.record import dump_report, load_report
from bot.core.render import fits_comment, render_comment, thread_marker
from bot.core.report import Failure, Report, Step
from bot.core.types import FINAL_STATES, StepState
from bot.errors import AskerError, Cancelled, OutsideError, TinyGenError
from bot.job.engine import EngineError
from bot.job.house import House
from bot.job.outcome import cleaned
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
        self.asked_s = 0.0
        """How long GitHub asked to wait where it could not be told something; 0 where it did not say."""

    def update(self, **changes: Any) -> None:
        """Changes the report; nothing is shown yet."""
        self.report = replace(self.report, **changes)

    def begin(self) -> None:
        """Writes report and row; the thread is not told."""
        report = self.report
        self._house.engine.step("record", lambda: self._record(report))

    def vanish(self) -> None:
        """Ends a job whose command is gone, of which the thread knows nothing yet, and is not told."""
        self.update(state="cancelled", finished_at=self._clock())
        self.begin()

    def acknowledge(self) -> None:
        """The sign that the command was seen, and the job's one comment."""
        number = self.report.job.target.issue_number
        if number is not None:
            self._house.engine.step("eyes", lambda: self._told("eyes", lambda: self._react("eyes")))
            self.comment_id = self._house.engine.step("comment", lambda: self._post(number))

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

    def refused(self, failure: Failure) -> None:
        self.update(state="refused", failure=failure)
        self._finish()

    def tell_thread(self, report: Report) -> bool:
        """Brings the thread to the report's state; False where that may succeed later. A bot gets no comment."""
        number, told = report.job.target.issue_number, True
        if number is not None and not report.job.actor_is_bot:
            told = self._told("comment", lambda: self._write(number, report))
        if number is not None and report.state in FINAL_STATES:
            sign: Literal["rocket", "confused"] = "rocket" if report.state == "done" else "confused"
            told = self._told("reaction", lambda: self._react(sign)) and told
        return told

    def _finish(self) -> None:
        self.update(finished_at=self._clock())
        if not self._show(f"tell {self.report.state}"):
            job_id = self.report.job.id
            payload = {"id": job_id, "comment_id": self.comment_id}
            self._house.engine.enqueue("late", "tell", f"{job_id}-tell", payload)

    def _clock(self) -> str:
        now: str = self._house.engine.step("clock", lambda: self._house.now().isoformat())
        return now

    def _show(self, step: str) -> bool:
        """Whether the thread was told."""
        report = self.report
        told: bool = self._house.engine.step(step, lambda: self._record_and_tell(report))
        return told

    def _record_and_tell(self, report: Report) -> bool:
        self._record(report)
        return self.tell_thread(report)

    def _record(self, report: Report) -> None:
        clean = load_report(cleaned(dump_report(report), self._house.clean))
        self._house.reports.save(clean)
        self._house.log.write(clean)
        if self._house.outbox is not None and (report.state == "queued" or report.state in FINAL_STATES):
            self._house.outbox.add(clean)

    # -- the thread --

    def _told(self, what: str, tell: Callable[[], None]) -> bool:
        """False where it may be told later. What never can (the comment is gone, the thread locked) is only logged."""
        try:
            tell()
        except TinyGenError as error:
            _log.warning("the thread could not be told", what=what, state=self.report.state, error=error.message)
            if isinstance(error, OutsideError):
                self.asked_s = max(self.asked_s, error.retry_in_s or 0.0)
            return isinstance(error, AskerError)
        return True

    def _write(self, number: int, report: Report) -> None:
        if self.comment_id is None:
            self.comment_id = self._post(number)
        on_line = report.job.target.reply_to is not None
        self._github().edit_comment(self.comment_id, self._words(report), on_line=on_line)

    def _post(self, number: int) -> int:
        words, reply_to = self._words(self.report), self.report.job.target.reply_to
        return self._github().post_comment(number, words, marker=thread_marker(self.report), reply_to=reply_to)

    def _react(self, sign: Literal["eyes", "rocket", "confused"]) -> None:
        target = self.report.job.target
        if target.comment_id is not None:
            self._github().react(target.comment_id, sign, on_line=target.reply_to is not None)

    def _github(self) -> GitHub:
        target = self.report.job.target
        return self._house.connect(target.repo, target.installation_id)

    def _words(self, report: Report) -> str:
        return self._house.clean(render_comment(report, with_diff=fits_comment(report)))


@contextmanager
def ending(teller: Teller) -> Iterator[None]:
    """Whatever ends the work inside before it is done is told, a fault of TinyGen's own included."""
    try:
        yield
    except (TinyGenError, Cancelled) as error:
        teller.stopped(error)
    except EngineError:
        raise
    except Exception:  # the job's outer edge: its asker is told, whatever it was
        _log.exception("a job met a fault of TinyGen's own")
        where = f"Its operator finds the cause in the log, under the job `{teller.report.job.id}`."
        teller.stopped(TinyGenError("TinyGen met a fault of its own.", next_step=where))


def failure_of(error: TinyGenError) -> Failure:
    return Failure(error.message, error.next_step, not isinstance(error, AskerError), type(error).__name__)
