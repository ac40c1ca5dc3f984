"""The checks of references on files held in memory, with the parsers called in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.adapters.syntax.grammar_names import read_grammar_names
from bot.adapters.syntax.python_names import read_python_names
from bot.change.checks.versions import Versions
from bot.types.snapshot import Change, Changes
from bot.types.source_names import SourceNames, make_source_names
from tests.change.snapshots import view_of

Find = Callable[[Versions, Changes], Iterator[str]]


def read(files: Sequence[tuple[str, bytes]]) -> list[SourceNames | None]:
    answers = [read_python_names(*file) or read_grammar_names(*file) for file in files]
    return [make_source_names(answer) if answer else None for answer in answers]


def found(find: Find, old: Mapping[str, str], new: Mapping[str, str | None]) -> list[str]:
    """What is found where the files of `new` replace those of `old`; None deletes one."""
    base = view_of({path: text.encode() for path, text in old.items()})
    changes = {
        path: Change(path, None if text is None else text.encode()) for path, text in new.items()
    }
    return list(find(Versions(base, changes, read), changes))
