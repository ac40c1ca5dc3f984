"""What happens in a worker, told as it happens, so that it can be counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from bot.core.types import Reply


@dataclass(frozen=True, slots=True)
class Measure:
    """One series of `/metrics`. `labels` are (name, value) pairs, by name."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Watch(Protocol):
    """Told of what happens, as it happens, so that it can be counted."""

    def retried(self, whom: Literal["github", "model"]) -> None:
        """A request is sent again, after a fault or a limit."""

    def github_left(self, requests: int) -> None:
        """What GitHub's limit had left, by one of its answers."""

    def replied(self, reply: Reply) -> None: ...

    def step_ended(self, step: str, seconds: float) -> None: ...


class Unwatched:
    """A Watch that counts nothing."""

    def retried(self, whom: Literal["github", "model"]) -> None: ...

    def github_left(self, requests: int) -> None: ...

    def replied(self, reply: Reply) -> None: ...

    def step_ended(self, step: str, seconds: float) -> None: ...
