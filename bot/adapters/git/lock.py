"""A file lock between all threads and processes of this machine.

It is not the `filelock` package, which does not give out the lock's file descriptor: git must
inherit it, so that a git which outlives its killed worker still keeps the next worker out.
"""

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
    """The lock's file descriptor, while the lock is held. TimedOut if others hold it for longer
    than `timeout_s`; between two attempts `wait` is called with a number of seconds.

    The kernel frees the lock when the last process that has the descriptor open has closed it or
    has ended.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with path.open("ab") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise TimedOut(
                    "Another job is fetching this repository.",
                    next_step="Try again in a few minutes.",
                )
            wait(_POLL_S)
        yield file.fileno()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
