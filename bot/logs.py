"""The logs: one event per step, `key=value` or JSON on standard error, with its job and never with
a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"
_TOKENS = re.compile(
    r"\bgh[a-z]_[A-Za-z0-9_.\-]{16,}|\bgithub_pat_\w{16,}|\bsk-[\w\-]{16,}|\bsb_secret_[\w\-]{8,}"
    r"|\beyJ[\w\-]{8,}+(?:\.[\w\-]*+){0,2}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
"""The forms of the secrets that pass through: GitHub's, OpenAI's and Supabase's keys, PEM keys, and
JWTs, of which the first part is enough."""

_BOUNDARY = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")


def cleaner(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that takes these secrets out of a text, whole or line by line (a PEM key in a
    traceback). The lines around a key are no secret: code that reads keys holds them, too."""
    lines = {line for secret in secrets for line in (secret, *secret.splitlines())}
    parts = {line for line in lines if len(line) >= 6 and not _BOUNDARY.fullmatch(line)}
    escaped = {part.replace("\n", "\\n") for part in parts}
    if not parts:
        return lambda text: text
    known = re.compile(
        "|".join(re.escape(part) for part in sorted(parts | escaped, key=len, reverse=True))
    )
    return lambda text: known.sub(HIDDEN, text)


def configure_logs(form: Literal["text", "json"], level: str, clean: Callable[[str], str]) -> None:
    """Sends every logger's events, ours and the libraries', through one chain that hides
    secrets."""

    def hide(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {name: _hidden(value, clean) for name, value in event.items()}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide,
    ]
    render: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    )
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


def _hidden(value: object, clean: Callable[[str], str]) -> object:
    if isinstance(value, int | float | None):
        return value
    return _TOKENS.sub(HIDDEN, clean(value if isinstance(value, str) else str(value)))
