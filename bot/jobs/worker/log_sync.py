"""Copies the rows of the embedded request log to the external one (Supabase), oldest first, so that
they arrive in order after an outage.

While the external log is unavailable, the oldest row is tried again and the others wait behind it.
A row that the external log refuses because of its values is logged, tried again at growing
intervals, and does not delay the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from bot.errors import OutsideError, RowRefused, TinyGenError
from bot.ports import Outbox, Reports, RequestLog, UnsentReport

LOOK_S = 0.2
"""The interval at which the outbox is read while it is empty."""
FIRST_WAIT_S, MAX_WAIT_S = 1.0, 60.0
"""The wait between two tries while the log is unavailable, if the log itself asks for none."""
REFUSED_WAIT_S = 3600.0
STOP_S = 2.0

_log = structlog.get_logger()


class LogShipper:
    """Sends the rows of the outbox, from `start` to `stop`. `wait` takes seconds, and returns
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
        """WaitLimit up to STOP_S for the row that is being sent. If that takes longer, the row is sent
        again after the next start."""
        self._stopping.set()
        self._thread.join(STOP_S)

    def send_until_stopped(self) -> None:
        while not self._wait(self.send()):
            pass

    def send(self) -> float:
        """Sends rows until none is left or the log is unavailable. Returns the seconds until the
        next call."""
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
        except Exception:  # an error that only this row causes must not stop all others
            _log.exception("a row of the request log met a fault", job=row.id)
            self._outbox.refused(row, REFUSED_WAIT_S)
        else:
            self._outbox.sent(row)
