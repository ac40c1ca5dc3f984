"""Links to lines of code in a thread: what GitHub shows as a snippet under them, the model is shown as well."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from bot.core.text import read_text

MAX_LINKS = 5
MAX_LINES = 80
MAX_CHARS = 4_000

_LINK = re.compile(
    r"(?P<server>https?://[^\s/]{1,200})/(?P<repo>[\w.-]{1,100}/[\w.-]{1,100})/blob/(?P<sha>[0-9a-f]{40})/"
    r"(?P<path>[^\s#?)\]>]{1,1000})(?:\?[^\s#]{0,100})?#L(?P<first>\d{1,7})(?:C\d+)?(?:-L(?P<last>\d{1,7}))?"
)
"""https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/creating-a-permanent-link-to-a-code-snippet"""


@dataclass(frozen=True, slots=True)
class Permalink:
    """1-based, inclusive lines of a file at a commit."""

    sha: str
    path: str
    first: int
    last: int


def find_permalinks(texts: Iterable[str], server_url: str, repo: str) -> tuple[Permalink, ...]:
    """The first few different links to lines of this repository."""
    found: dict[Permalink, None] = {}
    for link in (link for text in texts for link in _LINK.finditer(text)):
        if link["server"] == server_url and link["repo"].lower() == repo.lower():
            first = max(1, int(link["first"]))
            last = min(max(first, int(link["last"] or first)), first + MAX_LINES - 1)
            found[Permalink(link["sha"], unquote(link["path"]), first, last)] = None
    return tuple(found)[:MAX_LINKS]


def render_lines(link: Permalink, content: bytes) -> str:
    """The lines under a heading; "" where the file is no text or has no such lines."""
    lines = (read_text(content) or "").splitlines()[link.first - 1 : link.last]
    shown = "\n".join(lines)[:MAX_CHARS]
    return f"{link.path}, from line {link.first}, at {link.sha[:12]}:\n{shown}" if shown.strip() else ""
