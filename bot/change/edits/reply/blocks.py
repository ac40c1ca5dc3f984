"""Search/replace blocks.

Files may hold conflict markers, headings underlined with `=======`, and blocks themselves: a block
ends at the first closing marker that is at least as long as its opening one, and must end before
another opening marker that is so. Where several lines could divide a block, the first is taken here,
and `other_splits` gives the other readings, for the file to decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.types.reply import Edit
from bot.types.text import split_keeping_ends

_OPENING = re.compile(
    r"\s{0,12}(<{5,12}|-{5,12}(?=\s*(?-i:SEARCH)>?\s*$))\s*"
    r"(?:SEARCH|ORIGINAL)\b>?[\s:(]*+([^<>]{0,400}?)\)?\s*",
    re.IGNORECASE,
)
_CLOSING = re.compile(r"\s{0,12}(>{5,12}|\+{5,12})\s*(?:REPLACE|UPDATED?)\b.{0,400}", re.IGNORECASE)
_DIVIDER = re.compile(r"\s{0,12}(={5,12})\s*")
_MAX_MARKER_CHARS = 500
_MAX_SPLITS = 8


@dataclass(frozen=True, slots=True)
class Block:
    """The lines before `end` are one search/replace block. `label` is the text after SEARCH on its
    first line; `divider` is as in `Edit`. `fault` says why it cannot be read, as the end of a
    sentence; reading then continues at `end`."""

    end: int
    label: str = ""
    search: str = ""
    replace: str = ""
    divider: str = ""
    fault: str = ""


def opens_block(line: str) -> bool:
    return _length(_OPENING, line) > 0


def read_block(lines: Sequence[str], start: int) -> Block:
    """The block that the marker at line `start` opens."""
    opening = _OPENING.fullmatch(lines[start])
    if opening is None:
        raise ValueError(f"line {start} opens no block")
    length = len(opening[1])
    dividers: list[int] = []
    number = start + 1
    while number < len(lines) and _length(_OPENING, lines[number]) < length:
        if _length(_DIVIDER, lines[number]):
            dividers.append(number)
        if _length(_CLOSING, lines[number]) >= length:
            return _divide(lines, start, dividers, number, label=opening[2], length=length)
        number += 1
    return Block(start + 1, fault="has no `>>>>>>> REPLACE` line before the next one or the end")


def _divide(
    lines: Sequence[str], start: int, dividers: list[int], end: int, *, label: str, length: int
) -> Block:
    own = [number for number in dividers if _length(_DIVIDER, lines[number]) == length]
    indent = _indent(lines[start])
    own = [number for number in own if _indent(lines[number]) == indent] or own
    if not own and len(dividers) != 1:
        return Block(end + 1, label, fault="has no `=======` line between its two sides")
    middle, *others = own or dividers
    return Block(
        end + 1,
        label,
        _join(lines[start + 1 : middle]),
        _join(lines[middle + 1 : end]),
        f"{lines[middle]}\n" if any(lines[other] == lines[middle] for other in others) else "",
    )


def other_splits(edit: Edit) -> Iterator[Edit]:
    """The same block divided at each later line that may divide it, shortest search first; at most
    eight."""
    if not edit.divider:
        return
    lines = split_keeping_ends(edit.replace)
    dividers = [number for number, line in enumerate(lines) if line == edit.divider]
    for number in dividers[:_MAX_SPLITS]:
        search = edit.search + edit.divider + "".join(lines[:number])
        yield replace(edit, search=search, replace="".join(lines[number + 1 :]))


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _length(marker: re.Pattern[str], line: str) -> int:
    """The number of signs of the marker; 0 if the line is none."""
    found = marker.fullmatch(line) if len(line) <= _MAX_MARKER_CHARS else None
    return len(found[1]) if found else 0


def _join(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)
