"""What a step came to, as JSON: without a secret, and errors so that they are read again as what they were."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from bot import errors
from bot.errors import Cancelled, OutsideError, TinyGenError
from bot.watch import Watch

Json = Any

_log = structlog.get_logger()


def outcome_of(name: str, body: Callable[[], Json], watch: Watch) -> Json:
    """What the body came to: `value` or `error`. Anything but an error of the house is raised."""
    began = time.monotonic()
    try:
        outcome: Json = {"value": body()}
        said = "ok"
    except Cancelled:
        outcome, said = {"error": {"type": "Cancelled"}}, "cancelled"
    except TinyGenError as error:
        outcome, said = {"error": _dump_error(error)}, f"{type(error).__name__}: {error.message}"
    seconds = time.monotonic() - began
    watch.step_ended(name, seconds)
    _log.info("step", step=name, outcome=said, seconds=round(seconds, 3))
    return outcome


def _dump_error(error: TinyGenError) -> Json:
    dumped: Json = {"type": type(error).__name__, "message": error.message, "next_step": error.next_step}
    if isinstance(error, OutsideError):
        dumped["retry_in_s"] = error.retry_in_s
    return dumped


def load_error(dumped: Json, step: int | None) -> Exception:
    """`step` is the number of the one that came to it, None where that was not recorded."""
    kind = getattr(errors, dumped["type"])
    given = {name: value for name, value in dumped.items() if name != "type"}
    error: Exception = kind(given.pop("message"), **given) if given else kind()
    if isinstance(error, OutsideError):
        error.step = step
    return error


def cleaned(value: Json, clean: Callable[[str], str]) -> Json:
    """The value with `clean` applied to every text in it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {name: cleaned(part, clean) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(part, clean) for part in value]
    return value
