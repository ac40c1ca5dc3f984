"""Fixes failed checks of pull requests that TinyGen opened.

TinyGen runs no code of the repository: only the repository's own checks do. A fix is made on behalf
of whoever asked for the pull request, a limited number of times, never twice for the same error,
and never on top of a commit that a person pushed. Nobody watches it, so it may do less than other
changes: what would make a check pass without mending anything is not pushed. At the end a person is
called.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import structlog

from bot.errors import TinyGenError, Unworkable
from bot.jobs.engine import FLAG, TEXTS
from bot.jobs.policy import JobContext, Refusal, authorize, with_policy
from bot.jobs.thread_jobs import opener
from bot.thread.ci_logs import fingerprint, outside_cause, tail_of
from bot.thread.markdown.quote import code_span
from bot.thread.render import MEND_CHECK
from bot.types import Command, FailedCheck, Job, Report
from bot.types.characters import escape_unseen
from bot.types.serialization import Codec, codec_of

MAX_FAILED_JOBS = 3
MAX_NAMED = 5
FLAKY = "flaky"
"""What stands instead of logs if each failed job passed before on the same commit."""

_MAYBE_JOB: Codec[Job | None] = codec_of(Job | None)
_PROMPT = (
    "The check named {name!r} failed on this pull request. Find the cause in the end of its log,"
    " and mend it. Where the cause lies outside the repository's files, change nothing and say so."
    " Change only files of this pull request and those that the log names. Remove, skip or empty no"
    " test, loosen or silence no check, and change no dependency, lock file, workflow or rule of"
    " review: such a fix is not used."
)

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
        raise _given_up(context, job, f"The check {check.name} fails after {tries} to mend it.")
    failures = context.engine.step("failures", lambda: _read_failures(context, job, check), TEXTS)
    if failures == (FLAKY,):
        raise _given_up(
            context,
            job,
            f"The check {check.name} is not reliable: it passed on the same commit.",
        )
    error = fingerprint(failures)
    if error in check.before:
        raise _given_up(
            context, job, f"The check {check.name} fails with the same error as before."
        )
    cause = outside_cause(failures)
    if cause:
        raise _given_up(
            context,
            job,
            f"The check {check.name} seems to have failed for {cause}, not for the change.",
        )
    return replace(job, check=replace(check, failures=failures, error=error))


def why_not_alone(
    job: Job, signs: Collection[str], changed: Collection[str], own: Collection[str]
) -> str:
    """Why a fix may not be pushed with nobody watching, as the end of a sentence; "" if it may.
    `signs` are what it does beyond its code, `own` the files of TinyGen's earlier changes there. A
    file counts as named by the log if the last part of its path stands in it."""
    if signs:
        return f"a fix of a check may not do this with nobody watching. {' '.join(signs)}"
    log = "\n".join(job.check.failures) if job.check else ""
    others = [path for path in changed if path not in own and path.rpartition("/")[2] not in log]
    if others:
        named = ", ".join(map(code_span, others[:MAX_NAMED]))
        return (
            "a fix of a check may touch only the pull request's files and those that the log names,"
            f" not {named}."
        )
    return ""


def call_person(context: JobContext, job: Job) -> str:
    """Asks whoever asked for the pull request to review it, as GitHub tells them of that. Returns a
    sentence that says so."""
    number, asker = job.target.issue_number, job.actor
    if number is None or asker is None:
        return ""

    def call() -> bool:
        try:
            context.github(job.target).request_reviews(number, (asker,))
        except TinyGenError as error:
            _log.warning("a person could not be called", job=job.id, error=error.message)
            return False
        return True

    was_called = context.engine.step("call", call, FLAG)
    return f"{code_span(asker)}, who asked for it, was asked to look at it." if was_called else ""


def _given_up(context: JobContext, job: Job, message: str) -> Unworkable:
    called = call_person(context, job)
    return Unworkable(message, next_step=f"{MEND_CHECK} {called}".strip())


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
    """The text of each failed job; FLAKY alone if all of them passed before on the same commit."""
    failed = context.github(job.target).failed_jobs(check.run_id)[:MAX_FAILED_JOBS]
    if failed and all(each.has_passed for each in failed):
        return (FLAKY,)
    words = (f"{each.name}, {each.step}:\n\n{tail_of(each.log)}".strip() for each in failed)
    return tuple(map(escape_unseen, words))
