"""The teller of one job: its comment, its report and its log row, always in step with each other.

The report is the truth; the comment and the row are made from it. Progress that cannot be shown is
logged and does not stop the work; an end that cannot be told now is told later (late.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, TypeVar

import structlog

from bot.errors import AskerError, BadRequest, Cancelled, OutsideError, TinyGenError
from bot.jobs.engine import EngineError, cleaned
from bot.jobs.policy import JobContext
from bot.ports import GitHub
from bot.thread.render import render_comment_that_fits, render_short_comment, thread_marker
from bot.types import FINAL_STATES, Failure, Report, Step, StepState
from bot.types.serialization import dump_report, load_report

T = TypeVar("T")

_log = structlog.get_logger()

STEPS = {
    "read": "Read the task and the repository",
    "generate": "Write the change",
    "reflect": "Review the change",
    "deliver": "Deliver",
}


class ProgressReporter:
    def __init__(self, context: JobContext, report: Report, comment_id: int | None) -> None:
        self._context = context
        self.report = report
        self.comment_id = comment_id
        self.asked_s = 0.0
        """How long GitHub asked to wait where it could not be told something; 0 where it did not
        say."""

    def update(self, **changes: Any) -> None:
        """Changes the report; nothing is shown yet."""
        self.report = replace(self.report, **changes)

    def begin(self) -> None:
        """Writes report and row; the thread is not told."""
        report = self.report
        self._context.engine.step("record", lambda: self._record(report))

    def vanish(self) -> None:
        """Ends a job whose command is gone, of which the thread knows nothing yet, and is not
        told."""
        self.update(state="cancelled", finished_at=self._clock())
        self.begin()

    def refused_in_silence(self, failure: Failure) -> None:
        """Ends a job whose asker was told the same a moment ago."""
        self.update(state="refused", failure=failure, finished_at=self._clock())
        self.begin()

    def acknowledge(self) -> None:
        """The sign that the command was seen, and the job's one comment."""
        number = self.report.job.target.issue_number
        if number is not None:
            self._context.engine.step("eyes", self._acknowledge)
            self.comment_id = self._context.engine.step("comment", lambda: self._post(number))

    def progress(self, step: str) -> None:
        """Shows that `step` (a key of STEPS) has begun, and that those before it are done."""
        at = list(STEPS).index(step)
        states: list[StepState] = [
            "done" if i < at else "running" if i == at else "waiting" for i in range(len(STEPS))
        ]
        steps = tuple(
            Step(title, state) for title, state in zip(STEPS.values(), states, strict=True)
        )
        self.update(state="running", steps=steps)
        self._show(f"tell {step}")

    def done(self, **changes: Any) -> None:
        self.update(
            **changes,
            state="done",
            steps=tuple(replace(step, state="done") for step in self.report.steps),
        )
        self._finish()

    def stopped(self, error: TinyGenError | Cancelled) -> None:
        """The job's end, in words for its asker."""
        steps = tuple(
            replace(step, state="failed" if step.state == "running" else step.state)
            for step in self.report.steps
        )
        if isinstance(error, Cancelled):
            self.update(state="cancelled", steps=steps)
        else:
            self.update(state="failed", steps=steps, failure=failure_of(error))
        self._finish()

    def failed_by_fault(self) -> None:
        """The job's end by a fault of TinyGen's own. Where that is in what is to be told, nothing
        but the end is."""
        where = f"Its operator finds the cause in the log, under the job `{self.report.job.id}`."
        fault = TinyGenError("TinyGen met a fault of its own.", next_step=where)
        try:
            self.stopped(fault)
        except (TinyGenError, EngineError):
            raise
        except Exception:  # whatever the report holds must not keep its job from ending
            _log.exception("a job's end could not be told whole")
            self.report = Report(self.report.job, "running", mode=self.report.mode)
            self.stopped(fault)

    def refused(self, failure: Failure) -> None:
        self.update(state="refused", failure=failure)
        self._finish()

    def tell_thread(self, report: Report) -> bool:
        """Brings the thread to the report's state; False where that may succeed later. A bot gets
        no comment."""
        number, told = report.job.target.issue_number, True
        if number is not None and not report.job.actor_is_bot:
            told = self._told("comment", lambda: self._write(number, report))
        if number is not None and report.state in FINAL_STATES:
            sign: Literal["rocket", "confused"] = "rocket" if report.state == "done" else "confused"
            told = self._told("reaction", lambda: self._react(sign)) and told
        return told

    def _acknowledge(self) -> None:
        """A limit of GitHub is raised: the job waits for its end, and is acknowledged then."""
        try:
            self._react("eyes")
        except TinyGenError as error:
            if isinstance(error, OutsideError) and error.retry_in_s:
                raise
            _log.warning("a command could not be acknowledged", error=error.message)

    def _finish(self) -> None:
        self.update(finished_at=self._clock())
        if not self._show(f"tell {self.report.state}"):
            job_id = self.report.job.id
            account = self.report.job.account
            payload = {"id": job_id, "comment_id": self.comment_id, "account": account}
            self._context.engine.enqueue(
                "followups", "tell", f"{job_id}-tell", payload, key=account
            )

    def _clock(self) -> str:
        now: str = self._context.engine.step("clock", lambda: self._context.now().isoformat())
        return now

    def _show(self, step: str) -> bool:
        """Whether the thread was told."""
        report = self.report
        told: bool = self._context.engine.step(step, lambda: self._record_and_tell(report))
        return told

    def _record_and_tell(self, report: Report) -> bool:
        self._record(report)
        return self.tell_thread(report)

    def _record(self, report: Report) -> None:
        clean = load_report(cleaned(dump_report(report), self._context.clean))
        self._context.reports.save(clean)
        self._context.log.write(clean)
        if self._context.outbox is not None and (
            report.state == "queued" or report.state in FINAL_STATES
        ):
            self._context.outbox.add(clean)

    def _told(self, what: str, tell: Callable[[], None]) -> bool:
        """False where it may be told later. What never can (the comment is gone, the thread locked)
        is only logged."""
        try:
            tell()
        except TinyGenError as error:
            _log.warning(
                "the thread could not be told",
                what=what,
                state=self.report.state,
                error=error.message,
            )
            if isinstance(error, OutsideError):
                self.asked_s = max(self.asked_s, error.retry_in_s or 0.0)
            return isinstance(error, AskerError)
        return True

    def _write(self, number: int, report: Report) -> None:
        if self.comment_id is None:
            self.comment_id = self._post(number)
        comment_id, on_line = self.comment_id, report.job.target.reply_to is not None
        self._in_words(
            report, lambda words: self._github().edit_comment(comment_id, words, on_line=on_line)
        )

    def _post(self, number: int) -> int:
        marker, reply_to = thread_marker(self.report), self.report.job.target.reply_to
        return self._in_words(
            self.report,
            lambda words: self._github().post_comment(
                number, words, marker=marker, reply_to=reply_to
            ),
        )

    def _in_words(self, report: Report, send: Callable[[str], T]) -> T:
        """Sends the report's comment; a short one where GitHub does not take that."""
        try:
            return send(self._context.clean(render_comment_that_fits(report)))
        except BadRequest as refusal:
            _log.warning("GitHub refused a comment", job=report.job.id, error=refusal.message)
            return send(self._context.clean(render_short_comment(report)))

    def _react(self, sign: Literal["eyes", "rocket", "confused"]) -> None:
        target = self.report.job.target
        if target.comment_id is not None:
            self._github().react(target.comment_id, sign, on_line=target.reply_to is not None)

    def _github(self) -> GitHub:
        target = self.report.job.target
        return self._context.github(target)


@contextmanager
def ending(reporter: ProgressReporter) -> Iterator[None]:
    """Whatever ends the work inside before it is done is told, a fault of TinyGen's own
    included."""
    try:
        yield
    except (TinyGenError, Cancelled) as error:
        reporter.stopped(error)
    except EngineError:
        raise
    except Exception:  # the job's outer edge: its asker is told, whatever it was
        _log.exception("a job met a fault of TinyGen's own")
        reporter.failed_by_fault()


def failure_of(error: TinyGenError) -> Failure:
    return Failure(
        error.message, error.next_step, not isinstance(error, AskerError), type(error).__name__
    )
