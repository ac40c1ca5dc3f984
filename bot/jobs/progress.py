"""Tells how a job goes: its report, its row of the request log, and its comment in the thread.

The report is the truth; the comment and the row are made from it. Progress that cannot be shown is
logged and does not stop the work. An end that cannot be told now is told later, and a job that
meets a rate limit goes on later: each later try is a workflow of its own, which holds no thread and
no place in a queue while it waits, and survives a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

import structlog

from bot.errors import (
    AskerError,
    BadRequest,
    Cancelled,
    Damaged,
    DatabaseFailed,
    OutsideError,
    TinyGenError,
)
from bot.jobs.engine import (
    FLAG,
    NOTHING,
    RESUME,
    TEXT,
    EngineError,
    Postponed,
    Resumption,
    Workflow,
)
from bot.jobs.engine.outcome import cleaned
from bot.jobs.policy import JobContext
from bot.jobs.workflows import REPORT_END, EndToReport
from bot.ports import GitHub
from bot.thread.render import render_comment_that_fits, render_short_comment, thread_marker
from bot.types import FINAL_STATES, Failure, Report, Step, StepState
from bot.types.serialization import REPORT, Codec, codec_of

T = TypeVar("T")
P = TypeVar("P", Resumption, EndToReport)

STEPS = {
    "read": "Read the task and the repository",
    "generate": "Write the change",
    "reflect": "Review the change",
    "deliver": "Deliver",
}
SHORT_WAIT_S = 1.0
"""A rate limit that asks for less was waited for already, where it was met."""
OWN_WAIT_S = 1.0
"""Before a job goes on whose cache was damaged, or whose database failed."""
LATE_REPORT_S = 3600.0
"""How much longer than a job's time the report of its end is tried, if our own database fails."""
FIRST_WAIT_S = 1.0
MAX_WAIT_S = 300.0
MAX_TRIES = 2_000
"""Almost a week."""

_COMMENT_ID: Codec[int] = codec_of(int)
_WAIT_S: Codec[float | None] = codec_of(float | None)

_log = structlog.get_logger()


