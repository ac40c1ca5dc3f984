"""A lock that one holder among all threads and processes of this machine has."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import TimedOut

_POLL_S = 0.02


@contextmanager
def locked(path: Path, timeout_s: float, wait: Callable[[float], None]) -> Iterator[int]:
    """The lock's descriptor while it is held; TimedOut where others hold it for longer than `timeout_s`.

    It is free again when the last process that has the descriptor open is gone. So a git that was given it, and that
    outlives its killed worker, keeps the next worker waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with path.open("ab") as file:
        while not _take(file.fileno()):
            if time.monotonic() > deadline:
                raise TimedOut("Another job is fetching this repository.", next_step="Try again in a few minutes.")
            wait(_POLL_S)
        yield file.fileno()


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
