"""What the log of a failed check says: the part of it that tells why, and a fingerprint by which
the same error is known again."""

from __future__ import annotations

import hashlib
import re

MAX_LINES = 120
MAX_CHARS = 8_000

_TIME = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT[\d:.]+Z ", re.MULTILINE)
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CHANGING = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{7,64}\b|\d+", re.IGNORECASE)
_ERROR = "##[error]"
"""https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message"""


def tail_of(log: str) -> str:
    """The end of a job's log, down to its last error: what follows that only tidies up. Without
    time stamps."""
    text = _ESCAPE.sub("", _TIME.sub("", log.replace("\r", "")))
    lines = text.rstrip("\n").split("\n")
    last = max((at for at, line in enumerate(lines) if _ERROR in line), default=len(lines) - 1)
    return "\n".join(lines[max(0, last + 1 - MAX_LINES) : last + 1])[-MAX_CHARS:]


def fingerprint(failures: tuple[str, ...]) -> str:
    """The same for the same error: numbers, times and addresses make no difference."""
    text = _CHANGING.sub("0", "\n".join(failures))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