class ProgressReporter:
    """Keeps one job's report, and shows it."""

    def __init__(self, context: JobContext, report: Report, comment_id: int | None) -> None:
        self._context = context
        self.report = report
        self.comment_id = comment_id
        self.wait_s = 0.0
        """How long GitHub asked to wait when something could not be told; 0 if it did not say."""

    def update(self, **changes: Any) -> None:
        """Changes the report; nothing is shown yet."""
        self.report = replace(self.report, **changes)

    def note(self, *sentences: str) -> None:
        """Adds sentences to the report's notes."""
        self.update(notes=(*self.report.notes, *sentences))

    def record(self) -> None:
        """Writes report and row; the thread is not told."""
        report = self.report
        self._context.engine.step("record", lambda: self._record(report), NOTHING)

    def acknowledge(self) -> None:
        """Reacts to the command, and posts the job's one comment."""
        number = self.report.job.target.issue_number
        if number is not None:
            engine = self._context.engine
            engine.step("eyes", self._react_at_first, NOTHING)
            self.comment_id = engine.step("comment", lambda: self._post(number), _COMMENT_ID)

    def begin(self, step: str) -> None:
        """Shows that `step` (a key of STEPS) has begun, and that those before it are done."""
        current = list(STEPS).index(step)
        states: list[StepState] = ["waiting"] * len(STEPS)
        states[:current] = ["done"] * current
        states[current] = "running"
        steps = tuple(map(Step, STEPS.values(), states))
        self.update(state="running", steps=steps)
        self._show(f"tell {step}")

    def finish(self, **changes: Any) -> None:
        """Ends the job as done."""
        steps = tuple(replace(step, state="done") for step in self.report.steps)
        self._end(**changes, state="done", steps=steps)

    def fail(self, error: TinyGenError | Cancelled) -> None:
        """Ends the job as failed, or as cancelled."""
        steps = tuple(
            replace(step, state="failed") if step.state == "running" else step
            for step in self.report.steps
        )
        if isinstance(error, Cancelled):
            self._end(state="cancelled", steps=steps)
        else:
            self._end(state="failed", steps=steps, failure=failure_of(error))

    def fail_by_defect(self) -> None:
        """Ends the job as failed by a defect of TinyGen. If the report itself cannot be told, only
        the end is."""
        where = f"Its operator finds the cause in the log, under the job `{self.report.job.id}`."
        error = TinyGenError("TinyGen met a fault of its own.", next_step=where)
        try:
            self.fail(error)
        except (TinyGenError, EngineError):
            raise
        except Exception:  # nothing in the report may keep its job from ending
            _log.exception("a job's end could not be told whole")
            self.report = Report(self.report.job, "running", mode=self.report.mode)
            self.fail(error)

    def refuse(self, failure: Failure) -> None:
        self._end(state="refused", failure=failure)

    def close_silently(
        self, state: Literal["cancelled", "refused"], failure: Failure | None = None
    ) -> None:
        """Ends a job without a word in the thread: its command is gone, or its asker was refused a
        moment ago."""
        self.update(state=state, failure=failure, finished_at=self._now())
        self.record()

    def tell_thread(self, report: Report) -> bool:
        """Updates comment and reaction; False if it is worth trying again. A bot gets no
        comment."""
        number = report.job.target.issue_number
        if number is None:
            return True
        is_told = True
        if not report.job.actor_is_bot:
            is_told = self._try("comment", lambda: self._write(number, report))
        if report.state in FINAL_STATES:
            sign: Literal["rocket", "confused"] = "rocket" if report.state == "done" else "confused"
            is_told = self._try("reaction", lambda: self._react(sign)) and is_told
        return is_told

    def _end(self, **changes: Any) -> None:
        self.update(**changes)
        self.update(finished_at=self._now())
        if not self._show(f"tell {self.report.state}"):
            job = self.report.job
            payload = EndToReport(job.id, self.comment_id, job.account)
            self._context.engine.enqueue(
                "followups", REPORT_END, f"{job.id}-{REPORT_END.name}", payload, key=job.account
            )

    def _now(self) -> str:
        return self._context.engine.step("clock", lambda: self._context.now().isoformat(), TEXT)

    def _show(self, step: str) -> bool:
        """Whether the thread was told."""
        report = self.report
        return self._context.engine.step(step, lambda: self._record_and_tell(report), FLAG)

    def _record_and_tell(self, report: Report) -> bool:
        self._record(report)
        return self.tell_thread(report)

    def _record(self, report: Report) -> None:
        clean = REPORT.load(cleaned(REPORT.dump(report), self._context.clean))
        self._context.reports.save(clean)
        self._context.log.write(clean)
        is_row_due = report.state == "queued" or report.state in FINAL_STATES
        if self._context.outbox is not None and is_row_due:
            self._context.outbox.add(clean)

    def _try(self, what: str, tell: Callable[[], None]) -> bool:
        """False if it is worth trying again. What never can be told (the comment is gone, the
        thread is locked) is only logged."""
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
                self.wait_s = max(self.wait_s, error.retry_in_s or 0.0)
            return isinstance(error, AskerError)
        return True

    def _write(self, number: int, report: Report) -> None:
        if self.comment_id is None:
            self.comment_id = self._post(number)
        comment_id, on_line = self.comment_id, report.job.target.reply_to is not None
        self._send(
            report, lambda words: self._github().edit_comment(comment_id, words, on_line=on_line)
        )

    def _post(self, number: int) -> int:
        marker, reply_to = thread_marker(self.report), self.report.job.target.reply_to
        return self._send(
            self.report,
            lambda words: self._github().post_comment(
                number, words, marker=marker, reply_to=reply_to
            ),
        )

    def _send(self, report: Report, send: Callable[[str], T]) -> T:
        """Sends the report's comment; a short one if GitHub refuses the whole."""
        try:
            return send(self._context.clean(render_comment_that_fits(report)))
        except BadRequest as refusal:
            _log.warning("GitHub refused a comment", job=report.job.id, error=refusal.message)
            return send(self._context.clean(render_short_comment(report)))

    def _react_at_first(self) -> None:
        """A rate limit is raised: the job waits for its end, and is acknowledged then."""
        try:
            self._react("eyes")
        except TinyGenError as error:
            if isinstance(error, OutsideError) and error.retry_in_s:
                raise
            _log.warning("a command could not be acknowledged", error=error.message)

    def _react(self, sign: Literal["eyes", "rocket", "confused"]) -> None:
        target = self.report.job.target
        if target.comment_id is not None:
            self._github().react(target.comment_id, sign, on_line=target.reply_to is not None)

    def _github(self) -> GitHub:
        return self._context.github(self.report.job.target)


