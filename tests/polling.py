"""WaitLimit for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def poll(
    look: Callable[[], Value | None],
    *,
    within_s: float,
    pause_s: float = 0.05,
    is_hopeless: Callable[[], bool] = lambda: False,
) -> Value | None:
    """The first true value that `look` returns; None after `within_s` seconds, or where waiting
    longer is hopeless."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if seen := look():
            return seen
        if is_hopeless():
            return None
        time.sleep(pause_s)
    return None
