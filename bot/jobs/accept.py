"""What happens at once when a command arrives: who may, the acknowledgement, and the commands that
are quick.

It is a workflow of its own so that the answer does not wait behind the repository's running job.

One submitted review is one run: its commands are done together, by the job of the first of them.

GitHub delivers each comment of a review by itself, all after the review was submitted: whichever
arrives, the whole review can be read, and everybody finds the same first command.
"""

from __future__ import annotations

from dataclasses import asdict, replace

import structlog
from pydantic import TypeAdapter

from bot.errors import BadRequest
from bot.jobs.ci_fixes import taken_up, with_failures
from bot.jobs.engine import Json, QueueSlot
from bot.jobs.policy import (
    JobContext,
    Refusal,
    authorize,
    dump_authorization,
    kind_of,
    load_authorization,
    may_do,
    with_policy,
)
from bot.jobs.progress import STEPS, ProgressReporter, failure_of
from bot.jobs.retry import run_reporting_errors
from bot.jobs.task import with_author_permissions
from bot.jobs.thread_jobs import (
    asked_in_thread,
    cancel,
    is_deleted,
    open_in_thread,
    run_id,
    withdraw,
)
from bot.ports import LineComment
from bot.thread.commands import parse_command
from bot.thread.render import Where, code, render_help
from bot.types import WORK, Failure, Job, Report, ReviewComment, Step
from bot.types.quota import limit_met
from bot.types.serialization import MAX_REFUSED_CHARS, dump_job, load_job

MAX_REMARKS = 30

_remarks = TypeAdapter(tuple[ReviewComment, ...])


def with_review(context: JobContext, job: Job) -> Job:
    """The job with all remarks of its review that are its asker's, in their order; the first is
    done for all."""
    if job.command.verb != "solve" or not job.remarks or job.remarks[0].review_id is None:
        return job
    read = context.engine.step(
        "review", lambda: _remarks.dump_python(_read(context, job), mode="json")
    )
    remarks = _remarks.validate_python(read)
    if len(remarks) < 2:
        return job
    words = "\n\n".join(f"{place_of(remark)}: {remark.words}" for remark in remarks)
    return replace(job, remarks=remarks, command=replace(job.command, prompt=words))


def is_first(job: Job) -> bool:
    return not job.remarks or job.remarks[0].comment_id == job.target.comment_id


def first_url(context: JobContext, job: Job) -> str:
    """Where the first of the review's commands stands, and is answered."""
    target = job.target
    pull_url = f"{context.policy.server_url}/{target.repo}/pull/{target.issue_number}"
    return f"{pull_url}#discussion_r{job.remarks[0].comment_id}"


def place_of(remark: ReviewComment) -> str:
    return f"{remark.path}:{remark.line}" if remark.line else remark.path


def _read(context: JobContext, job: Job) -> tuple[ReviewComment, ...]:
    target = job.target
    comments = context.github(target).line_comments(target.issue_number or 0)
    found = [
        _remark(comment, job)
        for comment in comments
        if comment.review_id == job.remarks[0].review_id
    ]
    remarks = sorted((remark for remark in found if remark), key=lambda remark: remark.comment_id)[
        :MAX_REMARKS
    ]
    is_here = any(remark.comment_id == target.comment_id for remark in remarks)
    return tuple(remarks) if is_here else job.remarks


def _remark(comment: LineComment, job: Job) -> ReviewComment | None:
    """None for words that are no task, and for another's: a review's author is one, an edit's may
    be another."""
    command = parse_command(comment.body)
    if (
        command is None
        or command.verb != "solve"
        or command.problem
        or comment.author_id != job.actor_id
    ):
        return None
    return ReviewComment(
        comment.id,
        comment.path,
        comment.hunk,
        comment.line,
        comment.start_line,
        comment.side,
        comment.commit_sha,
        command.prompt,
        comment.review_id,
    )


_log = structlog.get_logger()


def accept(context: JobContext, payload: Json) -> Json:
    """Refuses, answers or queues one job."""
    job = load_job(payload)
    if job.command.verb == "withdraw":
        return withdraw(context, job)
    if job.check is not None:
        asked = taken_up(context, job)
        if asked is None:
            return None
        job = asked
    steps = tuple(Step(title) for title in STEPS.values()) if job.command.verb in WORK else ()
    reporter = ProgressReporter(
        context, Report(job, "queued", steps, mode=job.command.mode or context.policy.mode), None
    )
    return run_reporting_errors(context, reporter, lambda: _accept(context, job, reporter))


