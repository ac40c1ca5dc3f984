"""Answers with files, directories and the commits that touched a file."""

from __future__ import annotations

import re

from bot.change.context.answers.answer import Answer, say, shorten
from bot.change.context.answers.tree import WorkingTree
from bot.change.context.source import Extent, Source, find_extents
from bot.types.names import close_names
from bot.types.reply import Request
from bot.types.snapshot import MAX_LOGGED_COMMITS

MAX_ENTRIES = 200
"""Of a directory."""
_MAX_SIGNATURES = 40
_MAX_NAMES = 8
"""Names that are suggested for one that does not exist."""


def _no_such_file(tree: WorkingTree, request: Request) -> Answer:
    suggested = ", ".join(tree.suggest_paths(request.argument))
    near = f" Near: {suggested}." if suggested else ""
    return say(f"{request.kind} {shorten(request.argument)}: there is no such file.{near}")


def answer_read(tree: WorkingTree, request: Request) -> Answer:
    path = tree.find_path(request.argument)
    if path is None:
        return _no_such_file(tree, request)
    source = tree.read(path)
    if source is None:
        return say(f"read {path}: the file is not text, or too large to show.")
    if not request.name:
        return _lines_of(source, request.start or 1, request.end or len(source.lines))
    extent = _find_definition(source, request.name)
    if extent is not None:
        return _lines_of(source, extent.start, extent.end)
    names = list(dict.fromkeys(each.name for each in source.definitions))
    near = ", ".join(close_names(request.name, names, most=_MAX_NAMES, least_likeness=0.3))
    title = f"read {path} def {shorten(request.name)}"
    return say(f"{title}: there is no such definition.{f' Near: {near}.' if near else ''}")


def _lines_of(source: Source, start: int, end: int) -> Answer:
    path, total = source.path, len(source.lines)
    end = min(total, end)
    if start > end:
        return say(f"read {path}: the file has {total} lines.")

    def heading(count: int) -> str:
        last = start + count - 1
        if not count:
            return f"read {path}: line {start} alone is longer than the room that is left."
        if last == end:
            return f"{path}, lines {start}-{end} of {total}:"
        more = f"ask `read {path}:{last + 1}-{end}` for more{_name_definitions(source, last, end)}"
        return f"{path}, lines {start}-{last} of {total}; {more}:"

    return Answer(source.lines[start - 1 : end], heading, (path, start))


def _name_definitions(source: Source, after_line: int, end: int) -> str:
    hidden = [each for each in source.definitions if after_line < each.line <= end]
    named = ", ".join(f"{each.name} {each.line}" for each in hidden[:_MAX_SIGNATURES])
    return f" (defined there: {named})" if named else ""


def _find_definition(source: Source, name: str) -> Extent | None:
    """The first one of that name, which may be given with the name around it (`Parser.parse`)."""
    own = re.split(r"[.#:]+", name)[-1]
    named = [each for each in find_extents(source) if own in (each.definition.name, each.name)]
    exact = [each for each in named if name in (each.name, each.definition.name)]
    return next(iter(exact or named), None)


def answer_list(tree: WorkingTree, argument: str) -> Answer:
    directory = "/".join(part for part in argument.split("/") if part not in ("", "."))
    entries = tree.list_directory(directory)
    if not entries:
        return say(f"list {shorten(argument)}: there is no such directory.")

    def heading(count: int) -> str:
        more = "" if count == len(entries) else f", the first {count} of them here"
        return f"{directory or 'The top directory'}: {len(entries)} entries{more}."

    return Answer([f"{entry}\n" for entry in entries[:MAX_ENTRIES]], heading)


def answer_log(tree: WorkingTree, request: Request) -> Answer:
    """The commits of the base, without the edits so far."""
    path = tree.find_path(request.argument)
    if path is None:
        return _no_such_file(tree, request)
    lines = None if request.start is None else (request.start, request.end or request.start)
    title = f"log {path}" if lines is None else f"log {path}:{lines[0]}-{lines[1]}"
    commits = tree.view.log(path, lines)
    if not commits:
        return say(f"{title}: no commit is known that touched it.")
    parts = [f"{each.sha[:10]} {each.date} {each.subject}\n{each.diff}\n" for each in commits]

    def heading(count: int) -> str:
        cut = "" if count == len(parts) else f", the first {count} of them here"
        return (
            f"{title}: {len(parts)} of the last {MAX_LOGGED_COMMITS} commits of the file, newest"
            f" first{cut}."
        )

    return Answer(parts, heading)
