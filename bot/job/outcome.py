"""What a step came to, as JSON: without a secret, and errors so that they are read again as what they were."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from bot import errors
from bot.errors import AskerError, Cancelled, LimitReached, OutsideError, SetupError, TinyGenError
from bot.watch import Watch

Json = Any

_log = structlog.get_logger()

_FAMILIES = (AskerError, OutsideError, SetupError)
_ERRORS: dict[str, type[TinyGenError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, _FAMILIES)
}
"""By name, those that bot.errors draws."""


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
    """As the nearest of its kinds that bot.errors draws. The family is for a version that has no such kind."""
    kind = next((kind for kind in type(error).__mro__ if kind in _ERRORS.values()), OutsideError)
    family = next((family for family in _FAMILIES if issubclass(kind, family)), OutsideError)
    dumped: Json = {
        "type": kind.__name__,
        "family": family.__name__,
        "message": error.message,
        "next_step": error.next_step,
    }
    if isinstance(error, OutsideError | LimitReached):
        dumped["retry_in_s"] = error.retry_in_s
    return dumped


def load_error(dumped: Json, step: int | None) -> Exception:
    """`step` is the number of the one that came to it, None where that was not recorded. An error of which neither
    the kind nor the family is known is taken for the outside's."""
    if dumped["type"] == "Cancelled":
        return Cancelled()
    kind = _ERRORS.get(dumped["type"]) or _ERRORS.get(dumped.get("family", ""), OutsideError)
    timed = {"retry_in_s": dumped.get("retry_in_s")} if issubclass(kind, OutsideError | LimitReached) else {}
    error = kind(dumped["message"], next_step=dumped["next_step"], **timed)
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