def _accept(context: JobContext, job: Job, reporter: ProgressReporter) -> None:
    reporter.begin()
    if context.engine.step("deleted?", lambda: is_deleted(context, job)):
        reporter.vanish()
        return
    decided = context.engine.step("permission", lambda: _decide(context, job))
    if is_refused(context, reporter, decided):
        return
    terms = load_authorization(decided)
    context = with_policy(context, terms)
    if job.command.verb in WORK:
        reporter.update(mode=job.command.mode or context.policy.mode, notes=terms.mistakes)
    if job.source != "run":
        reporter.acknowledge()
    if job.command.problem:
        raise BadRequest(job.command.problem, next_step="`/tinygen help` shows all commands.")
    if job.command.verb not in WORK:
        reporter.done(summary=_answer(context, job))
        return
    job = with_failures(context, with_review(context, job))
    reporter.update(job=job)
    if not is_first(job):
        reporter.done(together_with=first_url(context, job))
        return
    terms = with_author_permissions(context, job, terms)
    payload = {
        "id": job.id,
        "job": dump_job(job),
        "comment_id": reporter.comment_id,
        "terms": dump_authorization(terms),
    }
    place = QueueSlot(
        job.account, job.target.repository_key, context.policy.installation_concurrency
    )
    context.engine.enqueue_in_turn("run", run_id(job.id), payload, place)


def _decide(context: JobContext, job: Job) -> Json:
    """The job's terms, or its refusal."""
    standing = (
        context.refusals.standing(job, kind=kind_of(job.command))
        if job.actor_id is not None
        else None
    )
    if standing is not None:  # it came while this one waited for a limit
        return {"again": asdict(standing)}
    settled = authorize(context, job)
    if isinstance(settled, Refusal):
        return asdict(settled)
    reached = _over_limit(context, job)
    return asdict(Refusal(reached)) if reached else dump_authorization(settled)


def is_refused(context: JobContext, reporter: ProgressReporter, decided: Json) -> bool:
    """Whether `_decide` refused the job, which has ended then."""
    if not decided:
        return False
    if "again" in decided:
        reporter.update(job=_without_words(reporter.report.job))
        reporter.refused_in_silence(Failure(**decided["again"]))
    elif "failure" in decided:
        _refuse(context, reporter, Refusal(Failure(**decided["failure"]), decided["covers"]))
    elif "message" in decided:  # as commits up to adabc01 recorded it
        _refuse(context, reporter, Refusal(Failure(**decided)))
    else:
        return False
    return True


def _refuse(context: JobContext, reporter: ProgressReporter, refused: Refusal) -> None:
    job, covers = reporter.report.job, refused.covers
    if covers is not None and job.actor_id is not None:
        context.engine.step(
            "remember", lambda: context.refusals.add(job, refused.failure, covers=covers)
        )
        reporter.update(job=_without_words(job))
    reporter.refused(refused.failure)


def refused_again(context: JobContext, job: Job, failure: Failure) -> Report:
    """The report of a job whose asker was refused lately, and is not answered again."""
    mode = job.command.mode or context.policy.mode
    job = _without_words(job)
    job = replace(job, command=replace(job.command, prompt=context.clean(job.command.prompt)))
    _log.info("a refusal still counts", job=job.id, repo=job.target.repo, actor=job.actor)
    return Report(job, "refused", mode=mode, failure=failure, finished_at=context.now().isoformat())


def _without_words(job: Job) -> Job:
    """What is kept of a job that is refused: anybody can fill the disk with those."""
    command = replace(job.command, prompt=job.command.prompt[:MAX_REFUSED_CHARS])
    return replace(job, command=command, remarks=(), thread=None)


def _over_limit(context: JobContext, job: Job) -> Failure | None:
    """Asked before anything is spent. Help, status and cancel are always free."""
    if job.command.verb not in WORK:
        return None
    reached = limit_met(context.policy.quota, job, context.reports, context.now().timestamp())
    return replace(failure_of(reached), retryable=True) if reached else None


def _answer(context: JobContext, job: Job) -> str:
    if job.command.verb == "help":
        words: str = context.engine.step("help", lambda: _help(context, job))
        return words
    if job.command.verb == "status":
        lines: list[str] = context.engine.step(
            "status", lambda: [_status(report) for report in asked_in_thread(context, job)]
        )
        return "\n".join(lines) or "Nothing was asked of TinyGen in this thread yet."
    open_jobs: list[str] = context.engine.step("find jobs", lambda: _open_jobs(context, job))
    for job_id in open_jobs:
        cancel(context, job_id)
    return (
        f"Cancelled: {len(open_jobs)} of this thread's requests."
        if open_jobs
        else "Nothing runs in this thread."
    )


def _help(context: JobContext, job: Job) -> str:
    target, login = job.target, job.actor or ""
    github = context.github(target)
    where: Where = "issue"
    if target.is_pull and target.issue_number is not None:
        where = "pull" if github.pull(target.issue_number).is_within(target.repo) else "fork"
    has = github.permission(login)
    return render_help(login, has, where, context.policy.mode, may=may_do(context, has))


def _open_jobs(context: JobContext, job: Job) -> list[str]:
    """Those of the thread; or the one that the operator names, since no prompt follows the word in
    a comment."""
    if job.command.prompt:
        return [job.command.prompt]
    return [each.id for each in open_in_thread(context, job)]


def _status(report: Report) -> str:
    at = next((step.title for step in report.steps if step.state == "running"), "")
    words = code(report.job.command.prompt.partition("\n")[0][:60] or report.job.command.verb)
    asked_at = report.job.received_at[:16].replace("T", " ")
    return f"- {words}: {report.state}{f' ({at})' if at else ''}, asked at {asked_at} UTC"
