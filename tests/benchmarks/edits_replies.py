"""Replies as models write them, made from real changes: four forms, clean or with one kind of dirt.

A change is a file before and after; a piece is one stretch of it, as (search, replace) lines that
stand at one place only while the pieces before it are applied. A dirt changes the pieces, the way
they are set, or the finished text; it is used on those changes alone that it does not make
unreadable even for a person.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Form = Literal["blocks", "envelope", "diff", "whole"]
FORMS: tuple[Form, ...] = ("blocks", "envelope", "diff", "whole")


@dataclass(frozen=True)
class FileChange:
    """A file before and after, None where there is none. `diff` is git's own text for it."""

    path: str
    old: str | None
    new: str | None
    diff: str = ""


@dataclass(frozen=True)
class Piece:
    """`line` is the 1-based line of `search` in the file as it is then; `before` how many lines
    earlier ones added."""

    path: str
    search: tuple[str, ...]
    replace: tuple[str, ...]
    line: int = 1
    before: int = 0
    kind: Literal["change", "new", "delete"] = "change"
    anchor: str = ""


@dataclass(frozen=True)
class Style:
    """How a reply is set."""

    label: str = "{}"
    fence: str | None = "```"
    info: str = "{lang}"
    inside: str | None = None
    prose: str = ""
    prefix: str = ""
    markers: tuple[str, str, str] = ("<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE")
    header: str = "@@ -{a},{b} +{c},{d} @@"

    @property
    def is_gits(self) -> bool:
        return (self.header, self.prefix) == ("@@ -{a},{b} +{c},{d} @@", "")


def lines_of(text: str) -> list[str]:
    """Without line ends; a file that uses CRLF throughout is shown to models, and by them, with
    LF."""
    if text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def pieces_of(change: FileChange) -> Iterator[Piece]:
    if change.new is None:
        yield Piece(change.path, tuple(lines_of(change.old or "")), (), kind="delete")
    elif not change.old:
        yield Piece(change.path, (), tuple(lines_of(change.new)), kind="new")
    else:
        yield from _pieces(change.path, lines_of(change.old), lines_of(change.new))


def _pieces(path: str, old: list[str], new: list[str]) -> Iterator[Piece]:
    for context in (3, 6, 12, 25, 60, 10**6):
        found = list(_with_context(path, old, new, context))
        if all(piece is not None for piece in found):
            break
    yield from (piece for piece in found if piece is not None)


def _with_context(
    path: str, old: list[str], new: list[str], context: int
) -> Iterator[Piece | None]:
    current, shift = list(old), 0
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(context):
        i, i2, j, j2 = group[0][1], group[-1][2], group[0][3], group[-1][4]
        search, replacement = tuple(old[i:i2]), tuple(new[j:j2])
        at = i + shift
        yield (
            Piece(path, search, replacement, at + 1, shift)
            if _count(current, search) == 1
            else None
        )
        current[at : at + len(search)] = replacement
        shift += len(replacement) - len(search)


def _count(lines: list[str], part: Sequence[str]) -> int:
    if not any(line.strip() for line in part):
        return 0
    return ("\n" + "\n".join(lines) + "\n").count("\n" + "\n".join(part) + "\n")


def render(form: Form, pieces: Sequence[Piece], style: Style, changes: Sequence[FileChange]) -> str:
    if form == "whole":
        return _render_whole(changes, style)
    if form == "envelope":
        return _fenced(
            style,
            "",
            "*** Begin Patch\n"
            + "".join(_section(piece, style) for piece in pieces)
            + "*** End Patch\n",
        )
    if form == "diff":
        return _fenced(
            style, "diff", "".join(_diff(pieces, number, style) for number in range(len(pieces)))
        )
    return "".join(_block(piece, style) for piece in pieces)


def _block(piece: Piece, style: Style) -> str:
    if piece.kind == "delete":
        return _fenced(
            style, "", f"*** Begin Patch\n*** Delete File: {piece.path}\n*** End Patch\n"
        )
    opening, divider, closing = style.markers
    text = (
        "\n".join((opening.format(piece.path), *piece.search, divider, *piece.replace, closing))
        + "\n"
    )
    return _labelled(style, piece.path, text)


def _render_whole(changes: Sequence[FileChange], style: Style) -> str:
    text = ""
    for change in changes:
        if change.new is None:
            text += _fenced(
                style, "", f"*** Begin Patch\n*** Delete File: {change.path}\n*** End Patch\n"
            )
        else:
            content = (
                change.new if change.new.endswith("\n") or not change.new else change.new + "\n"
            )
            if content.count("\r\n") == content.count("\n"):
                content = content.replace("\r\n", "\n")
            text += _labelled(style, change.path, content)
    return text


def _labelled(style: Style, path: str, text: str) -> str:
    if style.inside is not None:
        return style.prose + _fenced(style, path, style.inside.format(path) + "\n" + text)
    label = "" if "{path}" in style.info and style.fence else style.label.format(path) + "\n"
    return style.prose + label + _fenced(style, path, text)


