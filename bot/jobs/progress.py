"""Reports a job's progress: in its report, its row of the request log, and its comment in the
thread.

The comment and the row are made from the report. Progress that cannot be shown is logged and does
not stop the work. If the end of a job cannot be posted now, it is posted later, and a job that
meets a rate limit continues later. Each later try is a workflow of its own: while it waits, it
occupies no thread of the worker and no place in a queue, and it survives a restart.
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
    NeedsConsent,
    OutsideError,
    TinyGenError,
    Unworkable,
)
from bot.job_lines import log_ended
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
from bot.jobs.policy import JobContext
from bot.jobs.workflows import REPORT_END, EndToReport
from bot.ports import GitHub
from bot.thread.render import (
    checklist,
    render_comment_that_fits,
    render_short_comment,
    thread_marker,
)
from bot.types import FINAL_STATES, Failure, Report
from bot.types.serialization import REPORT, Codec, codec_of, map_texts

T = TypeVar("T")
P = TypeVar("P", Resumption, EndToReport)

SHORT_WAIT_S = 1.0
"""A rate limit that asks for a shorter wait was already waited for by the adapter that met it."""
OWN_WAIT_S = 1.0
"""The wait before a job continues whose cached repository was damaged or whose database failed."""
LATE_REPORT_S = 3600.0
"""For how long after a job's deadline its end is still reported, if our own database fails."""
FIRST_WAIT_S = 1.0
MAX_WAIT_S = 300.0
MAX_TRIES = 2_000
"""Almost a week."""

_COMMENT_ID: Codec[int] = codec_of(int)
_WAIT_S: Codec[float | None] = codec_of(float | None)

_log = structlog.get_logger()


def with_addresses(context: JobContext, report: Report) -> Report:
    """The report as a comment shows it: with the signed link to its page and the address of its
    repository, which are not stored."""
    job = report.job
    repository_url = f"{context.policy.server_url}/{job.target.repo}"
    return replace(report, page_url=context.page_url(job), repository_url=repository_url)


