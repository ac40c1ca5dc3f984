"""What the model chose from the map, before it writes the change: its requests, and how they make
the pieces of the repository likelier or less likely to be shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.change.context.pieces import Piece
from bot.change.context.ranking import RankedFile
from bot.change.context.source import Extent
from bot.types.reply import Request

CHOSEN = "the model asked for it"
"""The reason for a file that the model chose."""
_CHOSEN_CHANCE = 0.95
_MAX_DEFINITION_TOKENS = 2_500
_MAX_FILE_TOKENS = 1_500
"""Of a larger definition or file, the pieces that fit the task best are shown."""
_MAX_NAMESAKES = 8
"""Definitions of one name in a file that are shown."""
_NOT_CHOSEN = 0.1
"""How much less likely what the model knew of and did not choose becomes. Measured on 48 tasks: with
0.5, 900 tokens more for no line more."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the model asked for: ranked files, in the order of the requests for them, and whatever
    else, which is answered as it is."""

    files: Sequence[RankedFile]
    requests: Sequence[Request]
    others: Sequence[Request]

    @property
    def is_empty(self) -> bool:
        return not (self.files or self.others)


def sort_requests(files: Iterable[RankedFile], wanted: Sequence[Request]) -> Choice:
    """Lines of which none is a request ask for nothing. Of `read PATH` and further words, these may
    be the name of a definition."""
    if all(request.kind == "unknown" for request in wanted):
        return Choice((), (), ())
    by_path = {each.path: each for each in files}
    chosen: dict[str, RankedFile] = {}
    known: list[Request] = []
    others: list[Request] = []
    for request in (_split_name(each, by_path) for each in wanted):
        if request.kind == "read" and request.argument in by_path and not request.start:
            chosen[request.argument] = replace(by_path[request.argument], why=CHOSEN)
            known.append(request)
        else:
            others.append(request)
    return Choice(list(chosen.values()), known, others)


def _split_name(request: Request, known: Collection[str]) -> Request:
    path, _, name = request.argument.partition(" ")
    if request.kind != "read" or request.argument in known or path not in known:
        return request
    return replace(request, argument=path, name=request.name or name)


def put_first(chosen: Sequence[RankedFile], files: Sequence[RankedFile]) -> list[RankedFile]:
    paths = {each.path for each in chosen}
    return [*chosen, *(each for each in files if each.path not in paths)]


def prefer(pieces: Iterable[Piece], files: Sequence[RankedFile], choice: Choice) -> list[Piece]:
    """The pieces with the chances that the choice gives them, best value first."""
    by_file: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_file.setdefault(piece.file, []).append(piece)
    weighed: list[Piece] = []
    for number, of_file in by_file.items():
        path = files[number].path
        asked = [each for each in choice.requests if each.argument == path]
        answered = [each for each in choice.others if each.start and each.argument == path]
        weighed += (each for each in _weigh(of_file, asked) if not _is_answered(each, answered))
    return sorted(weighed, key=lambda piece: (-piece.value, piece.file, piece.start))


def _is_answered(piece: Piece, ranges: Iterable[Request]) -> bool:
    """Whether lines that are read as they are hold the piece: nothing is shown twice."""
    return any(
        (each.start or 0) <= piece.start and piece.end <= (each.end or each.start or 0)
        for each in ranges
    )


def _weigh(pieces: Sequence[Piece], asked: Sequence[Request]) -> Iterable[Piece]:
    """The pieces of one file. The file's head and those of the classes around what is chosen stay as
    likely as they were."""
    chosen = {piece for request in asked for piece in _select(pieces, request)}
    heads = {extent.start for piece in chosen for extent in _around(piece)} | {1}
    for piece in pieces:
        if piece in chosen:
            yield replace(piece, chance=_CHOSEN_CHANCE)
        elif asked and piece.start in heads:
            yield piece
        else:
            yield replace(piece, chance=piece.chance * _NOT_CHOSEN)


def _select(pieces: Sequence[Piece], request: Request) -> Sequence[Piece]:
    """The pieces of the file that a request means."""
    extents = dict.fromkeys(extent for piece in pieces for extent in _around(piece))
    named = _find_named(extents, request.name) if request.name else []
    if not named:
        return _best(pieces, _MAX_FILE_TOKENS)
    return [
        piece
        for extent in named
        for piece in _best(
            [each for each in pieces if extent in _around(each)], _MAX_DEFINITION_TOKENS
        )
    ]


def _find_named(extents: Iterable[Extent], name: str) -> list[Extent]:
    """The definitions of that name; of `Parser.parse` those in `Parser`, if there is one."""
    *around, own = re.split(r"\.|::|#", name)
    found = [extent for extent in extents if extent.definition.name == own]
    inside = [
        extent
        for extent in found
        if around and extent.parent and extent.parent.definition.name == around[-1]
    ]
    return (inside or found)[:_MAX_NAMESAKES]


def _best(pieces: Sequence[Piece], most_tokens: int) -> list[Piece]:
    """Those that fit the task best, as far as the tokens go; one at least."""
    best: list[Piece] = []
    for piece in sorted(pieces, key=lambda each: (-each.score, each.start)):
        most_tokens -= piece.tokens
        if most_tokens >= 0 or not best:
            best.append(piece)
    return best


def _around(piece: Piece) -> list[Extent]:
    """The definitions that the piece is in, innermost first."""
    found, extent = [], piece.extent
    while extent is not None:
        found.append(extent)
        extent = extent.parent
    return found
