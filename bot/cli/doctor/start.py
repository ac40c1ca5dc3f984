"""The checks at the start of `serve`, in a process of their own: it ends after them, and gives back
the memory of all the libraries that they load."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import structlog

from bot.cli.doctor import find_all, save_outcome
from bot.cli.doctor.finding import Checkup, Finding
from bot.cli.serve import end_with_parent
from bot.config import Config

READY_WAIT_S = 60
"""How long the processes may take to be ready, asked once a second."""
_TIMEOUT_S = 2.0
_NICENESS = 10
"""Web and worker go first where there is one processor."""

_log = structlog.get_logger()


def check_at_start(checkup: Checkup) -> int:
    """Logs when TinyGen is ready, and then each fault. Sends no delivery again, asks no model, and
    writes no row at Supabase: a restart costs nothing."""
    # At Ctrl-C every process of the terminal gets the signal; this one has nothing to finish.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()
    os.nice(_NICENESS)
    log_checks(checkup, is_ready=lambda: _is_ready(checkup.config))
    return 0


def log_checks(checkup: Checkup, *, is_ready: Callable[[], bool]) -> None:
    findings = []
    if _wait_until(is_ready, checkup):
        _log.info("serving", address=checkup.config.public_url or checkup.config.local_url())
    else:
        message = f"TinyGen is not ready {READY_WAIT_S} seconds after its start."
        step = "See this log for what the web part or the worker misses."
        findings.append(Finding("start", False, message, step))
    findings += find_all(checkup)
    save_outcome(checkup, findings)
    faults = [finding for finding in findings if finding.good is False]
    for each in faults:
        _log.warning(
            "a check found a fault",
            subject=each.subject,
            message=each.message,
            next_step=each.next_step,
        )
    if not faults:
        _log.info("all is well")


def _wait_until(is_ready: Callable[[], bool], checkup: Checkup) -> bool:
    for _ in range(READY_WAIT_S):
        if is_ready():
            return True
        checkup.services.wait(1.0)
    return False


def _is_ready(config: Config) -> bool:
    import httpx

    try:
        # Not through the proxies of the environment: it is this machine.
        response = httpx.get(f"{config.local_url()}/readyz", timeout=_TIMEOUT_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return response.status_code == 200