def _fenced(style: Style, path: str, text: str) -> str:
    if style.fence is None:
        return text + "\n"
    runs = [len(run) for run in re.findall(re.escape(style.fence[0]) + "+", text)]
    fence = style.fence[0] * max(len(style.fence), *(run + 1 for run in runs), 3)
    lang = (
        path
        if path in ("", "diff")
        else {"py": "python", "js": "javascript"}.get(path.rsplit(".", 1)[-1], "")
    )
    info = style.info.format(lang=lang, path=path)
    return f"{fence}{info}\n{text}{fence}\n\n"


def _section(piece: Piece, style: Style) -> str:
    path = style.label.format(piece.path)
    if piece.kind == "delete":
        return f"*** Delete File: {path}\n"
    if piece.kind == "new":
        return f"*** Add File: {path}\n" + "".join(f"+{line}\n" for line in piece.replace)
    anchor = f"@@ {piece.anchor}\n" if piece.anchor else "@@\n"
    return f"*** Update File: {path}\n{anchor}" + "".join(f"{line}\n" for line in signed(piece))


def _diff(pieces: Sequence[Piece], number: int, style: Style) -> str:
    piece = pieces[number]
    first = number == 0 or pieces[number - 1].path != piece.path
    a, b = (f"{side}/{piece.path}" if style.prefix == "" else piece.path for side in "ab")
    old = "/dev/null" if piece.kind == "new" else a
    new = "/dev/null" if piece.kind == "delete" else b
    header = style.header.format(
        a=piece.line - piece.before if piece.search else 0,
        b=len(piece.search),
        c=piece.line if piece.replace else 0,
        d=len(piece.replace),
    )
    lines = "".join(f"{line}\n" for line in signed(piece))
    return (f"--- {old}\n+++ {new}\n" if first else "") + (f"{header}\n{lines}" if lines else "")


def signed(piece: Piece) -> Iterator[str]:
    """The piece's lines as a hunk has them."""
    opcodes = SequenceMatcher(None, piece.search, piece.replace, autojunk=False).get_opcodes()
    for tag, i, i2, j, j2 in opcodes:
        if tag == "equal":
            yield from (f" {line}" for line in piece.search[i:i2])
        else:
            yield from (f"-{line}" for line in piece.search[i:i2])
            yield from (f"+{line}" for line in piece.replace[j:j2])


OnPieces = Callable[[list[Piece], random.Random], list[Piece]]


@dataclass(frozen=True)
class Dirt:
    """`fits` says whether what the commit did can still be read from a reply with this dirt."""

    name: str
    forms: tuple[Form, ...] = FORMS
    style: Style = Style()
    pieces: OnPieces | None = None
    text: Callable[[str], str] | None = None
    fits: Callable[[FileChange], bool] = lambda change: True


def reply(form: Form, dirt: Dirt, changes: Sequence[FileChange], rng: random.Random) -> str | None:
    """The reply; None where the form or the dirt cannot say this change."""
    by_git = (
        form == "diff"
        and dirt.pieces is None
        and dirt.style.is_gits
        and all(change.diff for change in changes)
    )
    if not all((by_git or expressible(change)) and dirt.fits(change) for change in changes):
        return None
    clean = [piece for change in changes for piece in pieces_of(change)]
    pieces = dirt.pieces(clean, rng) if dirt.pieces else clean
    if dirt.pieces and (pieces == clean or not _still_tell(clean, pieces)):
        return None
    text = render(form, pieces, dirt.style, changes) if not by_git else _by_git(changes, dirt.style)
    return dirt.text(text) if dirt.text else text


def _by_git(changes: Sequence[FileChange], style: Style) -> str:
    return _fenced(style, "diff", "".join(change.diff for change in changes))


def expressible(change: FileChange) -> bool:
    """Only git's diffs speak of a missing final newline, and of line ends that change."""
    old, new = change.old, change.new
    if new and not old:
        return new.endswith("\n") and "\r" not in new
    if not old or not new:
        return True
    return (
        old.endswith("\n") == new.endswith("\n")
        and _ends(old) == _ends(new)
        and len(_ends(old)) == 1
    )


def _ends(text: str) -> set[str]:
    return set(re.findall(r"\r*\n", text)) or {"\n"}


def _still_tell(clean: Sequence[Piece], dirty: Sequence[Piece]) -> bool:
    """Whether no line that the commit changed looks unchanged now: what the dirt wiped out nobody
    can read."""
    if len(clean) != len(dirty) or any(
        len(a.search) != len(b.search) for a, b in zip(clean, dirty, strict=True)
    ):
        return True
    for was, piece in zip(clean, dirty, strict=True):
        for i, j, size in SequenceMatcher(
            None, piece.search, piece.replace, autojunk=False
        ).get_matching_blocks():
            if was.search[i : i + size] != was.replace[j : j + size]:
                return False
    return True
