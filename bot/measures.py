"""What a worker counts as it works. From time to time it is added to what the database holds, and read there by
`/metrics`: the web part and the workers are different processes, on different machines perhaps.

Of a worker that is killed, what it counted since it last wrote is lost: some seconds' worth.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from bot.core.types import Reply
from bot.errors import OutsideError
from bot.watch import Measure

Write = Callable[[Sequence[Measure], Sequence[Measure]], None]
_Key = tuple[str, tuple[tuple[str, str], ...]]

_PARTICULAR = re.compile(r"(?:(?<!\s)\s++|(?<!\S))[^\s\d]*+\d\S*+")
"""A word with a digit, as an id: of such there is no end, and each would be a series of its own."""


class Meter:
    """A `bot.watch.Watch`. `flush` hands over what was counted since it last did."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._added: dict[_Key, float] = {}
        self._latest: dict[_Key, float] = {}

    def retried(self, whom: Literal["github", "model"]) -> None:
        self.add("tinygen_retries_total", of=whom)

    def github_left(self, requests: int) -> None:
        """Each installation has a limit of its own: what is told is the least of those met since the last flush."""
        key: _Key = ("tinygen_github_rate_limit_remaining", ())
        with self._lock:
            self._latest[key] = min(requests, self._latest.get(key, requests))

    def replied(self, reply: Reply) -> None:
        self.add("tinygen_model_calls_total")
        self.add("tinygen_model_seconds_total", reply.seconds)
        self.add("tinygen_model_tokens_total", reply.prompt_tokens, kind="in")
        self.add("tinygen_model_tokens_total", reply.completion_tokens, kind="out")
        self.add("tinygen_model_tokens_total", reply.cached_tokens, kind="cached")
        self.add("tinygen_model_cost_usd_total", reply.cost_usd or 0.0)

    def step_ended(self, step: str, seconds: float) -> None:
        name = _PARTICULAR.sub("", step)
        self.add("tinygen_step_seconds_sum", seconds, step=name)
        self.add("tinygen_step_seconds_count", step=name)

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._added[key] = self._added.get(key, 0.0) + amount

    def set(self, name: str, value: float) -> None:
        with self._lock:
            self._latest[(name, ())] = value

    def flush(self, write: Write) -> None:
        """`write` is given what is to be added, and what replaces its last value. Where it fails, it is kept."""
        with self._lock:
            added, self._added = self._added, {}
            latest, self._latest = self._latest, {}
        try:
            write(_measures(added), _measures(latest))
        except OutsideError:
            with self._lock:
                self._latest = latest | self._latest
            for (name, labels), amount in added.items():
                self.add(name, amount, **dict(labels))
            raise


def _measures(counted: Mapping[_Key, float]) -> list[Measure]:
    return [Measure(name, labels, value) for (name, labels), value in sorted(counted.items())]
