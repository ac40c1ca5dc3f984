"""Which deliveries GitHub should send again: it never does so by itself, and shows them as failed for some days.

https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.core.delivery import EVENTS

MAX_ATTEMPTS = 5
"""What failed so often is left to the operator."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a delivery. `guid` is the delivery's id, the same for each; `status` is 0 where none came back."""

    id: int
    guid: str
    event: str
    action: str | None
    status: int


def choose_missed(attempts: Iterable[Attempt]) -> tuple[int, ...]:
    """The attempts to repeat, one for each delivery that may hold a command and never arrived. What TinyGen itself
    refused (a status below 500) would be refused again."""
    by_guid: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.event in EVENTS and attempt.action in ("created", "edited", "completed"):
            by_guid.setdefault(attempt.guid, []).append(attempt)
    return tuple(
        max(attempt.id for attempt in tries)
        for tries in by_guid.values()
        if len(tries) < MAX_ATTEMPTS and all(attempt.status == 0 or attempt.status >= 500 for attempt in tries)
    )