class ProgressReporter:
    """Keeps one job's report, and shows it."""

    def __init__(self, context: JobContext, report: Report, comment_id: int | None) -> None:
        self._context = context
        self.report = report
        self.comment_id = comment_id
        self.wait_s = 0.0
        """The wait that GitHub asked for when something could not be posted; 0 if it gave none."""

    def update(self, **changes: Any) -> None:
        """Changes the report; stores and shows nothing yet."""
        self.report = replace(self.report, **changes)

    def note(self, *sentences: str) -> None:
        """Adds sentences to the report's notes."""
        self.update(notes=(*self.report.notes, *sentences))

    def record(self) -> None:
        """Stores the report and writes the row; the comment is not updated."""
        report = self.report
        self._context.engine.step("record", lambda: self._record(report), NOTHING)

    def save_wait(self, reason: str) -> None:
        """Stores, for the pages, what the job that is being postponed waits for. To be called
        inside a step."""
        if self.report.state in FINAL_STATES:
            return
        try:
            self._save(replace(self.report, waits_for=reason))
        except DatabaseFailed as error:
            _log.warning("what a job waits for is not shown", error=error.message)

    def acknowledge(self, find_behind: Callable[[], tuple[str, ...]]) -> None:
        """Reacts to the command, and posts the job's one comment. `find_behind` returns the comments
        that asked for the jobs before it, in a step."""
        number = self.report.job.target.issue_number
        if number is not None:
            engine = self._context.engine
            engine.step("eyes", self._react_with_eyes, NOTHING)
            self.comment_id = engine.step(
                "comment", lambda: self._post_first(number, find_behind), _COMMENT_ID
            )

    def begin(self, step: str) -> None:
        """Shows that `step` (a key of `render.STEPS`) has begun, and that those before it are done."""
        self.update(state="running", steps=checklist(self.report.job.command.verb, step))
        self._show(f"tell {step}")

    def finish(self, **changes: Any) -> None:
        """Ends the job as done."""
        steps = tuple(replace(step, state="done") for step in self.report.steps)
        self._end(**changes, state="done", steps=steps)

    def fail(self, error: TinyGenError | Cancelled, *, may_retry: bool = False) -> None:
        """Ends the job as failed, or as cancelled. `may_retry`: the same command may succeed later,
        though the error's class does not say so."""
        steps = tuple(
            replace(step, state="failed") if step.state == "running" else step
            for step in self.report.steps
        )
        if isinstance(error, Cancelled):
            self._end(state="cancelled", steps=steps)
        elif isinstance(error, NeedsConsent):
            self.refuse(Failure.of(error))
        else:
            failure = Failure.of(error)
            failure = replace(failure, retryable=failure.retryable or may_retry)
            self._end(state="failed", steps=steps, failure=failure)

    def fail_by_defect(self) -> None:
        """Ends the job as failed by a defect of TinyGen. If the report itself causes an error, it
        is replaced by an empty one."""
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
        self._end(state="refused", failure=failure, steps=())

    def close_silently(
        self, state: Literal["cancelled", "refused"], failure: Failure | None = None
    ) -> None:
        """Ends a job without a comment: its command was deleted, or its asker was refused within
        the last minutes."""
        self.update(state=state, failure=failure, finished_at=self._now())
        self.record()

    def update_thread(self, report: Report) -> bool:
        """Updates the comment and the reaction; False if it is worth trying again. A command by a
        bot gets no comment."""
        number = report.job.target.issue_number
        if number is None:
            return True
        is_posted = True
        if not report.job.actor_is_bot:
            is_posted = self._try("comment", lambda: self._write(number, report))
        if report.state in FINAL_STATES:
            sign: Literal["rocket", "confused"] = "rocket" if report.state == "done" else "confused"
            is_posted = self._try("reaction", lambda: self._react(sign)) and is_posted
        return is_posted

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
        """Stores the report, and updates row and comment. False if the comment is worth another
        try later."""
        report = self.report
        return self._context.engine.step(step, lambda: self._record_and_post(report), FLAG)

    def _record_and_post(self, report: Report) -> bool:
        self._record(report)
        return self.update_thread(report)

    def _record(self, report: Report) -> None:
        clean = self._save(report)
        self._context.log.write(clean)
        is_row_due = report.state == "queued" or report.state in FINAL_STATES
        if self._context.outbox is not None and is_row_due:
            self._context.outbox.add(clean)

    def _save(self, report: Report) -> Report:
        """Stores the report without secrets and with its steps' times, and returns it so."""
        stored = self._context.reports.load(report.job.id)
        timed = self._with_times(report, stored)
        clean = REPORT.load(map_texts(REPORT.dump(timed), self._context.clean))
        self._context.reports.save(clean)
        # An earlier try of this step, or another workflow, may have stored an end and logged it.
        had_ended = stored is not None and stored.state in FINAL_STATES
        if clean.state in FINAL_STATES and not had_ended:
            log_ended(clean)
        return clean

    def _with_times(self, report: Report, stored: Report | None) -> Report:
        """The report with the times at which its steps began: those that the stored report has, so
        that they stay after a restart, and now for a step that begins."""
        began = {step.title: step.began_at for step in stored.steps} if stored else {}
        now = self._context.now().isoformat()
        steps = tuple(
            replace(
                step,
                began_at=began.get(step.title) or ("" if step.state == "waiting" else now),
            )
            for step in report.steps
        )
        return replace(report, steps=steps)

    def _try(self, what: str, post: Callable[[], None]) -> bool:
        """Posts something; False if it is worth trying again. What can never be posted (the comment
        is gone, the thread is locked) is only logged."""
        try:
            post()
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
            self.comment_id = self._post(number, report)
        comment_id, on_line = self.comment_id, report.job.target.reply_to is not None
        self._send(
            report, lambda words: self._github().edit_comment(comment_id, words, on_line=on_line)
        )

    def _post_first(self, number: int, find_behind: Callable[[], tuple[str, ...]]) -> int:
        report = replace(self.report, behind=find_behind())
        if report.behind:
            self._save(report)  # for the job's page
        return self._post(number, report)

    def _post(self, number: int, report: Report) -> int:
        marker, reply_to = thread_marker(report), report.job.target.reply_to
        return self._send(
            report,
            lambda words: self._github().post_comment(
                number, words, marker=marker, reply_to=reply_to
            ),
        )

    def _send(self, report: Report, send: Callable[[str], T]) -> T:
        """Sends the report's comment; a short one if GitHub refuses the full one."""
        report = with_addresses(self._context, report)
        try:
            return send(self._context.clean(render_comment_that_fits(report)))
        except BadRequest as refusal:
            _log.warning("GitHub refused a comment", job=report.job.id, error=refusal.message)
            return send(self._context.clean(render_short_comment(report)))

    def _react_with_eyes(self) -> None:
        """A rate limit is raised, so that the job waits until it ends and is acknowledged then."""
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


