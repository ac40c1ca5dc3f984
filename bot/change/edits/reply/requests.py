"""The lines by which a model asks to see more of the repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.change.context.paths import is_known_extension
from bot.change.edits.reply.file_names import strip_list_mark, strip_quotes
from bot.types.reply import Request

_MAX_REQUEST_CHARS = 1000
_SHOWN_CHARS = 80
_REQUEST = re.compile(
    r"(read|search|callers|list|log)(?:\s*:\s*|\s+|$)(.*)", re.IGNORECASE | re.DOTALL
)
_LINE_RANGE = re.compile(
    r"(?:[:#]|(?<!\s)\s)\s*+(?:lines?\s*+)?L?(\d{1,9})(?:\s*+(?:-|–|:|to|,)\s*+L?(\d{1,9}))?$",
    re.IGNORECASE,
)
_NAME = r"[\w$.:#?!]+(?:\(\))?"
_DEFINITIONS = re.compile(
    rf"(.*\S)\s+(?:def|class|function|func|fn)\s+({_NAME}(?:(?:\s*,\s*|\s+and\s+){_NAME})*)"
)
_IN_GLOB = re.compile(r"(.*\S)\s+in\s+(\S+)")
_QUOTED = re.compile(r"(?P<sign>[`\"'])(?P<inner>.*)(?P=sign)(?:\s+in\s+(?P<glob>\S+))?")


def read_requests(lines: Sequence[str]) -> list[Request]:
    """The requests, one a line: see `bot.change.prompts` for their form. A line that is none of
    them is an `unknown` one, so that each line is answered."""
    asked = (line.strip() for line in lines)
    return [
        request
        for line in asked
        if line and not line.startswith("#")
        for request in _read_line(line)
    ]


def _read_line(line: str) -> list[Request]:
    """One request, or one for each definition that is named."""
    request = _read_request(line)
    if not request.name:
        return [request]
    names = [word for word in re.split(r"[\s,]+", request.name) if word != "and"]
    return [replace(request, name=name.removesuffix("()")) for name in names]


def _read_request(line: str) -> Request:
    unknown = Request("unknown", line[:_SHOWN_CHARS])
    match = _REQUEST.fullmatch(strip_quotes(strip_list_mark(line)))
    if match is None or len(line) > _MAX_REQUEST_CHARS:
        return unknown
    kind, argument = match[1].lower(), match[2].strip()
    if kind == "search":
        return _read_search(argument)
    if kind == "list":
        path = strip_quotes(argument).removeprefix("./").rstrip("/")
        return Request("list", "" if path == "." else path)
    if kind == "callers":
        return Request("callers", strip_quotes(argument))
    return _read_file_request(kind == "log", argument) or unknown


def _read_search(argument: str) -> Request:
    quoted = _QUOTED.fullmatch(argument)
    if quoted and quoted["sign"] not in quoted["inner"]:
        return Request("search", quoted["inner"], glob=strip_quotes(quoted["glob"] or ""))
    limited = _IN_GLOB.fullmatch(argument)
    if limited:
        glob = strip_quotes(limited[2])
        if "*" in glob or "/" in glob or is_known_extension(glob):
            return Request("search", strip_quotes(limited[1]), glob=glob)
    return Request("search", strip_quotes(argument))


def _read_file_request(is_log: bool, argument: str) -> Request | None:
    start = end = None
    name = ""
    bounds = _LINE_RANGE.search(argument)
    definition = None if is_log else _DEFINITIONS.fullmatch(argument)
    if definition:
        argument, name = definition[1], definition[2]
    elif bounds:
        argument = argument[: bounds.start()]
        start = int(bounds[1])
        end = int(bounds[2]) if bounds[2] else start
        start, end = max(1, min(start, end)), max(start, end, 1)
    path = strip_quotes(argument.strip()).removeprefix("./")
    if not path:
        return None
    return Request("log" if is_log else "read", path, start, end, name=name)
