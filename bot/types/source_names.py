"""The names that a source file imports, declares and calls, as a parser finds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Import:
    """`from module import name`; `name` is "" if the module itself is imported, `level` counts the
    leading dots of Python. `is_optional`: it stands below `if` or `try` or in a function, or is for types alone.

    Python's standard library is left out. In Rust, `module` is the first part of a path, or
    `mod NAME` for a module in a file of its own.
    """

    module: str
    name: str
    level: int
    line: int
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function takes: by position (so many of them are `needed`), by keyword alone, and
    whether it takes any number of further ones."""

    positional: tuple[str, ...]
    needed: int
    keywords: tuple[str, ...]
    needed_keywords: tuple[str, ...]
    takes_more: bool
    takes_keywords: bool


@dataclass(frozen=True, slots=True)
class Call:
    """`name` is that of a function or class of the file, or one that it imports; in Python also
    `Class.name` for `self.name`. `is_open`: it unpacks arguments, so their number is not known."""

    name: str
    given: int
    keywords: tuple[str, ...]
    is_open: bool
    line: int


@dataclass(frozen=True, slots=True)
class SourceNames:
    """`undefined` are (name, line), of Python alone. `exports` are the names at the top of a module,
    in Go that of the package; None if they cannot be known. `functions` have None if their
    parameters cannot be known. `others` are the names that mean something else somewhere in the
    file, or may: what Python binds anew, and in other languages all but the called ones."""

    undefined: tuple[tuple[str, int], ...]
    imports: tuple[Import, ...]
    exports: frozenset[str] | None
    functions: Mapping[str, Parameters | None]
    calls: tuple[Call, ...]
    others: frozenset[str]


NameReader = Callable[[Sequence[tuple[str, bytes]]], Sequence[SourceNames | None]]
"""Takes (path, content) of files. None for a file that does not parse, or whose language is not
read."""


def read_no_names(files: Sequence[tuple[str, bytes]]) -> Sequence[SourceNames | None]:
    """A reader that knows no language."""
    return [None] * len(files)


MAX_IMPORTS = 1_000
MAX_CALLS = 20_000
"""Of one file: one with more is made by a program, or to keep the checks busy."""


def make_source_names(answer: Mapping[str, Any]) -> SourceNames | None:
    """From lists in the order of the fields, as JSON holds them; None if they are too many."""
    if len(answer["imports"]) > MAX_IMPORTS or len(answer["calls"]) > MAX_CALLS:
        return None
    exports = answer["exports"]
    return SourceNames(
        undefined=tuple((name, line) for name, line in answer["undefined"]),
        imports=tuple(Import(*each) for each in answer["imports"]),
        exports=None if exports is None else frozenset(exports),
        functions={
            name: None if each is None else _make_parameters(*each)
            for name, each in answer["functions"].items()
        },
        calls=tuple(
            Call(name, given, tuple(key or "" for key in keywords), is_open, line)
            for name, given, keywords, is_open, line in answer["calls"]
        ),
        others=frozenset(answer["others"]),
    )


def _make_parameters(
    positional: list[str],
    needed: int,
    keywords: list[str],
    needed_keywords: list[str],
    takes_more: bool,
    takes_keywords: bool,
) -> Parameters:
    return Parameters(
        tuple(positional),
        needed,
        tuple(keywords),
        tuple(needed_keywords),
        takes_more,
        takes_keywords,
    )
