"""Each worker writes a heartbeat, and takes over the jobs of a worker whose heartbeat has stopped.

The engine recovers only the workflows of the same executor, and with several workers a restarted
worker is another executor. A worker that wrote no heartbeat for a while (it just started, or the
database was away) takes over nothing until every other worker has had the time to write one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from bot.errors import OutsideError
from bot.jobs.engine import Engine
from bot.ports import Workers

BEAT_S = 5.0
DEAD_S = 25.0
"""A worker whose last heartbeat is older than this counts as dead. If it was only suspended, it is
fenced: the engine records nothing of what it does from then on."""

_log = structlog.get_logger()


class Heartbeat:
    def __init__(
        self,
        engine: Engine,
        workers: Workers,
        me: str,
        *,
        beat_s: float = BEAT_S,
        dead_s: float = DEAD_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._workers, self._me = engine, workers, me
        self._beat_s, self._dead_s, self._clock = beat_s, dead_s, clock
        self._last_beat = float("-inf")
        self._quiet_until = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go, name="lease", daemon=True)

    def start(self) -> None:
        """Writes the first heartbeat, and starts the thread. To be called before the engine may own
        a job."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def beat(self) -> None:
        """Writes this worker's heartbeat."""
        self._workers.beat(self._me)
        now = self._clock()
        if now - self._last_beat > self._dead_s:
            self._quiet_until = now + self._dead_s
        self._last_beat = now

    def take_over(self) -> int:
        """Continues the jobs of dead workers here, and returns how many."""
        if self._clock() < self._quiet_until:
            return 0
        dead = self._engine.owners() - self._workers.alive(self._dead_s) - {self._me}
        if not dead:
            return 0
        count = self._engine.take_over(sorted(dead))
        _log.warning("jobs of dead workers go on here", workers=sorted(dead), jobs=count)
        return count

    def _go(self) -> None:
        while not self._stopping.wait(self._beat_s):
            try:
                self.beat()
                self.take_over()
            except OutsideError as error:
                _log.error("the lease cannot be renewed", error=str(error))
            except Exception:  # without this thread the worker would lose its jobs for ever
                _log.exception("the lease met a fault")
