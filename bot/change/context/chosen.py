"""Weighs the pieces of a repository again, once the model has said from the map what it must see
before it writes the change."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from bot.change.context.pieces import Piece
from bot.change.context.ranking import RankedFile
from bot.change.context.source import Extent
from bot.types.reply import Request

CHOSEN = "the model asked for it"
"""The reason for a file that the model chose."""
_CHOSEN_CHANCE = 0.95
_WHOLE_TOKENS = 1_500
"""A chosen file or class of this size is shown whole."""
_LIFTED = 3.0
"""How much likelier the pieces of a larger one become: the task's words choose among them."""
_MIN_LIFTED_CHANCE = 0.12
"""Of each piece of a larger class."""
_NOT_CHOSEN = 0.1
"""How much less likely what the model knew of and did not choose becomes. Measured on 48 tasks: with
0.5, 900 tokens more for no line more."""


def find_chosen(files: Iterable[RankedFile], wanted: Sequence[Request]) -> list[RankedFile]:
    """Those of the files that the requests name, in the order of the requests."""
    by_path = {each.path: each for each in files}
    paths = dict.fromkeys(request.argument for request in wanted)
    return [replace(by_path[path], why=CHOSEN) for path in paths if path in by_path]


def put_first(chosen: Sequence[RankedFile], files: Sequence[RankedFile]) -> list[RankedFile]:
    paths = {each.path for each in chosen}
    return [*chosen, *(each for each in files if each.path not in paths)]


def prefer(
    pieces: Iterable[Piece], files: Sequence[RankedFile], wanted: Sequence[Request]
) -> list[Piece]:
    """The pieces with the chances that the requests give them, best value first."""
    names: dict[str, set[str]] = {}
    for request in wanted:
        names.setdefault(request.argument, set()).add(_own_name(request.name))
    by_file: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_file.setdefault(piece.file, []).append(piece)
    weighed = [
        each
        for number, of_file in by_file.items()
        for each in _weigh(of_file, names.get(files[number].path, set()))
    ]
    return sorted(weighed, key=lambda piece: (-piece.value, piece.file, piece.start))


def _own_name(name: str) -> str:
    """`parse` of `Parser.parse` and `Parser::parse`."""
    return re.split(r"[.:#]", name)[-1]


def _weigh(pieces: Sequence[Piece], names: Collection[str]) -> list[Piece]:
    """The pieces of one file, of which definitions of these names are wanted; "" is all of it."""
    if not names:
        return [replace(piece, chance=piece.chance * _NOT_CHOSEN) for piece in pieces]
    is_small = sum(piece.tokens for piece in pieces) <= _WHOLE_TOKENS
    sizes: dict[Extent, int] = {}
    for piece in pieces:
        for extent in _around(piece):
            sizes[extent] = sizes.get(extent, 0) + piece.tokens
    return [
        replace(piece, chance=_chance(piece, names, sizes, is_small=is_small)) for piece in pieces
    ]


def _chance(
    piece: Piece, names: Collection[str], sizes: dict[Extent, int], *, is_small: bool
) -> float:
    if is_small and "" in names:
        return _CHOSEN_CHANCE
    lifted = min(_CHOSEN_CHANCE, _LIFTED * piece.chance)
    for extent in _around(piece):
        if extent.definition.name not in names:
            continue
        if sizes[extent] <= _WHOLE_TOKENS or extent is piece.extent:
            return _CHOSEN_CHANCE
        return max(lifted, _MIN_LIFTED_CHANCE)
    return lifted if "" in names else piece.chance


def _around(piece: Piece) -> list[Extent]:
    """The definitions that the piece is in, innermost first."""
    found, extent = [], piece.extent
    while extent is not None:
        found.append(extent)
        extent = extent.parent
    return found
