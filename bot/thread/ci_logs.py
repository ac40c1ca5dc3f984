"""What the log of a failed check says: the part of it that tells why, and a fingerprint by which
the same error is known again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

MAX_LINES = 120
MAX_CHARS = 8_000

_TIME = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT[\d:.]+Z ", re.MULTILINE)
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CHANGING = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{7,64}\b|\d+", re.IGNORECASE)
LAST_LINES = 25
_OUTSIDE = (
    (
        "want of the network",
        re.compile(
            r"\b(?:ENOTFOUND|ECONNRESET|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN)\b|[Tt]emporary failure in name resolution"
            r"|[Cc]ould not resolve host|[Nn]etwork is unreachable|TLS handshake timeout|[Cc]onnection timed out"
            r"|(?:HTTP|status|error|returned)[ :]{1,3}(?:429|502|503|504)\b|[Tt]oo [Mm]any [Rr]equests|toomanyrequests"
            r"|[Rr]ead timed out|Failed to fetch|i/o timeout"
        ),
    ),
    ("want of disk space", re.compile(r"[Nn]o space left on device")),
    (
        "the end of its runner",
        re.compile(
            r"runner has received a shutdown signal|lost communication with the server"
            r"|The operation was canceled|exceeded the maximum execution time|The hosted runner"
        ),
    ),
)
_FAILED_TEST = re.compile(
    r"\b(?:FAILED|AssertionError|AssertionFailedError|--- FAIL|test result: FAILED)\b|^--- FAIL|\u2715|\u2717|\u25cf "
    r"|\b[1-9]\d* (?:failed|failing|failures?)\b|\bassertion `?failed\b|^E {3}",
    re.MULTILINE,
)
_ERROR = "##[error]"
"""https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message"""


def tail_of(log: str) -> str:
    """The end of a job's log, down to its last error: what follows that only tidies up. Without
    time stamps."""
    text = _ESCAPE.sub("", _TIME.sub("", log.replace("\r", "")))
    lines = text.rstrip("\n").split("\n")
    last = max((at for at, line in enumerate(lines) if _ERROR in line), default=len(lines) - 1)
    return "\n".join(lines[max(0, last + 1 - MAX_LINES) : last + 1])[-MAX_CHARS:]


def outside_cause(failures: Sequence[str]) -> str:
    """What outside the repository the failures come from, by the last lines of each log, in a few
    words for people; "" unless that is plain for all of them. A test that failed is never it: its
    log may speak of connections, too."""
    causes = []
    for failure in failures:
        last = "\n".join(failure.split("\n")[-LAST_LINES:])
        found = next((cause for cause, pattern in _OUTSIDE if pattern.search(last)), "")
        if not found or _FAILED_TEST.search(failure):
            return ""
        causes.append(found)
    return causes[0] if causes else ""


def fingerprint(failures: tuple[str, ...]) -> str:
    """The same for the same error: numbers, times and addresses make no difference."""
    text = _CHANGING.sub("0", "\n".join(failures))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
