"""Answers with the lines that match a pattern, or that say a name: each with the lines around it,
and with the definition that it is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.change.context.answers.answer import Answer, say, shorten
from bot.change.context.answers.pattern import BadPattern, Pattern, literal_pattern
from bot.change.context.answers.tree import WorkingTree
from bot.change.context.source import (
    MAX_LINE_CHARS,
    Extent,
    enclosing_extent,
    find_extents,
    make_source,
)
from bot.types.globs import compile_globs, glob_problem
from bot.types.reply import Request

MAX_HITS = 60
"""That are shown."""
_AROUND_LINES = 2
_MAX_HITS_WITH_LINES_AROUND = 24
_MAX_OTHER_FILES = 20
MAX_SEARCH_STEPS = 4_000_000_000
"""Of one search: characters of text times instructions of the pattern. About a second, seldom
more."""
_STEPS_PER_HIT = 20_000
_MAX_SHOWN_LINE_CHARS = 300
_BRACES = re.compile(r"([^{}]*+)\{([^{}]*+)\}(.*)")
_MAX_ALTERNATIVES = 20


def answer_search(tree: WorkingTree, request: Request) -> Answer:
    title = f"search {shorten(request.argument)}"
    is_wanted: Callable[[str], bool] = _is_any
    if request.glob:
        title += f" in {shorten(request.glob)}"
        if problem := glob_problem(request.glob):
            return say(f"{title}: the pattern of paths {problem}.")
        is_wanted = compile_globs(_expand_braces(request.glob))
        title += f" ({tree.count_files(is_wanted)} files{_say_depth(request.glob)})"
    if not request.argument:
        return say(
            "search: there is nothing to search for. Write `search REGEX` or `search REGEX in GLOB`."
        )
    try:
        pattern = Pattern(request.argument)
    except BadPattern as bad:
        pattern = literal_pattern(request.argument)
        title += f" (the pattern {bad}: searched for literally)"
    return _answer_hits(tree, title, pattern, is_wanted)


def _expand_braces(glob: str) -> list[str]:
    """`src/*.{js,ts}` as one pattern for each alternative; as it is beyond `_MAX_ALTERNATIVES`."""
    patterns = [glob]
    while len(patterns) <= _MAX_ALTERNATIVES:
        found = _BRACES.fullmatch(patterns[0])
        if found is None or "," not in found[2]:
            break
        patterns = [
            f"{match[1]}{alternative}{match[3]}"
            for match in map(_BRACES.fullmatch, patterns)
            if match
            for alternative in found[2].split(",")
        ]
    return patterns if len(patterns) <= _MAX_ALTERNATIVES else [glob]


def _say_depth(glob: str) -> str:
    """What people forget of `src/*.py`."""
    folder, slash, name = glob.rpartition("/")
    is_flat = slash and "*" in name and "**" not in glob
    return f"; `{folder}/**/{name}` would look below as well" if is_flat else ""


def _is_any(_path: str) -> bool:
    return True


def answer_callers(tree: WorkingTree, argument: str) -> Answer:
    """Every line that names it, beside its definitions."""
    name = re.split(r"[.#:]+", argument.removesuffix("()"))[-1]
    if not re.fullmatch(r"[\w$?!]+", name):
        return say(f"callers {shorten(argument)}: that is no name. Write `callers NAME`.")
    pattern = Pattern(rf"(^|\W){re.escape(name)}(\W|$)")
    return _answer_hits(tree, f"callers {name}", pattern, _is_any)


def _answer_hits(
    tree: WorkingTree, title: str, pattern: Pattern, is_wanted: Callable[[str], bool]
) -> Answer:
    found = _find_hits(tree, pattern, is_wanted)
    parts = _render_hits(found)
    others = _name_other_files(found)
    notes = "" if found.is_complete else " A part of the repository was not searched."
    if found.in_data:
        notes += f" {found.in_data} more in minified files and data."
    if others:
        notes += f" Also in {others}."

    def heading(count: int) -> str:
        more = (
            ""
            if count == len(parts) and not others
            else f" The first {count} places are here; narrow it for the others."
        )
        return f"{title}: {found.count} lines in {len(found.files)} files.{notes}{more}"

    return Answer(parts, heading)


@dataclass(frozen=True, slots=True)
class _FileHits:
    """The numbers of a file's lines that match."""

    path: str
    text: str
    """"" if the file is only named: a search may find something in every file."""
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    files: tuple[_FileHits, ...]
    """Of which some lines may be shown."""
    in_data: int
    """Lines that match in minified files and data, which are not shown."""
    is_complete: bool
    """False if the search ended at `MAX_SEARCH_STEPS`."""

    @property
    def count(self) -> int:
        return sum(len(each.lines) for each in self.files)