def failure_of(error: TinyGenError) -> Failure:
    is_retryable = not isinstance(error, AskerError)
    return Failure(error.message, error.next_step, is_retryable, type(error).__name__)


def run_reporting_errors(
    context: JobContext, reporter: ProgressReporter, work: Callable[[], None]
) -> Postponed | None:
    """Does a job's work, and reports its end whatever that is. If a rate limit ends before the
    job's deadline, the job goes on then: what is returned is the workflow's end until that."""

    def work_to_the_end() -> Postponed | None:
        try:
            return _postponing(context, reporter, work)
        except (TinyGenError, Cancelled) as error:
            reporter.fail(error)
        except EngineError:
            raise
        except Exception:  # the job's outer edge: its asker is told of any error
            _log.exception("a job met a fault of TinyGen's own")
            reporter.fail_by_defect()
        return None

    return _postponing(context, reporter, work_to_the_end)  # also if the end cannot be recorded


def _postponing(
    context: JobContext, reporter: ProgressReporter, work: Callable[[], Postponed | None]
) -> Postponed | None:
    """Does the work. If it is worth going on later and there is time, postpones the workflow."""
    try:
        return work()
    except OutsideError as error:
        is_own = isinstance(error, Damaged | DatabaseFailed)
        wait_s = OWN_WAIT_S if is_own else error.retry_in_s or 0.0
        if not is_own and wait_s < SHORT_WAIT_S:
            raise
        job, is_over = reporter.report.job, reporter.report.state in FINAL_STATES
        lasts_s = context.policy.job_s + (LATE_REPORT_S if is_over else 0.0)

        def has_time() -> bool:
            deadline = datetime.fromisoformat(job.received_at) + timedelta(seconds=lasts_s)
            return context.now() + timedelta(seconds=wait_s) < deadline

        postponed = context.engine.postpone(
            job.id, wait_s, account=job.account, step=error.step, is_over=is_over, may=has_time
        )
        if postponed is None:
            raise
        return postponed


def resume(context: JobContext, resumption: Resumption) -> None:
    """Lets a job that was postponed go on. One that was cancelled meanwhile has ended, and stays
    so."""

    def resume_now() -> float | None:
        report = context.reports.load(resumption.id)
        if report is None or (report.state in FINAL_STATES and not resumption.is_over):
            return None
        return None if context.engine.resume(resumption) else 0.0

    _try_again(context, RESUME, resumption, name=resumption.stamp, body=resume_now)


def report_end(context: JobContext, end: EndToReport) -> None:
    """Tries again to tell a job's end in its thread."""

    def tell() -> float | None:
        report = context.reports.load(end.id)
        if report is None:
            return None
        reporter = ProgressReporter(context, report, end.comment_id)
        return None if reporter.tell_thread(report) else reporter.wait_s

    _try_again(context, REPORT_END, end, name=end.id, body=tell)


def _try_again(
    context: JobContext,
    workflow: Workflow[P],
    payload: P,
    *,
    name: str,
    body: Callable[[], float | None],
) -> None:
    """Tries, and queues the next try if that failed. `body` returns None once it is done, else the
    seconds until it should be tried again; 0 leaves the wait to us, which doubles."""
    try:
        asked_s = context.engine.step(f"try to {workflow.name}", body, _WAIT_S)
    except DatabaseFailed:
        asked_s = 0.0
    if asked_s is None:
        return
    tries = payload.tries
    if tries == MAX_TRIES:
        _log.error("given up after the last of many tries", what=workflow.name)
        return
    context.engine.enqueue(
        "followups",
        workflow,
        f"{name}-{workflow.name}-{tries + 1}",
        replace(payload, tries=tries + 1),
        key=payload.account,
        wait_s=asked_s or min(FIRST_WAIT_S * 2 ** min(tries - 1, 10), MAX_WAIT_S),
    )
