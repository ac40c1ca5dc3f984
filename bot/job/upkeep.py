"""What a worker does now and then, beside its jobs: ask for missed deliveries, forget what is old.

Each chore may be done by several workers, or twice by one, without harm. One that fails is logged, and done again when
it is next due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.core.missed import choose_missed
from bot.errors import TinyGenError
from bot.ports import Deliveries

LOOK_S = 1.0
LOOK_BACK = timedelta(days=3)
"""GitHub keeps a delivery for three days."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chore:
    name: str
    every_s: float
    do: Callable[[], None]


class Upkeep:
    """Does each chore when it starts, and every `every_s` from then on."""

    def __init__(self, chores: Sequence[Chore], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._due_s = [(chore, float("-inf")) for chore in chores]
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def do_due(self) -> None:
        """Does what is due now."""
        for at, (chore, due_s) in enumerate(self._due_s):
            if self._clock() < due_s:
                continue
            self._due_s[at] = (chore, self._clock() + chore.every_s)
            try:
                chore.do()
            except TinyGenError as error:
                _log.warning("a chore failed", chore=chore.name, error=str(error))
            except Exception:  # the thread outlives whatever it meets
                _log.exception("a chore met a fault", chore=chore.name)

    def _go(self) -> None:
        self.do_due()
        while not self._stopping.wait(LOOK_S):
            self.do_due()


def redeliver_missed(deliveries: Deliveries, since: datetime) -> int:
    """How many deliveries that never arrived GitHub was asked to send again. A delivery that did arrive, though its
    answer was lost, starts nothing twice: its id is known."""
    missed = choose_missed(deliveries.recent(since))
    for attempt_id in missed:
        deliveries.redeliver(attempt_id)
    if missed:
        _log.warning("missed deliveries are sent again", count=len(missed))
    return len(missed)
