"""The kinds of dirt that models leave on their edits, each by itself."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import SequenceMatcher

from tests.benchmarks.edits_replies import Dirt, FileChange, Form, OnPieces, Piece, Style, lines_of

_SMART = str.maketrans({"'": "’"})
_TYPOGRAPHIC = re.compile("[‘’“”\u00a0–—…]")
_TELLING_SIGNS = 20
"""Letters and digits that are left on each side of what is left out."""
_LABELS: tuple[Form, ...] = ("blocks", "whole")
_MATCHED: tuple[Form, ...] = ("blocks", "envelope", "diff")


def _on_lines(change_line: Callable[[str], str]) -> OnPieces:
    def on_pieces(pieces: list[Piece], rng: random.Random) -> list[Piece]:
        return [
            replace(
                piece,
                search=tuple(map(change_line, piece.search)),
                replace=tuple(map(change_line, piece.replace)),
            )
            for piece in pieces
        ]

    return on_pieces


def _on_each(change_piece: Callable[[Piece, random.Random], Iterable[Piece]]) -> OnPieces:
    return lambda pieces, rng: [new for piece in pieces for new in change_piece(piece, rng)]


def gone_and_added(change: FileChange) -> tuple[list[str], list[str]]:
    old, new = lines_of(change.old or ""), lines_of(change.new or "")
    gone, came = [], []
    for tag, i, i2, j, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            gone += old[i:i2]
            came += new[j:j2]
    return gone, came


def added(change: FileChange) -> list[str]:
    return gone_and_added(change)[1]


def _differs_by_more_than(change: FileChange, fold: Callable[[str], str]) -> bool:
    """Whether no line is changed only in what `fold` takes away."""
    gone, came = gone_and_added(change)
    return not set(map(fold, gone)).intersection(map(fold, came))


def _no_trailing_spaces(change: FileChange) -> bool:
    sides = gone_and_added(change)
    is_white = any(line and not line.strip() for line in lines_of(change.old or ""))
    blank = any(not line.strip() and (line or is_white) for side in sides for line in side)
    return (
        not blank
        and all(map(_is_trimmed, added(change)))
        and _differs_by_more_than(change, str.rstrip)
    )


def _is_trimmed(line: str) -> bool:
    return line == line.rstrip()


def _no_indent_change(change: FileChange) -> bool:
    return _differs_by_more_than(change, str.strip) and not any(
        not line.strip() and line for line in added(change)
    )


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _indented_by(signs: str, unit: int) -> Callable[[FileChange], bool]:
    def fits(change: FileChange) -> bool:
        lines = [
            line
            for line in lines_of(change.old or "") + lines_of(change.new or "")
            if _indent(line)
        ]
        whole = all(
            set(_indent(line)) == {signs} and len(_indent(line)) % unit == 0 for line in lines
        )
        return (
            any(_indent(line) for line in lines_of(change.old or "") if line.strip())
            and whole
            and _no_indent_change(change)
        )

    return fits


def _no_cr(change: FileChange) -> bool:
    return "\r" not in f"{change.old}{change.new}"


def _no_typography(change: FileChange) -> bool:
    return not _TYPOGRAPHIC.search((change.old or "") + (change.new or "")) and bool(change.old)


def _dedent(piece: Piece, rng: random.Random) -> Iterable[Piece]:
    indents = [_indent(line) for line in (*piece.search, *piece.replace) if line.strip()]
    common = next(
        (n for n, signs in enumerate(zip(*indents, strict=False)) if len(set(signs)) > 1),
        min(map(len, indents), default=0),
    )
    if piece.kind != "change" or not common:
        return [piece]
    return [replace(piece, search=_cut(piece.search, common), replace=_cut(piece.replace, common))]


def _cut(lines: Iterable[str], count: int) -> tuple[str, ...]:
    return tuple(line[count:] if line.strip() else line for line in lines)


def _gain(piece: Piece, rng: random.Random) -> Iterable[Piece]:
    if piece.kind != "change":
        return [piece]
    search, new = (
        [f"    {line}" if line.strip() else line for line in side]
        for side in (piece.search, piece.replace)
    )
    return [replace(piece, search=tuple(search), replace=tuple(new))]


def _blank_ends(piece: Piece, rng: random.Random) -> Iterable[Piece]:
    if piece.kind != "change" or not piece.replace:
        return [piece]
    top, bottom = rng.choice([(1, 0), (0, 1), (1, 1), (2, 1)])
    search, new = (("",) * top + side + ("",) * bottom for side in (piece.search, piece.replace))
    return [replace(piece, search=search, replace=new)]


def _elide(*, both: bool) -> Callable[[Piece, random.Random], Iterable[Piece]]:
    def change_piece(piece: Piece, rng: random.Random) -> Iterable[Piece]:
        for start in range(1, len(piece.search) - 4):
            run = piece.search[start : start + 4]
            at = _find(piece.replace, run)
            if (
                at is None
                or min(_signs(piece.search[:start]), _signs(piece.search[start + 4 :]))
                < _TELLING_SIGNS
            ):
                continue
            search = (*piece.search[:start], "...", *piece.search[start + 4 :])
            new = (*piece.replace[:at], "...", *piece.replace[at + 4 :]) if both else piece.replace
            return [replace(piece, search=search, replace=new)]
        return [piece]

    return change_piece


def _signs(lines: Iterable[str]) -> int:
    return sum(map(str.isalnum, "".join(lines)))


def _find(lines: tuple[str, ...], run: tuple[str, ...]) -> int | None:
    return next(
        (at for at in range(1, len(lines) - len(run)) if lines[at : at + len(run)] == run), None
    )


def _number(piece: Piece, rng: random.Random) -> Iterable[Piece]:
    if piece.kind != "change":
        return [piece]
    search, new = (
        tuple(f"{piece.line + number:>4} | {line}" for number, line in enumerate(side))
        for side in (piece.search, piece.replace)
    )
    return [replace(piece, search=search, replace=new)]


def _shift(piece: Piece, rng: random.Random) -> Iterable[Piece]:
    return [
        replace(piece, line=max(1, piece.line + rng.choice([-40, -7, -2, -1, 1, 2, 3, 12, 55])))
    ]


def _repeat(piece: Piece, rng: random.Random) -> Iterable[Piece]:
    return [piece, piece] if piece.kind == "change" and len(piece.replace) else [piece]


def smart(line: str) -> str:
    line = re.sub(r'"([^"]*)"', r"“\1”", line)
    return line.translate(_SMART)


def _label(name: str, label: str) -> Dirt:
    return Dirt(f"path as {name}", _LABELS, Style(label=label))


_SETTINGS = (
    *(
        _label(label.format("x"), label)
        for label in (
            "**{}**",
            "`{}`",
            "**`{}`**",
            "### {}",
            "#### `{}`",
            "File: {}",
            "**File:** `{}`",
            "./{}",
            "a/{}",
            "{}:",
            "- `{}`:",
            "1. **{}**",
            "Filename: {}",
            "`{}` (modified):",
            "In `{}`:",
        )
    ),
    Dirt("path in a # comment inside the fence", ("blocks",), Style(inside="# {}")),
    Dirt("path in a // comment inside the fence", ("blocks",), Style(inside="// {}")),
    Dirt("path plain inside the fence", ("blocks",), Style(inside="{}")),
    Dirt("path in the info string", _LABELS, Style(info="{lang} {path}")),
    Dirt("path and language as lang:path", _LABELS, Style(info="text:{path}")),
    Dirt(
        "a sentence that names the path",
        ("blocks",),
        Style(label="Now change `{}` so that it works:"),
    ),
    Dirt(
        "path after SEARCH",
        ("blocks",),
        Style(label="", markers=("<<<<<<< SEARCH {}", "=======", ">>>>>>> REPLACE")),
    ),
    Dirt("blank line below the path", _LABELS, Style(label="{}\n")),
    Dirt("path prefixes missing", ("diff",), Style(prefix="none")),
    Dirt("no fence", ("blocks", "envelope", "diff"), Style(fence=None)),
    Dirt("fence of five", style=Style(fence="`````")),
    Dirt("fence of tildes", style=Style(fence="~~~")),
    Dirt("no language", style=Style(info="")),
    Dirt(
        "markers of nine",
        ("blocks",),
        Style(markers=("<<<<<<<<< SEARCH", "=========", ">>>>>>>>> REPLACE")),
    ),
    Dirt(
        "markers in lower case",
        ("blocks",),
        Style(markers=("<<<<<<< search", "=======", ">>>>>>> replace")),
    ),
    Dirt("prose between", style=Style(prose="Next, as you asked, here is what I'd change:\n\n")),
)

_TEXTS = (
    Dirt(
        "CRLF reply",
        text=lambda text: text.replace("\n", "\r\n"),
        fits=lambda change: _no_cr(change),  # noqa: PLW0108 - it is defined below
    ),
    Dirt("reply without final newline", text=lambda text: text.rstrip("\n")),
    Dirt(
        "prose around",
        text=lambda text: (
            f"Sure! Here's the change you need.\n\n{text}\nLet me know if `x.py` breaks.\n"
        ),
    ),
)

_PIECES = (
    Dirt("trailing spaces lost", _MATCHED, pieces=_on_lines(str.rstrip), fits=_no_trailing_spaces),
    Dirt("indentation lost", _MATCHED, pieces=_on_each(_dedent), fits=_no_indent_change),
    Dirt("indentation gained", _MATCHED, pieces=_on_each(_gain), fits=_no_indent_change),
    Dirt(
        "spaces for tabs",
        _MATCHED,
        pieces=_on_lines(lambda line: _indent(line).replace("\t", "    ") + line.lstrip()),
        fits=_indented_by("\t", 1),
    ),
    Dirt(
        "tabs for spaces",
        _MATCHED,
        pieces=_on_lines(lambda line: _indent(line).replace("    ", "\t") + line.lstrip()),
        fits=_indented_by(" ", 4),
    ),
    Dirt("blank lines at the ends", ("blocks",), pieces=_on_each(_blank_ends)),
    Dirt("line numbers copied", ("blocks",), pieces=_on_each(_number)),
    Dirt("every edit twice", _MATCHED, pieces=_on_each(_repeat)),
    Dirt("wrong hunk numbers", ("diff",), pieces=_on_each(_shift)),
    Dirt("hunks without numbers", ("diff",), Style(header="@@ @@")),
    Dirt("hunks with dots for numbers", ("diff",), Style(header="@@ ... @@")),
    Dirt("wrong hunk counts", ("diff",), Style(header="@@ -{a},7 +{c},9 @@")),
)


def _all_of(*steps: OnPieces) -> OnPieces:
    def on_pieces(pieces: list[Piece], rng: random.Random) -> list[Piece]:
        for step in steps:
            pieces = step(pieces, rng)
        return pieces

    return on_pieces


_MIXTURES = (
    Dirt(
        "mixture: heading, tildes, CRLF, lost spaces",
        ("blocks",),
        Style(label="#### `{}`:", fence="~~~~", prose="Here:\n\n"),
        _all_of(_on_lines(str.rstrip), _on_each(_dedent), _on_each(_blank_ends)),
        text=lambda text: text.replace("\n", "\r\n"),
        fits=lambda change: (
            _no_trailing_spaces(change) and _no_indent_change(change) and _no_cr(change)
        ),
    ),
    Dirt(
        "mixture: no numbers, no prefixes, lost spaces",
        ("diff",),
        Style(header="@@ @@", prefix="none"),
        _on_lines(str.rstrip),
        fits=_no_trailing_spaces,
    ),
)

CLEAN = Dirt("clean")
DIRTS: tuple[Dirt, ...] = (*_SETTINGS, *_TEXTS, *_PIECES, *_MIXTURES)
