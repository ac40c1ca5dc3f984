"""Fixes failed checks of pull requests that TinyGen opened.

TinyGen runs no code of the repository: only the repository's own checks do. A fix is made on behalf
of whoever asked for the pull request, a limited number of times, never twice for the same error,
and never on top of a commit that a person pushed.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from bot.errors import TinyGenError, Unworkable
from bot.jobs.engine import TEXTS
from bot.jobs.policy import JobContext, Refusal, authorize, with_policy
from bot.jobs.thread_jobs import opener
from bot.thread.ci_logs import fingerprint, tail_of
from bot.types import Command, FailedCheck, Job, Report
from bot.types.characters import escape_unseen
from bot.types.serialization import Codec, codec_of

MAX_FAILED_JOBS = 3

_MAYBE_JOB: Codec[Job | None] = codec_of(Job | None)
_PROMPT = (
    "The check named {name!r} failed on this pull request. Find the cause in the end of its log,"
    " and mend it. Where the cause lies outside the repository's files, change nothing and say so."
)
_NEXT_STEP = "Mend it by hand, or say what to do: `/tinygen PROMPT`."

_log = structlog.get_logger()


def claim_failed_check(context: JobContext, job: Job) -> Job | None:
    """The job on behalf of the person who asked for the pull request; None if the check is left
    alone, without a comment."""
    return context.engine.step("check", lambda: _claim_or_none(context, job), _MAYBE_JOB)


def with_failures(context: JobContext, job: Job) -> Job:
    """The job with the logs of the failed check. Unworkable if the attempts are used up, or if the
    check failed with the same error before."""
    check = job.check
    if check is None:
        return job
    if check.attempt > check.limit:
        tries = "1 attempt" if check.limit == 1 else f"{check.limit} attempts"
        message = f"The check {check.name} fails after {tries} to mend it."
        raise Unworkable(message, next_step=_NEXT_STEP)
    failures = context.engine.step("failures", lambda: _read_failures(context, job, check), TEXTS)
    error = fingerprint(failures)
    if error in check.before:
        message = f"The check {check.name} fails with the same error as before."
        raise Unworkable(message, next_step=_NEXT_STEP)
    return replace(job, check=replace(check, failures=failures, error=error))


def attempt_note(check: FailedCheck) -> str:
    return (
        f"The check {check.name} failed at {check.head_sha[:12]}: this is attempt {check.attempt}"
        f" of {check.limit} to mend it (`TINYGEN_CI_FIXES`)."
    )


def _claim_or_none(context: JobContext, job: Job) -> Job | None:
    try:
        return _claim(context, job)
    except TinyGenError as error:
        _log.warning("a failed check could not be looked at", error=str(error))
        return None


def _claim(context: JobContext, job: Job) -> Job | None:
    target, check = job.target, job.check
    if check is None or target.issue_number is None:
        return None
    pull = context.github(target).pull(target.issue_number)
    opened = opener(context, target, pull)
    if opened is None or pull.state == "closed" or pull.head_sha != check.head_sha:
        return None
    here = context.reports.latest(target.repository_key, target.issue_number)
    opened_in = opened.job.target.issue_number or 0
    there = context.reports.latest(target.repository_key, opened_in)
    attempts = [report for report in here if report.job.check and report.job.id != job.id]
    if attempts and attempts[0].head_sha is None:  # the last attempt still runs, or pushed nothing
        return None
    if not any(report.head_sha == check.head_sha for report in (*here, *there)):  # not our commit
        return None
    return _on_behalf_of_asker(context, job, check, opened, attempts)


def _on_behalf_of_asker(
    context: JobContext, job: Job, check: FailedCheck, opened: Report, attempts: list[Report]
) -> Job | None:
    """None if the repository or the operator allows no fixes, or if the person who asked for the
    pull request may no longer ask for changes."""
    asker = opened.job
    command = Command("solve", _PROMPT.format(name=check.name), mode="pr")
    asked = replace(job, actor=asker.actor, actor_id=asker.actor_id, command=command)
    authorization = authorize(context, asked)
    if isinstance(authorization, Refusal):
        return None
    limit = with_policy(context, authorization).policy.ci_fixes
    if not limit:
        return None
    before = tuple(report.job.check.error for report in attempts if report.job.check)
    numbered = replace(check, attempt=len(attempts) + 1, limit=limit, before=before)
    return replace(asked, check=numbered)


def _read_failures(context: JobContext, job: Job, check: FailedCheck) -> tuple[str, ...]:
    failed = context.github(job.target).failed_jobs(check.run_id)[:MAX_FAILED_JOBS]
    words = (f"{each.name}, {each.step}:\n\n{tail_of(each.log)}".strip() for each in failed)
    return tuple(map(escape_unseen, words))
