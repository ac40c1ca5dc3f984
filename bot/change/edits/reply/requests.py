"""The lines by which a model asks to see more of the repository."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.change.edits.reply.file_names import strip_list_mark, strip_quotes
from bot.types.reply import Request

_MAX_REQUEST_CHARS = 1000
_REQUEST = re.compile(r"(read|search|list)(?:\s*:\s*|\s+|$)(.*)", re.IGNORECASE | re.DOTALL)
_LINE_RANGE = re.compile(
    r"(?:[:#]|(?<!\s)\s)\s*+(?:lines?\s*+)?L?(\d{1,9})(?:\s*+(?:-|–|:|to|,)\s*+L?(\d{1,9}))?$",
    re.IGNORECASE,
)


def read_requests(lines: Sequence[str]) -> tuple[list[Request], list[str]]:
    """The requests `read PATH[:START-END]`, `search REGEX` and `list [DIR]`, one a line, and a
    sentence for each line that is none."""
    requests, problems = [], []
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        request = _read_request(text) if len(text) <= _MAX_REQUEST_CHARS else None
        if request:
            requests.append(request)
        else:
            problems.append(
                f"The request line {text[:80]!r} is not understood. "
                "Write `read PATH:START-END`, `search REGEX` or `list DIR`."
            )
    return requests, problems


def _read_request(text: str) -> Request | None:
    match = _REQUEST.fullmatch(strip_quotes(strip_list_mark(text)))
    if match is None:
        return None
    kind, argument = match[1].lower(), match[2].strip()
    if kind == "search":
        return Request("search", strip_quotes(argument)) if argument else None
    if kind == "list":
        path = strip_quotes(argument).removeprefix("./").rstrip("/")
        return Request("list", "" if path == "." else path)
    return _read_file_request(argument)


def _read_file_request(argument: str) -> Request | None:
    start = end = None
    bounds = _LINE_RANGE.search(argument)
    if bounds:
        argument = argument[: bounds.start()]
        start = int(bounds[1])
        end = int(bounds[2]) if bounds[2] else start
        start, end = max(1, min(start, end)), max(start, end, 1)
    path = strip_quotes(argument.strip()).removeprefix("./")
    return Request("read", path, start, end) if path else None
