"""A patch as HTML: coloured, and a part for each file.

Only the colours of a diff are made, by a lexer that reads line by line: those of the files'
languages would have patterns that a hostile file can hold up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import DiffLexer

from bot.types.characters import escape_unseen
from bot.types.snapshot import Patch

MAX_FILE_CHARS = 60_000
MAX_CHARS = 400_000
"""Of one page; what is longer is in the text at `/jobs/<id>.diff`."""
_FILE = re.compile(r"^diff --git ", re.MULTILINE)
_FORMAT = HtmlFormatter(nowrap=True, classprefix="d-")


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
    """In the patch's order."""
    starts = [match.start() for match in _FILE.finditer(patch.text)]
    texts = [
        patch.text[start:end]
        for start, end in zip(starts, [*starts[1:], len(patch.text)], strict=True)
    ]
    views = []
    left = MAX_CHARS
    for number, text in enumerate(texts):
        shown = text[: min(MAX_FILE_CHARS, left)]
        left -= len(shown)
        html = colour(shown)
        cut = len(text) - len(shown)
        if len(texts) == len(patch.files):
            file = patch.files[number]
            views.append(FileView(file.path, file.status, file.added, file.removed, html, cut))
        else:
            name = text.partition("\n")[0].removeprefix("diff --git ")
            views.append(FileView(name, "", 0, 0, html, cut))
    return tuple(views)


def colour(diff: str) -> Markup:
    """The diff as HTML, with what a reader would not see escaped."""
    lexer = DiffLexer(stripnl=False, ensurenl=False)
    return Markup(highlight(escape_unseen(diff), lexer, _FORMAT))  # noqa: S704 - Pygments escapes it
