"""The lines that the web part writes beside those of jobs: of refused calls, pings, and answers that failed.
No line holds a key or a text of the caller's, but for names in headers, shortened.

What anybody can cause without a key is limited, in each process: the next line tells how many were
left out.
"""

from __future__ import annotations

import re

import structlog
from flask import Flask, Response, g, request

from bot.logs import RateLimitedLog
from bot.thread.webhooks import Delivery, Ignored
from bot.web.callers import Caller

LINES, WITHIN_S = 5, 60.0
MAX_NAME_CHARS = 64
_NO_NAME_CHARACTER = re.compile(r"[^\w.:,-]", re.ASCII)
_CONVERTER = re.compile(r"<\w+:")
_STARTING = frozenset({"/run", "/try"})
_REFUSALS = frozenset({404, 429})
"""Of a call that would start a job. Where one was accepted, the same status tells of its end."""

_log = structlog.get_logger()


def register(app: Flask) -> None:
    """Writes a line for each answer that is a refusal or a failure."""
    unsigned, unknown, failed = (RateLimitedLog(LINES, WITHIN_S) for _ in range(3))

    def log_answer(response: Response) -> Response:
        status, path = response.status_code, request.path
        if path == "/webhook" and status in (400, 401):
            event = (
                "a signature is missing or wrong" if status == 401 else "a delivery is malformed"
            )
            unsigned.write("warning", event, **_sender())
        elif status == 401:
            unknown.write("info", "refused", status=status, path=_route(), **_address())
        elif path in _STARTING and status in _REFUSALS and "job" not in g:
            caller: Caller | None = g.get("caller")
            _log.info("refused", status=status, path=path, caller=caller.name if caller else None)
        elif status > 500 and path != "/readyz":  # which is asked while there is no worker yet
            # The handler of a fault of our own (500) writes its error.
            told = {"job": g.job} if "job" in g else {}
            failed.write("warning", "a call failed", status=status, path=_route(), **told)
        return response

    app.after_request(log_answer)


def log_ignored(delivery: Delivery, ignored: Ignored) -> None:
    """A delivery that starts no job. GitHub sends a ping when the App's webhook is set up."""
    if delivery.event == "ping":
        _log.info("ping", delivery=delivery.id)
    else:
        _log.debug(
            "ignored", delivery=delivery.id, event_name=delivery.event[:40], reason=ignored.reason
        )


def _sender() -> dict[str, str]:
    names = {"delivery": "X-GitHub-Delivery", "event_name": "X-GitHub-Event"}
    given = {field: _shortened(request.headers.get(name, "")) for field, name in names.items()}
    return {**given, **_address()}


def _address() -> dict[str, str]:
    """Where the call comes from and, behind a proxy, whom that proxy names."""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    told = {"address": request.remote_addr or ""}
    return {**told, "forwarded_for": _shortened(forwarded)} if forwarded else told


def _route() -> str:
    """The path as it is declared, without the caller's words."""
    return _CONVERTER.sub("<", request.url_rule.rule) if request.url_rule else "unknown"


def _shortened(name: str) -> str:
    return _NO_NAME_CHARACTER.sub("?", name[:MAX_NAME_CHARS])
