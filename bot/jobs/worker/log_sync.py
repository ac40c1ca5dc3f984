"""Copies the rows of the embedded request log to the one elsewhere (Supabase), oldest first, so that
after an outage they arrive in order.

While the log elsewhere is away, the oldest row is tried again and the others wait behind it. A row
that it refuses for itself alone is logged, tried again ever more rarely, and holds up no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from bot.errors import OutsideError, RowRefused, TinyGenError
from bot.ports import Outbox, Reports, RequestLog, UnsentReport

LOOK_S = 0.2
"""How often it is seen whether there is a row."""
FIRST_WAIT_S, MAX_WAIT_S = 1.0, 60.0
"""Between two tries of a log that is away. What it asks for itself is waited for instead."""
REFUSED_WAIT_S = 3600.0
STOP_S = 2.0

_log = structlog.get_logger()


class LogShipper:
    """Sends what waits in the outbox, from `start` to `stop`. `wait` is given seconds, and says
    whether to stop."""

    def __init__(
        self,
        reports: Reports,
        outbox: Outbox,
        log: RequestLog,
        *,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._reports, self._outbox, self._log = reports, outbox, log
        self._failures = 0
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._thread = threading.Thread(target=self.send_until_stopped, name="log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Waits a moment for a row that is on its way: one that hangs is sent again after the next
        start."""
        self._stopping.set()
        self._thread.join(STOP_S)

    def send_until_stopped(self) -> None:
        while not self._wait(self.send()):
            pass

    def send(self) -> float:
        """Sends what waits until nothing does, or the log is away; in how many seconds to look
        again."""
        try:
            while not self._stopping.is_set() and (row := self._outbox.next()) is not None:
                self._send(row)
                self._failures = 0
        except TinyGenError as error:
            wait_s = min(FIRST_WAIT_S * 2**self._failures, MAX_WAIT_S)
            self._failures += 1
            _log.warning("the request log did not take a row", error=str(error))
            return (error.retry_in_s if isinstance(error, OutsideError) else None) or wait_s
        return LOOK_S

    def _send(self, row: UnsentReport) -> None:
        try:
            report = self._reports.load(row.id)
            if report is not None:
                self._log.write(report)
        except RowRefused as error:
            _log.error("the request log refused a row", job=row.id, error=str(error))
            self._outbox.refused(
                row, min(FIRST_WAIT_S * 2 ** min(row.refusals, 20), REFUSED_WAIT_S)
            )
        except TinyGenError:
            self._outbox.keep(row)
            raise
        except Exception:  # what only this row's values can bring about must not stop all others
            _log.exception("a row of the request log met a fault", job=row.id)
            self._outbox.refused(row, REFUSED_WAIT_S)
        else:
            self._outbox.sent(row)
