"""Strings that look like secrets, by the shapes that their makers give them."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY-----")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a Slack token", re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,250}")),
    ("a Google API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("a Stripe key", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,250}\b")),
    ("an API key", re.compile(r"\bsk-(?:[a-z]{2,10}-)?[A-Za-z0-9_-]{32,250}\b")),
    (
        "a signed web token",
        re.compile(r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}\b"),
    ),
    ("a package registry token", re.compile(r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,250})\b")),
)
_ASSIGNED = re.compile(
    r"(?i:secret|token|passw(?:or)?d|api_?key|private_?key)[A-Za-z0-9_]{0,20}[\"']?\s{0,4}[:=]\s{0,4}[\"']([A-Za-z0-9+/=_.-]{24,200})[\"']"
)
_MOST_CHARS = 4000
"""Of a line that is looked at: longer ones are generated."""


def secrets_in(line: str) -> Iterator[tuple[str, str]]:
    """Each secret-looking string of the line, with what it looks like."""
    line = line[:_MOST_CHARS]
    for kind, shape in _SHAPES:
        yield from ((kind, match[0]) for match in shape.finditer(line))
    for match in _ASSIGNED.finditer(line):
        if _is_random(match[1]):
            yield "a password or key", match[1]


def _is_random(text: str) -> bool:
    """Whether letters and digits are as mixed as in a generated string; words and paths are not."""
    digits = sum(map(str.isdigit, text))
    return digits >= 4 and any(map(str.isalpha, text)) and len(set(text)) >= 12
