"""Values as JSON and back: what the durable engine and the database keep of a job, and its row of
the request log.

Jobs in flight outlive a deployment, so what is read here may have been written by an older version:
fields are added with a default, and never renamed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import TypeAdapter

from bot.types import Job, Report

T = TypeVar("T")
Json: TypeAlias = Any
"""What `json.dumps` takes."""

MAX_REFUSED_CHARS = 200
"""The part of a refused request's prompt that is kept: anybody can be refused, as often as they
like."""
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How values of one type become JSON, and JSON becomes such values again."""

    dump: Callable[[T], Json]
    load: Callable[[Json], T]


def codec_of(kind: Any, *, omit_defaults: bool = False) -> Codec[Any]:
    """The codec that follows from the type's annotations. `omit_defaults`: a field that has its
    default value is left out of the JSON."""

    @cache
    def adapter() -> TypeAdapter[Any]:  # made at the first use, since that takes milliseconds
        return TypeAdapter(kind)

    def dump(value: Any) -> Json:
        return adapter().dump_python(value, mode="json", exclude_defaults=omit_defaults)

    return Codec(dump, lambda json: adapter().validate_python(json))


JOB: Codec[Job] = codec_of(Job)
REPORT: Codec[Report] = codec_of(Report, omit_defaults=True)
MAYBE_REPORT: Codec[Report | None] = codec_of(Report | None, omit_defaults=True)
REPORTS: Codec[tuple[Report, ...]] = codec_of(tuple[Report, ...], omit_defaults=True)


def log_row(report: Report) -> dict[str, Json]:
    """The row of `tinygen_requests`, with every column that README lists ("The request log").
    PostgreSQL's text holds neither NUL nor lone surrogates: U+FFFD stands for them."""
    job, usage = report.job, report.usage
    failure = report.failure
    row = {
        "id": job.id,
        "source": job.source,
        "delivery_id": job.delivery_id,
        "installation_id": job.target.installation_id,
        "repo": job.target.repo,
        "issue_number": job.target.issue_number,
        # A direct call has no login.
        "actor": job.actor if job.source != "run" else None,
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
        "error": f"{failure.message} {failure.next_step}".strip() if failure else None,
        "created_at": job.received_at,
        "finished_at": report.finished_at,
    }
    return {name: _without_nul(value) for name, value in row.items()}


def _without_nul(value: Json) -> Json:
    return _NOT_TEXT.sub("\ufffd", value) if isinstance(value, str) else value