def _find_hits(tree: WorkingTree, pattern: Pattern, is_wanted: Callable[[str], bool]) -> _Found:
    """All lines that match in the wanted files."""
    left_steps = MAX_SEARCH_STEPS
    files: list[_FileHits] = []
    count = in_data = 0
    for path, text in tree.read_texts(is_wanted):
        left_steps -= len(text) * pattern.instructions
        lines: list[int] = []
        for number, _line in pattern.find_lines(text):
            if left_steps < 0:
                break
            left_steps -= _STEPS_PER_HIT
            lines.append(number)
        if lines and _is_data(text):
            in_data += len(lines)
        elif lines:
            files.append(_FileHits(path, text if count < MAX_HITS else "", tuple(lines)))
            count += len(lines)
        if left_steps < 0:
            return _Found(tuple(files), in_data, is_complete=False)
    return _Found(tuple(files), in_data, is_complete=True)


def _is_data(text: str) -> bool:
    return any(len(line) > MAX_LINE_CHARS for line in text.split("\n"))


def _render_hits(found: _Found) -> list[str]:
    """The first `MAX_HITS` lines, in one text for each place."""
    around = _AROUND_LINES if found.count <= _MAX_HITS_WITH_LINES_AROUND else 0
    parts: list[str] = []
    left = MAX_HITS
    for file in found.files:
        if left <= 0:
            break
        parts += _render_file(file, file.lines[:left], around)
        left -= len(file.lines)
    return parts


def _render_file(file: _FileHits, lines: Sequence[int], around: int) -> Iterator[str]:
    source = make_source(file.path, file.text)
    extents = find_extents(source)
    heading = f"{file.path}\n"
    for start, end, hit in _merge(lines, around, len(source.lines)):
        shown = "".join(map(_shorten, source.lines[start - 1 : end]))
        yield f"{heading}  {_place(start, end)}{_within(extents, hit)}:\n{shown}"
        heading = ""


def _merge(lines: Sequence[int], around: int, total: int) -> Iterator[tuple[int, int, int]]:
    """The first and the last line of each place, and its first hit."""
    start = end = hit = 0
    for line in lines:
        if hit and line - around <= end + 1:
            end = min(total, line + around)
            continue
        if hit:
            yield start, end, hit
        start, end, hit = max(1, line - around), min(total, line + around), line
    if hit:
        yield start, end, hit


def _place(start: int, end: int) -> str:
    return f"line {start}" if start == end else f"lines {start}-{end}"


def _within(extents: Sequence[Extent], line: int) -> str:
    extent = enclosing_extent(extents, line)
    if extent is None or extent.definition.line == line:
        return ""
    return f", in {extent.name} (lines {extent.start}-{extent.end})"


def _shorten(line: str) -> str:
    if len(line) > _MAX_SHOWN_LINE_CHARS:
        return f"{line[:_MAX_SHOWN_LINE_CHARS]} … [line cut here]\n"
    return line if line.endswith("\n") else f"{line}\n"


def _name_other_files(found: _Found) -> str:
    """The files of which no line is shown, with how many lines of each match; "" if there is none."""
    others: list[str] = []
    left = MAX_HITS
    for file in found.files:
        if left <= 0:
            others.append(f"{file.path} ({len(file.lines)})")
        left -= len(file.lines)
    more = len(others) - _MAX_OTHER_FILES
    named = ", ".join(others[:_MAX_OTHER_FILES])
    return f"{named}, and {more} more files" if more > 0 else named
