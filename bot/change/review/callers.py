"""Who uses what a change touches: a list of lines, found by name alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bot.change.context.index import BODY
from bot.change.context.paths import FILE_KINDS
from bot.change.context.ranking.retrieval import IndexedRepository, index_repository
from bot.change.context.source import enclosing_extent, find_extents, read_source
from bot.change.context.tokenize import is_common
from bot.change.repository import with_changes
from bot.change.review.definitions import find_touched
from bot.types.snapshot import Changes, LineRange, RepositoryView

_MAX_NAMES = 8
_MAX_LINES = 6
"""Of one name."""
_MAX_READ_FILES = 20
"""In which one name is looked for."""
_MAX_FILES_WITH_NAME = 60
"""A name that more files say is a word, not a name."""
_MAX_LINE_CHARS = 160


def list_callers(
    base: RepositoryView, changes: Changes, shown: Mapping[str, Sequence[LineRange]]
) -> str:
    """For each definition that the changes touch, the lines that say its name, without those that
    are `shown`; "" if there are none."""
    names = dict.fromkeys(
        each.name
        for each in find_touched(base, changes)
        if len(each.name) > 2 and not is_common(each.name.lower())
    )
    wanted = list(names)[:_MAX_NAMES]
    if not wanted:
        return ""
    view = with_changes(base, changes).visible()
    repository = index_repository(view, [_term(name) for name in wanted])
    return "".join(_render(view, repository, name, shown) for name in wanted)


def _term(name: str) -> str:
    """Under which the index has it: see `split_terms`."""
    return f"={name.lower().strip('_')}"


def _render(
    view: RepositoryView,
    repository: IndexedRepository,
    name: str,
    shown: Mapping[str, Sequence[LineRange]],
) -> str:
    paths = _find_files(repository, name)
    if len(paths) > _MAX_FILES_WITH_NAME:
        return f"{name}: said in {len(paths)} files\n"
    lines = list(_find_lines(view, paths[:_MAX_READ_FILES], name, shown))
    if not lines:
        return ""
    more = f"  … {len(lines) - _MAX_LINES} more\n" if len(lines) > _MAX_LINES else ""
    return f"{name}\n" + "".join(lines[:_MAX_LINES]) + more


def _find_files(repository: IndexedRepository, name: str) -> list[str]:
    """The files that say the name, source first."""
    frequencies = repository.contents.frequencies(BODY, _term(name))
    paths = [path for path, number in repository.content_ids.items() if number in frequencies]
    return sorted(paths, key=lambda path: FILE_KINDS.index(repository.kinds[path]))


def _find_lines(
    view: RepositoryView,
    paths: Sequence[str],
    name: str,
    shown: Mapping[str, Sequence[LineRange]],
) -> Iterator[str]:
    says = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    blobs = [view.blobs[path] for path in paths]
    for path, content in zip(paths, view.read(blobs), strict=True):
        source = read_source(path, content)
        if source is None or source.has_long_lines or name.encode() not in content:
            continue
        extents = find_extents(source)
        defined = {each.line for each in source.definitions if each.name == name}
        for number, line in enumerate(source.lines, 1):
            is_shown = any(first <= number <= last for first, last in shown.get(path, ()))
            if number in defined or is_shown or not says.search(line):
                continue
            extent = enclosing_extent(extents, number)
            within = f" in {extent.name}" if extent and extent.start < number else ""
            yield f"  {path}:{number}{within}: {line.strip()[:_MAX_LINE_CHARS]}\n"
