"""The logs: one event a line on standard error, with its job's id and never with a secret; as
`key=value` or JSON or, for an operator at a terminal, in columns with colours.

Levels: `error` is a fault of TinyGen's own, `warning` a failure of something else, `info` what
happened, `debug` each step of a job.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.types.characters import escape_unseen

HIDDEN = "[hidden]"
_MIN_SECRET_CHARS = 6
"""A shorter value would hide parts of ordinary words."""
_SECRET_FORMS = re.compile(
    r"\bgh[a-z]_[A-Za-z0-9_.\-]{16,}|\bgithub_pat_\w{16,}|\bsk-[\w\-]{16,}|\bsb_secret_[\w\-]{8,}"
    r"|\beyJ[\w\-]{8,}+(?:\.[\w\-]*+){0,2}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
"""Keys of GitHub, OpenAI and Supabase, PEM keys, and JWTs, of which the first part is enough."""
_PEM_BOUNDARY = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")


def make_redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that replaces these secrets in a text, and each line of one that has several, as
    a traceback may hold one line of a PEM key."""
    parts: set[str] = set()
    for secret in secrets:
        for part in (secret, *secret.splitlines()):
            # `-----BEGIN …` is no secret: source code that reads keys holds it, too.
            if len(part) >= _MIN_SECRET_CHARS and not _PEM_BOUNDARY.fullmatch(part):
                parts.add(part)
                parts.add(part.replace("\n", "\\n"))
    if not parts:
        return lambda text: text
    longest_first = sorted(parts, key=len, reverse=True)
    known = re.compile("|".join(re.escape(part) for part in longest_first))
    return lambda text: known.sub(HIDDEN, text)


def configure_logs(
    form: Literal["text", "json"],
    level: str,
    redact: Callable[[str], str],
    *,
    colors: bool = True,
) -> None:
    """Sends the events of all loggers, ours and the libraries', through one chain that removes
    secrets. `colors` are for a terminal alone."""

    def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {name: redact_value(value, redact) for name, value in event.items()}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_event,
    ]
    render = _make_renderer(form, colors)
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("dbos", "gunicorn.error"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True


def _make_renderer(form: Literal["text", "json"], colors: bool) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        # A traceback is text by then, so that secrets could be taken out of it.
        return structlog.dev.ConsoleRenderer(
            colors=colors,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,
        )
    return structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])


class RateLimitedLog:
    """Writes at most `times` lines within `within_s`; the next line tells as `left_out` how many
    were left out. For what anybody can cause as often as they like. Safe for use by several
    threads."""

    def __init__(
        self, times: int, within_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._times, self._within_s, self._clock = times, within_s, clock
        self._lock = threading.Lock()
        self._began_s = float("-inf")
        self._written = 0
        self._left_out = 0

    def write(self, level: Literal["info", "warning"], event: str, **fields: object) -> None:
        with self._lock:
            now_s = self._clock()
            if now_s - self._began_s >= self._within_s:
                self._began_s, self._written = now_s, 0
            if self._written >= self._times:
                self._left_out += 1
                return
            self._written += 1
            left_out, self._left_out = self._left_out, 0
        if left_out:
            fields["left_out"] = left_out
        structlog.get_logger().log(logging.getLevelNamesMapping()[level.upper()], event, **fields)


def redact_value(value: object, redact: Callable[[str], str]) -> object:
    """The value as text without known secrets and without whatever looks like one, and with
    characters escaped that a reader would not see; numbers and None unchanged."""
    if isinstance(value, int | float | None):
        return value
    text = redact(value if isinstance(value, str) else str(value))
    return escape_unseen(_SECRET_FORMS.sub(HIDDEN, text))
