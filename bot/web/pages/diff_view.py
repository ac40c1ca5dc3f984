"""A patch as HTML: coloured line by line, and a part for each file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup, escape

from bot.types.characters import escape_unseen
from bot.types.snapshot import Patch

MAX_FILES = 300
MAX_FILE_CHARS = 60_000
MAX_CHARS = 400_000
"""Of one page; what is longer is in the text at `/jobs/<id>.diff`."""
_FILE = re.compile(r"^diff --git ", re.MULTILINE)
_LINE = re.compile(r".*\n|.+")
"""A line as git counts them: LF alone ends one."""
_CLASSES = {"+": "d-gi", "-": "d-gd", "@": "d-gu"}
"""Of a line, by its first character: inserted, deleted, the heading of a hunk."""


@dataclass(frozen=True, slots=True)
class FileView:
    """`status` is "" if the patch does not tell. `cut` is how many characters are not shown."""

    path: str
    status: str
    added: int
    removed: int
    html: Markup
    cut: int


def file_views(patch: Patch) -> tuple[FileView, ...]:
    """In the patch's order, MAX_FILES at most."""
    starts = [match.start() for match in _FILE.finditer(patch.text)]
    ends = [*starts[1:], len(patch.text)]
    is_told = len(starts) == len(patch.files)
    views = []
    left = MAX_CHARS
    for number, (start, end) in enumerate(zip(starts[:MAX_FILES], ends, strict=False)):
        text = patch.text[start:end]
        shown = text[: min(MAX_FILE_CHARS, left)]
        left -= len(shown)
        html, cut = colour(shown), len(text) - len(shown)
        if is_told:
            file = patch.files[number]
            views.append(FileView(file.path, file.status, file.added, file.removed, html, cut))
        else:
            name = text.partition("\n")[0].removeprefix("diff --git ")
            views.append(FileView(name, "", 0, 0, html, cut))
    return tuple(views)


def colour(diff: str) -> Markup:
    """A file's part of a diff as HTML, with what a reader would not see escaped: a span for its
    head, and for each run of lines of a kind."""
    head, mark, hunks = diff.partition("\n@@")
    parts = [_span("d-gh", head + mark[:1])]
    for kind, lines in groupby(_LINE.findall(mark[1:] + hunks), _class_of):
        parts.append(_span(kind, "".join(lines)))
    return Markup("").join(parts)


def _span(kind: str, text: str) -> Markup:
    shown = escape(escape_unseen(text))
    return Markup('<span class="{}">{}</span>').format(kind, shown) if kind else shown


def _class_of(line: str) -> str:
    return _CLASSES.get(line[:1], "")
