"""The workflow "accept": checks at once whether the asker may give the command, acknowledges it,
and answers the quick commands. Any other command is queued for the workflow "run".

These are two workflows, so that the acknowledgement does not wait for the job that is running in
the repository.

The commands of one submitted review are done together, by the job of the first of them. GitHub
sends one delivery for each comment of a review, all after the review was submitted. So whichever
delivery arrives first, the whole review can be read, and every job finds the same first command.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from bot.errors import TinyGenError
from bot.job_lines import log_ended
from bot.jobs.cancel import cancel, is_deleted, withdraw
from bot.jobs.ci_fixes import claim_failed_check, with_failures
from bot.jobs.deliver.undo import undo
from bot.jobs.engine import FLAG, NOTHING, TEXT, TEXTS, Postponed
from bot.jobs.engine.fairness import QueueSlot
from bot.jobs.forget import forget
from bot.jobs.policy import (
    AUTHORIZATION,
    Authorization,
    JobContext,
    Refusal,
    authorize,
    kind_of,
    mode_of,
    with_policy,
)
from bot.jobs.progress import ProgressReporter, run_reporting_errors, with_addresses
from bot.jobs.task.outsiders import with_author_permissions
from bot.jobs.thread_jobs import latest_in_thread, open_in_thread
from bot.jobs.workflows import RUN, RunRequest, run_id
from bot.thread.commands import unreadable
from bot.thread.comments import review_commands, with_commands
from bot.thread.render import (
    HINT,
    HINT_MARKER,
    Where,
    checklist,
    comment_url,
    render_cancelled,
    render_help,
    render_status,
)
from bot.types import SILENT, WORK, Failure, Job, Report, ReviewComment
from bot.types.quota import check_quota
from bot.types.serialization import Codec, Json, codec_of


@dataclass(frozen=True, slots=True)
class StandingRefusal:
    """The asker was refused within the last minutes: the refusal still counts, without an
    answer."""

    failure: Failure


Decision = Authorization | Refusal | StandingRefusal


def _dump_decision(decision: Decision) -> Json:
    if isinstance(decision, StandingRefusal):
        return {"again": asdict(decision.failure)}
    return asdict(decision) if isinstance(decision, Refusal) else AUTHORIZATION.dump(decision)


def _load_decision(stored: Json) -> Decision:
    if stored and "again" in stored:
        return StandingRefusal(Failure(**stored["again"]))
    if stored and "failure" in stored:
        return Refusal(Failure(**stored["failure"]), stored["covers"])
    if stored and "message" in stored:  # as commits up to adabc01 recorded it
        return Refusal(Failure(**stored))
    return AUTHORIZATION.load(stored)


CHECK_LEFT_ALONE = Failure("The failed check is none that TinyGen works on.", "")

DECISION: Codec[Decision] = Codec(_dump_decision, _load_decision)
_COMMENT_ID: Codec[int] = codec_of(int)
_REVIEW: Codec[tuple[ReviewComment, ...]] = codec_of(tuple[ReviewComment, ...])


def accept(context: JobContext, job: Job) -> Postponed | None:
    """Refuses, answers or queues one job."""
    if job.command.verb in SILENT:
        _do_silently(context, job)
        return None
    if job.check is not None:
        claimed = claim_failed_check(context, job)
        if claimed is None:
            _log_silent_end(context, Report(job, "cancelled", failure=CHECK_LEFT_ALONE))
            return None
        job = claimed
    steps = checklist(job.command.verb, None)
    report = Report(job, "queued", steps, mode=mode_of(job.command, context.policy))
    reporter = ProgressReporter(context, report, None)
    return run_reporting_errors(context, reporter, lambda: _accept(context, job, reporter))


def _do_silently(context: JobContext, job: Job) -> None:
    """Does a command that nothing answers, and that has no report."""
    end = Report(job, "done")
    try:
        if job.command.verb == "withdraw":
            withdraw(context, job)
        elif job.command.verb == "mention":
            _hint(context, job)
        else:
            forget(context, job)
    except TinyGenError as error:
        end = Report(job, "failed", failure=Failure.of(error))
    _log_silent_end(context, end)


def _hint(context: JobContext, job: Job) -> None:
    """Tells a permitted person who only mentions TinyGen how to ask, once in a thread."""
    decision = context.engine.step("permission", lambda: _decide(context, job), DECISION)
    if not isinstance(decision, Authorization):
        return

    def post() -> int:
        github, number = context.github(job.target), job.target.issue_number or 0
        words, reply_to = f"{HINT_MARKER}\n{HINT}\n", job.target.reply_to
        return github.post_comment(number, words, marker=HINT_MARKER, reply_to=reply_to)

    context.engine.step("hint", post, _COMMENT_ID)


def _log_silent_end(context: JobContext, report: Report) -> None:
    def log() -> None:
        log_ended(replace(report, finished_at=context.now().isoformat()))

    context.engine.step("end", log, NOTHING)


def _accept(context: JobContext, job: Job, reporter: ProgressReporter) -> None:
    authorization = _admit(context, job, reporter)
    if authorization is None:
        return
    context = with_policy(context, authorization)
    if job.command.verb in WORK:
        mode = mode_of(job.command, context.policy)
        reporter.update(mode=mode, notes=authorization.mistakes)
    if job.source != "run":
        reporter.acknowledge(lambda: _urls_before(context, job))
    if job.command.problem:
        raise unreadable(job.command)
    if job.command.verb in WORK:
        _queue(context, job, reporter, authorization)
    else:
        reporter.finish(summary=_answer(context, job))


def _admit(context: JobContext, job: Job, reporter: ProgressReporter) -> Authorization | None:
    """The authorization of the job; None if the job ended here, because it was refused or because
    its command was deleted."""
    engine = context.engine
    reporter.record()
    if engine.step("deleted?", lambda: is_deleted(context, job), FLAG):
        reporter.close_silently("cancelled")
        return None
    decision = engine.step("permission", lambda: _decide(context, job), DECISION)
    if isinstance(decision, StandingRefusal):
        reporter.update(job=job.as_refused())
        reporter.close_silently("refused", decision.failure)
        return None
    if isinstance(decision, Refusal):
        _refuse(context, reporter, decision)
        return None
    return decision


def _urls_before(context: JobContext, job: Job) -> tuple[str, ...]:
    """The comments that asked for the jobs before this one in its repository, oldest first."""
    if job.command.verb not in WORK:
        return ()
    urls = (
        comment_url(each, context.policy.server_url)
        for each in context.reports.queue(job.target.repository_key)
        if each.id != job.id and each.received_at < job.received_at
    )
    return tuple(url for url in urls if url)


def _queue(
    context: JobContext, job: Job, reporter: ProgressReporter, authorization: Authorization
) -> None:
    """Queues the job for "run". A further command of a review ends here: the job of the review's
    first command does it as well."""
    job = with_failures(context, _with_review(context, job))
    reporter.update(job=job)
    if job.remarks and job.remarks[0].comment_id != job.target.comment_id:
        reporter.finish(together_with=_first_url(context, job))
        return
    authorization = with_author_permissions(context, job, authorization)
    request = RunRequest(job, reporter.comment_id, authorization)
    concurrency = context.policy.installation_concurrency
    slot = QueueSlot(job.account, job.target.repository_key, concurrency)
    context.engine.enqueue_in_turn(RUN, run_id(job.id), request, slot)


def _decide(context: JobContext, job: Job) -> Decision:
    if job.actor_id is not None:
        # Another job may have been refused while this one waited for a rate limit.
        standing = context.refusals.standing(job, kind=kind_of(job.command))
        if standing is not None:
            return StandingRefusal(standing)
    decision = authorize(context, job)
    if isinstance(decision, Refusal) or job.command.verb not in WORK:
        return decision
    # Checked before any token is spent. Help, status and cancel are always free.
    reached = check_quota(context.policy.quota, job, context.reports, context.now().timestamp())
    return Refusal(replace(Failure.of(reached), retryable=True)) if reached else decision


def _refuse(context: JobContext, reporter: ProgressReporter, refusal: Refusal) -> None:
    job, covers = reporter.report.job, refusal.covers
    if covers is not None and job.actor_id is not None:
        context.engine.step(
            "remember",
            lambda: context.refusals.add(job, refusal.failure, covers=covers),
            NOTHING,
        )
        reporter.update(job=job.as_refused())
    reporter.refuse(refusal.failure)


def refused_again(context: JobContext, job: Job, failure: Failure) -> Report:
    """The report of a job whose asker was refused a moment ago, and is not answered again."""
    mode = mode_of(job.command, context.policy)
    job = job.as_refused()
    job = replace(job, command=replace(job.command, prompt=context.clean(job.command.prompt)))
    finished_at = context.now().isoformat()
    return Report(job, "refused", mode=mode, failure=failure, finished_at=finished_at)


def _answer(context: JobContext, job: Job) -> str:
    """Does a quick command, and returns the text of the answer."""
    engine = context.engine
    if job.command.verb == "help":
        return engine.step("help", lambda: _help(context, job), TEXT)
    if job.command.verb == "status":
        return engine.step("status", lambda: _status(context, job), TEXT)
    if job.command.verb == "cancel":
        job_ids = engine.step("find jobs", lambda: _jobs_to_cancel(context, job), TEXTS)
        for job_id in job_ids:
            cancel(context, job_id)
        return render_cancelled(len(job_ids))
    if job.command.verb == "undo":
        return undo(context, job)
    raise NotImplementedError(f"no answer for the command {job.command.verb}")


def _status(context: JobContext, job: Job) -> str:
    now = context.now()

    def lasted_s(report: Report) -> float:
        ended = datetime.fromisoformat(report.finished_at) if report.finished_at else now
        return max(0.0, (ended - datetime.fromisoformat(report.job.received_at)).total_seconds())

    reports = latest_in_thread(context, job)
    return render_status([(with_addresses(context, each), lasted_s(each)) for each in reports])


def _help(context: JobContext, job: Job) -> str:
    target, login = job.target, job.actor or ""
    github = context.github(target)
    where: Where = "issue"
    if target.is_pull and target.issue_number is not None:
        pull = github.pull(target.issue_number)
        where = "pull" if pull.is_within(target.repo) else "fork"
    permission = github.permission(login)
    policy = context.policy
    return render_help(login, permission, where, policy.mode, may=policy.may_do(permission))


def _jobs_to_cancel(context: JobContext, job: Job) -> tuple[str, ...]:
    """The open jobs of the thread. If the command has a prompt, it is the id of the only job to
    cancel: pages, `DELETE /jobs/<id>` and `python -m bot jobs cancel` send it, and in a comment
    `cancel` takes no prompt."""
    if job.command.prompt:
        return (job.command.prompt,)
    return tuple(each.id for each in open_in_thread(context, job))


def _with_review(context: JobContext, job: Job) -> Job:
    """The job with all commands that its asker gave in the same review, in their order. The job of
    the first command does them all."""
    if job.command.verb != "solve" or not job.remarks or job.remarks[0].review_id is None:
        return job
    target = job.target

    def read() -> tuple[ReviewComment, ...]:
        comments = context.github(target).line_comments(target.issue_number or 0)
        return review_commands(comments, job)

    return with_commands(job, context.engine.step("review", read, _REVIEW))


def _first_url(context: JobContext, job: Job) -> str:
    """The URL of the review's first command, whose thread holds the answer."""
    target = job.target
    pull_url = f"{context.policy.server_url}/{target.repo}/pull/{target.issue_number}"
    return f"{pull_url}#discussion_r{job.remarks[0].comment_id}"
