"""Which files the task names outright: by path, by stack frame, by dotted module name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from bot.core.context.paths import extension_of, language_of
from bot.core.context.sections import shortened
from bot.core.context.words import word_set

How = Literal["path", "name", "deepest frame", "frame", "module"]
"""`path`: at least a directory and a name, or a name in the title; `name`: a file's name alone, as likely the
asker's own file as one of the repository."""

_MAX_SAME = 3
"""A mention that fits more files than this names none of them."""
_MAX_MENTIONS = 500
_MAX_DEPTH = 16
"""How many parts of a path are compared, from its end: as many as `_PATH` finds."""
_STANDS_FOR_DIRECTORY = word_set("__init__ index mod")

_EXTENSION = r"\.[A-Za-z]\w{0,9}\b"
_PATH = re.compile(
    rf"(?<![\w/\\.-])(?P<path>(?:[\w@+~.-]{{0,60}}+[/\\]){{0,15}}[\w@+~.-]{{0,80}}[\w-]{_EXTENSION})"
    r"(?:(?::|\#L)(?P<line>\d{1,7}))?"
)
_FRAME = re.compile(
    rf'File "(?P<python>[^"\n]{{1,300}})", line (?P<python_line>\d{{1,7}})'
    rf"|\bat [^\n(]{{0,200}}\((?P<java>[^\n():]{{1,300}}{_EXTENSION}):(?P<java_line>\d{{1,7}})"
    rf"|^[\s>E]{{0,20}}(?P<other>[^\s:()]{{1,300}}{_EXTENSION}):(?P<other_line>\d{{1,7}})",
    re.M,
)
_NEW_TRACE = re.compile(r"Traceback \(most recent call last\)|^_{5,}|Caused by|During handling of", re.M)
_DOTTED = re.compile(r"(?<![\w.])[^\W\d]\w{0,60}(?:(?:\.|::)[^\W\d]\w{0,60}){1,10}")
_IMPORT_LINE = re.compile(r"^[\s>.]{0,20}(?:from|import)\s.{0,300}", re.M)


@dataclass(frozen=True, slots=True)
class Named:
    """A file that the task names; `weight` is shared between files that fit equally well; `line` where it is given."""

    path: str
    how: How
    weight: float = 1.0
    line: int | None = None


def find_named(text: str, paths: Iterable[str]) -> tuple[Named, ...]:
    """Every file named in the task's text; a file may come several times."""
    text = shortened(text)
    frames = list(islice(_FRAME.finditer(text), _MAX_MENTIONS))
    spoken = _FRAME.sub(" ", text)
    places = list(islice(_PATH.finditer(spoken), _MAX_MENTIONS))
    modules = [re.split(r"\.|::", name) for name in _DOTTED.findall(_IMPORT_LINE.sub("", spoken))[:_MAX_MENTIONS]]
    names = {_place(match)[-1:] for match in (*frames, *places)}
    known = _Paths(
        paths,
        names={name.lower() for parts in names for name in parts},
        modules={name for parts in modules for name in parts[1:]},
    )
    title_end = len(spoken.strip().partition("\n")[0])
    return (*_from_traces(text, frames, known), *_from_paths(places, title_end, known), *_from_modules(modules, known))


def _place(match: re.Match[str]) -> tuple[str, ...]:
    """The parts of the path in a match of `_FRAME` or `_PATH`."""
    found = match.groupdict()
    path = found["path"] if "path" in found else found["python"] or found["java"] or found["other"]
    return tuple(part for part in re.split(r"[/\\]", path) if part not in ("", ".", ".."))


class _Paths:
    """Files by the end of their path and by module name; of those that are called by one of `names` (lower-case) or
    `modules`."""

    def __init__(self, paths: Iterable[str], names: set[str], modules: set[str]) -> None:
        self._by_end: dict[str, list[str]] = defaultdict(list)
        self._by_module: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            name = path.rpartition("/")[2]
            if name.lower() in names:
                for end in _ends(path.lower()):
                    self._by_end[end].append(path)
            stem = name.rpartition(".")[0]
            if (stem in modules or (modules and stem in _STANDS_FOR_DIRECTORY)) and language_of(path):
                module = path[: -len(extension_of(path)) - 1]
                if stem in _STANDS_FOR_DIRECTORY:
                    module = module.rpartition("/")[0]
                for end in _ends(module) if module.rpartition("/")[2] in modules else ():
                    self._by_module[end].append(path)

    def ending_as(self, parts: Sequence[str]) -> tuple[int, list[str]]:
        """The files whose path agrees with the end of `parts` as far back as any file's does, and how far."""
        for depth in range(min(len(parts), _MAX_DEPTH), 0, -1):
            if found := self._by_end.get("/".join(parts[-depth:]).lower()):
                return depth, found
        return 0, []

    def module(self, parts: Sequence[str]) -> list[str]:
        """The files that the longest beginning of a dotted name stands for, of two names at least."""
        for length in range(len(parts), 1, -1):
            if found := self._by_module.get("/".join(parts[:length])):
                return found
        return []


def _ends(path: str) -> Iterator[str]:
    """The path's last part, its last two, and so on."""
    start = len(path)
    for _ in range(_MAX_DEPTH):
        start = path.rfind("/", 0, start)
        yield path[start + 1 :]
        if start < 0:
            break


def _from_traces(text: str, frames: Sequence[re.Match[str]], known: _Paths) -> Iterator[Named]:
    """The repository's frames of each trace, the deepest first: Python prints it last, others first."""
    heads = [match.start() for match in _NEW_TRACE.finditer(text)]
    traces: list[list[re.Match[str]]] = []
    for frame in frames:
        begins = not traces or any(traces[-1][-1].start() < head < frame.start() for head in heads)
        traces.append([frame]) if begins else traces[-1].append(frame)
    for trace in traces:
        if trace[0]["python"]:
            trace.reverse()
        seen: set[str] = set()
        for frame in trace:
            line = int(frame["python_line"] or frame["java_line"] or frame["other_line"])
            for path in _of_the_repository(_place(frame), known):
                yield Named(path, "frame" if seen - {path} else "deepest frame", line=line)
                seen.add(path)


def _of_the_repository(parts: Sequence[str], known: _Paths) -> list[str]:
    if not parts:
        return []
    depth, found = known.ending_as(parts)
    return found if len(found) == 1 and depth >= min(2, len(parts)) else []


def _from_paths(places: Sequence[re.Match[str]], title_end: int, known: _Paths) -> Iterator[Named]:
    for match in places:
        parts = _place(match)
        depth, found = known.ending_as(parts) if parts else (0, [])
        if not found or len(found) > _MAX_SAME:
            continue
        whole = depth == len(parts) or (depth > 1 and any(path.count("/") + 1 == depth for path in found))
        sure = whole and (depth > 1 or match.start() < title_end)
        for path in found:
            yield Named(path, "path" if sure else "name", 1 / len(found), int(match["line"]) if match["line"] else None)


def _from_modules(modules: Sequence[Sequence[str]], known: _Paths) -> Iterator[Named]:
    for parts in modules:
        found = known.module(parts)
        if len(found) <= _MAX_SAME:
            yield from (Named(path, "module", 1 / len(found)) for path in found)
