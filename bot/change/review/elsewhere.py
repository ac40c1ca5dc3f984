"""What a review must know of the code around a change: who uses what it changes, and how what it
calls is declared. Both are found by name alone, so a line may be about something else."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from bot.change.context.index import BODY, DEFINED
from bot.change.context.paths import FILE_KINDS
from bot.change.context.ranking.retrieval import IndexedRepository, index_repository
from bot.change.context.source import Extent, Source, enclosing_extent, find_extents, read_source
from bot.change.context.tokenize import is_common, whole_word_term
from bot.change.repository import with_changes
from bot.change.review.definitions import TouchedDefinition, find_touched
from bot.change.review.diff import WideDiff
from bot.types.snapshot import Changes, LineRange, RepositoryView

_MAX_NAMES = 8
"""Of those that are changed, the most consequential first."""
_MAX_LINES = 6
"""Of one name; half of them if only a body was changed."""
_MAX_FILES = 20
"""A name that more files say is a word, or belongs to several things."""
_MAX_FILE_BYTES = 200_000
_MAX_READ_FILES = 80
"""Larger and further files are passed over: a repository may be made to have many that say each of
the names."""
_MAX_LINE_CHARS = 160
_MAX_CALLED = 60
"""Names that are called in the added lines and looked up."""
_MAX_DECLARED = 12
_MAX_DECLARATIONS = 2
"""Of one name: one that is declared more often belongs to several things."""
_MAX_HEAD_LINES = 6

_CALLED = re.compile(r"(?<!\w)([A-Za-z_]\w{2,60})(?:::<[^<>()]{1,40}>)?!?\(")
_BUILT_IN = frozenset(dir(builtins))
_COMMENT = re.compile(r"\s*(?:#|//|/?\*|--\s|<!--)")
_WORD = re.compile(r"\w+")
_DECLARING = re.compile(r"(?:def|class|func|fn|function|new)\s{1,4}\Z")


def describe_elsewhere(base: RepositoryView, changes: Changes, diff: WideDiff) -> str:
    """The lines that say the name of a definition that the changes touch, and the first lines of
    the definitions that the added lines call, without what the diff shows; "" if there are none."""
    touched: dict[str, TouchedDefinition] = {}
    for each in find_touched(base, changes):
        if _is_telling(each.name):
            touched.setdefault(each.name, each)
    used = list(touched.values())[:_MAX_NAMES]
    called = [name for name in _find_called(diff.added) if name not in touched][:_MAX_CALLED]
    if not used and not called:
        return ""
    view = with_changes(base, changes).visible()
    terms = {whole_word_term(name) for name in (*touched, *called)}
    names = _Names(view, index_repository(view, sorted(terms)), diff.shown)
    users = "".join(names.render_users(each) for each in used)
    declared = (line for name in called for line in names.find_declarations(name))
    heads = "".join(islice(declared, _MAX_DECLARED))
    return users + (f"declared elsewhere, and called here:\n{heads}" if heads else "")


def _is_telling(name: str) -> bool:
    """Operators (`__mul__`) and what Python has built in are not called by the name's owner
    alone."""
    is_special = name.startswith("__") and name.endswith("__")
    return len(name) > 2 and not (is_special or name in _BUILT_IN or is_common(name.lower()))


def _find_called(added: str) -> list[str]:
    found = (
        match[1]
        for match in _CALLED.finditer(added)
        if not _DECLARING.search(added, max(0, match.start() - 16), match.start())
    )
    return [name for name in dict.fromkeys(found) if _is_telling(name)]


@dataclass(frozen=True, slots=True)
class _Names:
    """Looks up names in a repository; `shown` are the lines that are left out, `sources` the files
    that were read, `extents` those of their definitions."""

    view: RepositoryView
    repository: IndexedRepository
    shown: Mapping[str, Sequence[LineRange]]
    sources: dict[str, Source | None] = field(default_factory=dict)
    extents: dict[str, tuple[Extent, ...]] = field(default_factory=dict)

    def render_users(self, touched: TouchedDefinition) -> str:
        """The lines that say its name, under the name; "" if too many say it, or others have it
        too."""
        name = touched.name
        paths = self._find_files(BODY, name)
        is_body = touched.kind == "body"
        is_shared = is_body and len(self._find_files(DEFINED, name)) > _MAX_DECLARATIONS
        if is_shared or len(paths) > _MAX_FILES:
            return ""
        lines = [line for source in self._read(paths, name) for line in self._users(source, name)]
        most = _MAX_LINES // 2 if is_body else _MAX_LINES
        more = f"  … {len(lines) - most} more\n" if len(lines) > most else ""
        return f"{name}\n" + "".join(lines[:most]) + more if lines else ""

    def find_declarations(self, name: str) -> list[str]:
        """The first lines of its definitions; none if it has too many."""
        kinds = self.repository.kinds
        paths = [path for path in self._find_files(DEFINED, name) if kinds[path] == "source"]
        if len(paths) > _MAX_DECLARATIONS:
            return []
        found = [
            f"  {source.path}:{each.line}: {_head(source, each.line)}\n"
            for source in self._read(paths, name)
            for each in source.definitions
            if each.name == name and not self._is_shown(source.path, each.line)
        ]
        return found if len(found) <= _MAX_DECLARATIONS else []

    def _find_files(self, field: str, name: str) -> list[str]:
        """Source first."""
        frequencies = self.repository.contents.frequencies(field, whole_word_term(name))
        ids = self.repository.content_ids.items()
        paths = [path for path, number in ids if number in frequencies]
        return sorted(paths, key=lambda path: FILE_KINDS.index(self.repository.kinds[path]))

    def _read(self, paths: Iterable[str], name: str) -> Iterator[Source]:
        for path in paths:
            source = self._source(path)
            if source is not None and name.encode() in source.content:
                yield source

    def _source(self, path: str) -> Source | None:
        """None if it is no text, too large, or one file too many."""
        blob = self.view.blobs[path]
        is_allowed = blob.size_bytes <= _MAX_FILE_BYTES and len(self.sources) < _MAX_READ_FILES
        if path not in self.sources and is_allowed:
            source = read_source(path, next(iter(self.view.read([blob]))))
            has_lines = source is not None and not source.has_long_lines
            self.sources[path] = source if has_lines else None
        return self.sources.get(path)

    def _extents(self, source: Source) -> tuple[Extent, ...]:
        if source.path not in self.extents:
            self.extents[source.path] = find_extents(source)
        return self.extents[source.path]

    def _users(self, source: Source, name: str) -> Iterator[str]:
        extents = self._extents(source)
        defined = {each.line for each in source.definitions if each.name == name}
        for number, line in enumerate(source.lines, 1):
            if name not in line or name not in _WORD.findall(line):
                continue
            if number in defined or _COMMENT.match(line):
                continue
            if self._is_shown(source.path, number):
                continue
            extent = enclosing_extent(extents, number)
            within = f" in {extent.name}" if extent and extent.start < number else ""
            yield f"  {source.path}:{number}{within}: {line.strip()[:_MAX_LINE_CHARS]}\n"

    def _is_shown(self, path: str, line: int) -> bool:
        return any(first <= line <= last for first, last in self.shown.get(path, ()))


def _head(source: Source, line: int) -> str:
    """A definition's first lines to the end of its parameters, as one line."""
    text = ""
    for each in source.lines[line - 1 : line - 1 + _MAX_HEAD_LINES]:
        text = f"{text} {each.strip()}".strip()
        if text.count("(") <= text.count(")"):
            break
    return text[:_MAX_LINE_CHARS]
