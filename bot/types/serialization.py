"""Values and errors as JSON and back: what the durable engine and the database keep of a job, and
its row of the request log.

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

from bot import errors
from bot.errors import (
    AskerError,
    Cancelled,
    Conflict,
    LimitReached,
    OutsideError,
    SetupError,
    TinyGenError,
)
from bot.types import MAX_REFUSED_CHARS, Job, Report

T = TypeVar("T")
Json: TypeAlias = Any
"""What `json.dumps` takes."""

_FAMILIES = (AskerError, OutsideError, SetupError)
_ERRORS: dict[str, type[TinyGenError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, _FAMILIES)
}
"""Every error of `bot.errors`, by its name."""
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


def dump_error(error: TinyGenError | Cancelled) -> Json:
    if isinstance(error, Cancelled):
        return {"type": "Cancelled"}
    # An adapter's own class of error is stored as its nearest superclass in bot.errors. The family
    # is for a version that does not know that class.
    kind = next((kind for kind in type(error).__mro__ if kind in _ERRORS.values()), OutsideError)
    family = next((family for family in _FAMILIES if issubclass(kind, family)), OutsideError)
    stored: dict[str, Json] = {
        "type": kind.__name__,
        "family": family.__name__,
        "message": error.message,
        "next_step": error.next_step,
    }
    if isinstance(error, OutsideError | LimitReached):
        stored["retry_in_s"] = error.retry_in_s
    if isinstance(error, Conflict):
        stored["details"] = error.details
    return stored


def load_error(stored: Json) -> TinyGenError | Cancelled:
    """An error whose class and family are both unknown is read as an OutsideError."""
    if stored["type"] == "Cancelled":
        return Cancelled()
    kind = _ERRORS.get(stored["type"]) or _ERRORS.get(stored.get("family", ""), OutsideError)
    own: dict[str, Json] = {}
    if issubclass(kind, OutsideError | LimitReached):
        own = {"retry_in_s": stored.get("retry_in_s")}
    elif issubclass(kind, Conflict):
        own = {"details": stored.get("details", "")}
    return kind(stored["message"], next_step=stored["next_step"], **own)


def map_texts(value: Json, change: Callable[[str], str]) -> Json:
    """The value with `change` applied to every text in it, but for the names of fields."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: map_texts(part, change) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [map_texts(part, change) for part in value]
    return value


def log_row(report: Report) -> dict[str, Json]:
    """The row of `tinygen_requests`, with every column of its table (deploy/supabase/migrations).
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
