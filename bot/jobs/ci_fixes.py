"""CI's say: a failed check of a pull request that TinyGen opened is worked on, a bounded number of
times.

The repository's own checks are where its code runs; nothing runs here. It is done in the name of
whoever asked for the pull request, never for the same error twice, and never on top of what a
person pushed.

What a failed check says: the part of its log that tells why, and whether that was met before.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import structlog

from bot.errors import TinyGenError, Unworkable
from bot.jobs.engine import Json
from bot.jobs.policy import Authorization, JobContext, authorize, with_policy
from bot.jobs.thread_jobs import opener
from bot.thread.markdown import clean_material
from bot.types import Command, FailedCheck, Job, Report
from bot.types.serialization import dump_job, load_job

MAX_LINES = 120
MAX_CHARS = 8_000

_TIME = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT[\d:.]+Z ", re.MULTILINE)
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CHANGING = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{7,64}\b|\d+", re.IGNORECASE)
_ERROR = "##[error]"
"""https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message"""


def tail_of(log: str) -> str:
    """The end of a job's log, down to the last error in it: what follows is only tidied up. Without
    time stamps."""
    lines = _ESCAPE.sub("", _TIME.sub("", log.replace("\r", ""))).rstrip("\n").split("\n")
    last = max((at for at, line in enumerate(lines) if _ERROR in line), default=len(lines) - 1)
    return "\n".join(lines[max(0, last + 1 - MAX_LINES) : last + 1])[-MAX_CHARS:]


def fingerprint(failures: tuple[str, ...]) -> str:
    """The same for the same error: numbers, times and addresses make no difference."""
    return hashlib.sha256(
        _CHANGING.sub("0", "\n".join(failures)).encode("utf-8", "replace")
    ).hexdigest()[:16]


MAX_FAILED_JOBS = 3

_WORDS = (
    "The check named {name!r} failed on this pull request. Find the cause in the end of its log,"
    " and mend it. Where the cause lies outside the repository's files, change nothing and say so."
)
_YOURS = "Mend it by hand, or say what to do: `/tinygen PROMPT`."

_log = structlog.get_logger()


def taken_up(context: JobContext, job: Job) -> Job | None:
    """The job as its pull request's asker would have asked for it; None where nothing is to be
    done, or said."""
    found = context.engine.step("check", lambda: _look(context, job))
    return None if found is None else load_job(found)


def with_failures(context: JobContext, job: Job) -> Job:
    """The job with what failed. Unworkable where that was tried often enough, or failed in the same
    way before."""
    check = job.check
    if check is None:
        return job
    if check.attempt > check.limit:
        tries = "1 attempt" if check.limit == 1 else f"{check.limit} attempts"
        raise Unworkable(
            f"The check {check.name} fails after {tries} to mend it.", next_step=_YOURS
        )
    failures = tuple(context.engine.step("failures", lambda: _read_failures(context, job, check)))
    error = fingerprint(failures)
    if error in check.before:
        raise Unworkable(
            f"The check {check.name} fails with the same error as before.", next_step=_YOURS
        )
    return replace(job, check=replace(check, failures=failures, error=error))


def attempt_note(check: FailedCheck) -> str:
    return (
        f"The check {check.name} failed at {check.head_sha[:12]}: this is attempt {check.attempt}"
        f" of {check.limit} to mend it (`TINYGEN_CI_FIXES`)."
    )


def _look(context: JobContext, job: Job) -> Json:
    try:
        found = _asked(context, job)
    except TinyGenError as error:
        _log.warning("a failed check could not be looked at", error=str(error))
        return None
    return None if found is None else dump_job(found)


def _asked(context: JobContext, job: Job) -> Job | None:
    target, check = job.target, job.check
    if check is None or target.issue_number is None:
        return None
    pull = context.github(target).pull(target.issue_number)
    opened = opener(context, target, pull)
    if opened is None or pull.state == "closed" or pull.head_sha != check.head_sha:
        return None
    here = context.reports.latest(target.repository_key, target.issue_number)
    there = context.reports.latest(target.repository_key, opened.job.target.issue_number or 0)
    tries = [report for report in here if report.job.check and report.job.id != job.id]
    gave_up_or_is_at_it = bool(tries) and tries[0].head_sha is None
    if gave_up_or_is_at_it or not any(
        report.head_sha == check.head_sha for report in (*here, *there)
    ):
        return None
    return _as_its_asker(context, job, check, opened, tries)


def _as_its_asker(
    context: JobContext, job: Job, check: FailedCheck, opened: Report, tries: list[Report]
) -> Job | None:
    """None where the repository or the operator wants none of it, or the asker may no longer
    ask."""
    asker = opened.job
    command = Command("solve", _WORDS.format(name=check.name), mode="pr")
    asked = replace(job, actor=asker.actor, actor_id=asker.actor_id, command=command)
    terms = authorize(context, asked)
    limit = with_policy(context, terms).policy.ci_fixes if isinstance(terms, Authorization) else 0
    if not limit:
        return None
    before = tuple(report.job.check.error for report in tries if report.job.check)
    return replace(asked, check=replace(check, attempt=len(tries) + 1, limit=limit, before=before))


def _read_failures(context: JobContext, job: Job, check: FailedCheck) -> list[str]:
    target = job.target
    failed = context.github(target).failed_jobs(check.run_id)
    return [
        clean_material(f"{each.name}, {each.step}:\n\n{tail_of(each.log)}".strip())
        for each in failed[:MAX_FAILED_JOBS]
    ]