def run_reporting_errors(
    context: JobContext, reporter: ProgressReporter, work: Callable[[], None]
) -> Postponed | None:
    """Does a job's work, and reports its end, whatever it is. If the work meets a rate limit that
    ends before the job's deadline, the job continues after the limit: the workflow must return the
    Postponed that is returned here."""

    def work_to_the_end() -> Postponed | None:
        try:
            return _postponing(context, reporter, work)
        except (TinyGenError, Cancelled) as error:
            reporter.fail(error)
        except EngineError:
            raise
        except Exception:  # the outermost caller: any error is reported to the asker
            _log.exception("a job met a fault of TinyGen's own")
            reporter.fail_by_defect()
        return None

    return _postponing(context, reporter, work_to_the_end)  # also if the end cannot be recorded


def _postponing(
    context: JobContext, reporter: ProgressReporter, work: Callable[[], Postponed | None]
) -> Postponed | None:
    """Does the work. On an error after which a later try may succeed, postpones the workflow if the
    job's deadline leaves time for that."""
    try:
        return work()
    except OutsideError as error:
        is_own = isinstance(error, Damaged | DatabaseFailed)
        wait_s = OWN_WAIT_S if is_own else error.retry_in_s or 0.0
        if not is_own and wait_s < SHORT_WAIT_S:
            raise
        job, is_over = reporter.report.job, reporter.report.state in FINAL_STATES
        reason = error.message
        if isinstance(error, Damaged) and not _is_first_damage(context, job.id):
            raise Unworkable(
                "git cannot work with this commit: it was fetched anew, and still cannot be read.",
                next_step="Look after the commit with `git fsck`, or ask on another one.",
            ) from error
        lasts_s = context.policy.job_s + (LATE_REPORT_S if is_over else 0.0)

        def has_time() -> bool:
            deadline = datetime.fromisoformat(job.received_at) + timedelta(seconds=lasts_s)
            goes_on_at = context.now() + timedelta(seconds=wait_s)
            if goes_on_at >= deadline:
                return False
            reporter.save_wait(f"{reason} It goes on at {goes_on_at:%H:%M:%S} UTC.")
            return True

        postponed = context.engine.postpone(
            job.id, wait_s, account=job.account, step=error.step, is_over=is_over, may=has_time
        )
        if postponed is None:
            raise
        return postponed


def _is_first_damage(context: JobContext, job_id: str) -> bool:
    """Whether the job was never postponed for a damaged repository. What is wrong with the commit
    itself is not mended by another fetch."""
    marker = f"{job_id}-damaged"
    engine = context.engine
    is_first = engine.step("damage", lambda: engine.state(marker) == "unknown", FLAG)
    if is_first:
        engine.mark(marker)
    return is_first


def resume(context: JobContext, resumption: Resumption) -> None:
    """Lets a postponed job continue, unless it was cancelled meanwhile."""

    def resume_now() -> float | None:
        report = context.reports.load(resumption.id)
        if report is None or (report.state in FINAL_STATES and not resumption.is_over):
            return None
        if report.waits_for:
            context.reports.save(replace(report, waits_for=""))
        return None if context.engine.resume(resumption) else 0.0

    _try_again(context, RESUME, resumption, name=resumption.stamp, body=resume_now)


def report_end(context: JobContext, end: EndToReport) -> None:
    """Tries again to post a job's end in its thread."""

    def post() -> float | None:
        report = context.reports.load(end.id)
        if report is None:
            return None
        reporter = ProgressReporter(context, report, end.comment_id)
        return None if reporter.update_thread(report) else reporter.wait_s

    _try_again(context, REPORT_END, end, name=end.id, body=post)


def _try_again(
    context: JobContext,
    workflow: Workflow[P],
    payload: P,
    *,
    name: str,
    body: Callable[[], float | None],
) -> None:
    """Calls `body`, and queues the next try if it is not done. `body` returns None if it is done,
    else the seconds until the next try; 0 stands for our own wait, which doubles with each try."""
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
