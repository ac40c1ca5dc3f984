"""The two lines that the log has for each job, whatever becomes of it: `accepted`, when it was stored,
and `ended`. They hold no text of a request, a thread or a model."""

from __future__ import annotations

import logging
import re
from datetime import datetime

import structlog

import bot.errors
from bot.errors import AskerError, TinyGenError
from bot.types import Failure, Job, Report

_QUOTED = re.compile(r"`[^`]*+(?:`|\Z)|\([^()]*+(?:\)|\Z)|\"[^\"]*+(?:\"|\Z)|“[^”]*+(?:”|\Z)")
"""A quotation without an end goes on to the end of the text."""

_log = structlog.get_logger()


def log_accepted(job: Job) -> None:
    """To be called by whoever stored the job."""
    told = {**_fields_of(job), "source": job.source, "trigger": job.trigger}
    _log.info("accepted", **told, **_without_gaps(delivery=job.delivery_id))


def log_ended(report: Report) -> None:
    """To be called once for each job, with its final report: at `error` if a defect of TinyGen ended
    it, at `warning` if it failed otherwise, else at `info`."""
    usage, failure = report.usage, report.failure
    told = _without_gaps(
        outcome=report.state,
        error=failure.kind if failure else None,
        reason=_reason_of(report),
        seconds=_seconds_of(report),
        calls=usage.calls,
        tokens_in=usage.prompt_tokens,
        tokens_out=usage.completion_tokens,
        cost_usd=None if usage.cost_usd is None else round(usage.cost_usd, 6),
        pull_request=report.pull_request_url,
        commit=report.commit_url,
        together_with=report.together_with,
    )
    _log.log(_level_of(report), "ended", **_fields_of(report.job), **told)


def neutral_reason(failure: Failure) -> str:
    """The message of a failure. Where the asker can mend it, it may quote their words or the model's:
    each quotation becomes `…`."""
    kind = getattr(bot.errors, failure.kind, TinyGenError)
    return _QUOTED.sub("…", failure.message) if issubclass(kind, AskerError) else failure.message


def _reason_of(report: Report) -> str | None:
    """Why a job did not end as done; None if it did. The first sentence of a refusal is TinyGen's own;
    others may name what a settings file holds."""
    if report.failure is None:
        return None
    is_refusal = report.state == "refused"
    if is_refusal:
        return report.failure.message.partition(". ")[0]
    return neutral_reason(report.failure)


def _level_of(report: Report) -> int:
    if report.state != "failed":
        return logging.INFO
    is_defect = report.failure is None or report.failure.kind == TinyGenError.__name__
    return logging.ERROR if is_defect else logging.WARNING


def _fields_of(job: Job) -> dict[str, object]:
    return _without_gaps(
        job=job.id,
        repo=job.target.repo or None,
        number=job.target.issue_number,
        asker=job.actor,
        command=job.command.verb,
    )


def _seconds_of(report: Report) -> float | None:
    """From the arrival of the request to its end; None if one of the times is not known."""
    try:
        began = datetime.fromisoformat(report.job.received_at)
        ended = datetime.fromisoformat(report.finished_at or "")
        return round((ended - began).total_seconds(), 3)
    except (ValueError, TypeError):
        return None


def _without_gaps(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
