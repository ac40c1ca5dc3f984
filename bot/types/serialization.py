"""Jobs and reports as JSON, for the durable queue and the reports that are kept; and a report as a
row of the request log, whose columns README lists ("The request log"). Both logs, the embedded one
and Supabase's, are given `log_row`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from bot.types import Job, Report

Json = dict[str, Any]

MAX_REFUSED_CHARS = 200
"""Of a refused request's prompt: anybody can be refused, as often as they like."""
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


@cache
def _jobs() -> TypeAdapter[Job]:
    return TypeAdapter(Job)


@cache
def _reports() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def dump_job(job: Job) -> Json:
    dumped: Json = _jobs().dump_python(job, mode="json")
    return dumped


def load_job(json: Json) -> Job:
    return _jobs().validate_python(json)


def dump_report(report: Report) -> Json:
    dumped: Json = _reports().dump_python(report, mode="json", exclude_defaults=True)
    return dumped


def load_report(json: Json) -> Report:
    return _reports().validate_python(json)


def log_row(report: Report) -> Json:
    """The row of `tinygen_requests`; every column is present. PostgreSQL's text holds neither NUL
    nor undecodable bytes, so U+FFFD stands for them."""
    job, usage = report.job, report.usage
    row: Json = {
        "id": job.id,
        "source": job.source,
        "delivery_id": job.delivery_id,
        "installation_id": job.target.installation_id,
        "repo": job.target.repo,
        "issue_number": job.target.issue_number,
        "actor": job.actor
        if job.source != "run"
        else None,  # a login, which who calls /run does not have
        "prompt": job.command.prompt[: MAX_REFUSED_CHARS if report.state == "refused" else None],
        "mode": report.mode,
        "state": report.state,
        "base_sha": report.base_sha,
        "diff": report.patch.text if report.patch else None,
        "pull_request_url": report.pull_request_url,
        "model": report.model,
        "model_calls": usage.calls,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cost_usd": usage.cost_usd,
        "error": f"{report.failure.message} {report.failure.next_step}".strip()
        if report.failure
        else None,
        "created_at": job.received_at,
        "finished_at": report.finished_at,
    }
    return {
        name: _NOT_TEXT.sub("\ufffd", value) if isinstance(value, str) else value
        for name, value in row.items()
    }
