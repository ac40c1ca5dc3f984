"""The outcome of a step, its result or its error, as JSON.

The engine's own way to store an exception does not bring the same type back, so an error is stored
by the name of its class, and read again as that class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.errors import Cancelled, OutsideError, TinyGenError
from bot.types.serialization import Json, dump_error, load_error


@dataclass(frozen=True, slots=True)
class Outcome:
    """The JSON of what a step returned, or the error that it raised."""

    value: Json = None
    error: TinyGenError | Cancelled | None = None

    def __str__(self) -> str:
        """In a word, for logs: an error's message may quote its asker."""
        if isinstance(self.error, Cancelled):
            return "cancelled"
        return "ok" if self.error is None else type(self.error).__name__


def outcome_of(body: Callable[[], Json]) -> Outcome:
    """Runs the body of a step. An error that is not of `bot.errors` is raised."""
    try:
        return Outcome(body())
    except (TinyGenError, Cancelled) as error:
        return Outcome(error=error)


def dump_outcome(outcome: Outcome) -> dict[str, Json]:
    if outcome.error is None:
        return {"value": outcome.value}
    return {"error": dump_error(outcome.error)}


def load_outcome(stored: dict[str, Json], *, step: int | None) -> Outcome:
    """`step` is the number of the step; None if it was not recorded."""
    if "error" not in stored:
        return Outcome(stored["value"])
    error = load_error(stored["error"])
    if isinstance(error, OutsideError):
        error.step = step
    return Outcome(error=error)
