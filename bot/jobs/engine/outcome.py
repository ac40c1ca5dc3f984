"""The outcome of a step, its result or its error, as JSON.

The engine's own way to store an exception does not bring the same type back, so an error is stored
by the name of its class, and read again as that class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot import errors
from bot.errors import AskerError, Cancelled, LimitReached, OutsideError, SetupError, TinyGenError
from bot.types.serialization import Json

_FAMILIES = (AskerError, OutsideError, SetupError)
_ERRORS: dict[str, type[TinyGenError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, _FAMILIES)
}
"""Every error of `bot.errors`, by its name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The JSON of what a step returned, or the error that it raised."""

    value: Json = None
    error: TinyGenError | Cancelled | None = None

    def __str__(self) -> str:
        if isinstance(self.error, Cancelled):
            return "cancelled"
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error.message}"
        return "ok"


def outcome_of(body: Callable[[], Json]) -> Outcome:
    """Runs the body of a step. An error that is not of `bot.errors` is raised."""
    try:
        return Outcome(body())
    except (TinyGenError, Cancelled) as error:
        return Outcome(error=error)


def dump_outcome(outcome: Outcome) -> dict[str, Json]:
    error = outcome.error
    if error is None:
        return {"value": outcome.value}
    if isinstance(error, Cancelled):
        return {"error": {"type": "Cancelled"}}
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
    return {"error": stored}


def load_outcome(stored: dict[str, Json], *, step: int | None) -> Outcome:
    """`step` is the number of the step; None if it was not recorded. An error whose class and
    family are both unknown is read as an OutsideError."""
    if "error" not in stored:
        return Outcome(stored["value"])
    error = stored["error"]
    if error["type"] == "Cancelled":
        return Outcome(error=Cancelled())
    kind = _ERRORS.get(error["type"]) or _ERRORS.get(error.get("family", ""), OutsideError)
    wait: dict[str, Json] = {}
    if issubclass(kind, OutsideError | LimitReached):
        wait = {"retry_in_s": error.get("retry_in_s")}
    loaded = kind(error["message"], next_step=error["next_step"], **wait)
    if isinstance(loaded, OutsideError):
        loaded.step = step
    return Outcome(error=loaded)


def cleaned(value: Json, clean: Callable[[str], str]) -> Json:
    """The value with `clean` applied to every text in it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {name: cleaned(part, clean) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(part, clean) for part in value]
    return value
