"""The wishes in a fence named `request`: `read PATH[:START-END]`, `search REGEX`, `list DIR`, one a line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.core.reply import Request

_LIST_MARK = re.compile(r"(?:[-*+>]|\d{1,3}[.)])\s+")
_LINE = re.compile(r"(read|search|list)(?:\s*:\s*|\s+|$)(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(
    r"(?:[:#]|(?<!\s)\s)\s*+(?:lines?\s*+)?L?(\d{1,9})(?:\s*+(?:-|–|:|to|,)\s*+L?(\d{1,9}))?$", re.IGNORECASE
)
_MAX_CHARS = 1000


def read_requests(lines: Sequence[str]) -> tuple[list[Request], list[str]]:
    """The wishes, and a sentence for each line that is none. Without DIR, `list` is about the root."""
    requests, problems = [], []
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        wish = _read(text) if len(text) <= _MAX_CHARS else None
        if wish:
            requests.append(wish)
        else:
            problems.append(
                f"The request line {text[:80]!r} is not understood. "
                "Write `read PATH:START-END`, `search REGEX` or `list DIR`."
            )
    return requests, problems


def _read(text: str) -> Request | None:
    mark = _LIST_MARK.match(text)
    match = _LINE.fullmatch(_unquoted(text[mark.end() :] if mark else text))
    if match is None:
        return None
    kind, argument = match[1].lower(), match[2].strip()
    if kind == "search":
        return Request("search", _unquoted(argument)) if argument else None
    if kind == "list":
        path = _unquoted(argument).removeprefix("./").rstrip("/")
        return Request("list", "" if path == "." else path)
    return _read_file(argument)


def _read_file(argument: str) -> Request | None:
    start = end = None
    bounds = _RANGE.search(argument)
    if bounds:
        argument = argument[: bounds.start()]
        start = int(bounds[1])
        end = int(bounds[2]) if bounds[2] else start
        start, end = max(1, min(start, end)), max(start, end, 1)
    path = _unquoted(argument.strip()).removeprefix("./")
    return Request("read", path, start, end) if path else None


def _unquoted(text: str) -> str:
    for quote in ("`", '"', "'"):
        if len(text) > 2 and text.startswith(quote) and text.endswith(quote):
            return text[1:-1]
    return text
