"""Answering what the model asks to see: files, searches and directories, of the repository as it
stands now.

The repository as it stands now: its base, and over it what the edits so far have made.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.change.context.index import MAX_FILE_BYTES, is_readable
from bot.change.context.paths import READ_ORDER, BadPattern, Pattern, is_shown, kinds_of, literal
from bot.change.context.segments import Source, read_source
from bot.change.tokens import estimate_tokens
from bot.types import ShownFile
from bot.types.reply import Request
from bot.types.snapshot import Blob, Changes, RepositoryView
from bot.types.text import close_names, read_text

_MAX_NEAR = 2_000


class Current:
    """Files that may be shown: regular, with a printable path."""

    def __init__(self, snapshot: RepositoryView, changes: Changes) -> None:
        self._snapshot = snapshot
        self._changed = {
            path: change.content
            for path, change in changes.items()
            if change.content is not None and change.mode.startswith("100") and path.isprintable()
        }
        self._base = {
            path: blob
            for path, blob in snapshot.blobs.items()
            if path not in changes and is_shown(blob)
        }

    def find(self, argument: str) -> str | None:
        """The path that is meant: itself, or the only one that ends so."""
        wanted = argument.strip().strip("`'\"").removeprefix("./").lstrip("/")
        paths = self._paths()
        if wanted in paths:
            return wanted
        ends = [path for path in paths if path.endswith(f"/{wanted}")]
        return ends[0] if len(ends) == 1 else None

    def near(self, argument: str) -> list[str]:
        """Paths with a file name alike, to suggest."""
        name = argument.rpartition("/")[2].lower()[:60]
        stem = name.partition(".")[0]
        return [path for path in self._paths() if stem and stem in path.lower()][:_MAX_NEAR]

    def source(self, path: str) -> Source | None:
        content = self._changed.get(path)
        if content is None:
            blob = self._base[path]
            if blob.size_bytes > MAX_FILE_BYTES:
                return None
            (content,) = self._snapshot.read([blob])
        return read_source(path, content)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every text file and its path, changed ones first, then source before the rest."""
        for path, content in self._changed.items():
            if (text := read_text(content)) is not None:
                yield path, text
        blobs = self._readable()
        for blob, content in zip(blobs, self._snapshot.read(blobs), strict=True):
            if (text := read_text(content)) is not None:
                yield blob.path, text

    def entries(self, directory: str) -> list[str]:
        """The names in a directory, directories first and with the number of files in them."""
        prefix = f"{directory}/" if directory else ""
        counts: Counter[str] = Counter()
        for path in self._paths():
            if path.startswith(prefix):
                name, slash, _ = path[len(prefix) :].partition("/")
                counts[name + slash] += 1
        names = sorted(counts, key=lambda name: (not name.endswith("/"), name))
        return [f"{name} ({counts[name]} files)" if name.endswith("/") else name for name in names]

    def _paths(self) -> dict[str, object]:
        return {**self._base, **self._changed}

    def _readable(self) -> list[Blob]:
        kinds = kinds_of(self._base)
        blobs = [blob for blob in self._base.values() if is_readable(blob)]
        return sorted(blobs, key=lambda blob: READ_ORDER.index(kinds[blob.path]))


MAX_REQUESTS = 12
MAX_MATCHES = 60
MAX_ENTRIES = 200
MAX_LINE_CHARS = 300
"""What is shown of a line that a search found."""
MAX_SEARCH_STEPS = 4_000_000_000
"""What one search may cost, in characters times the pattern's size: about a second, seldom more."""
_STEPS_OF_A_MATCH = 20_000
_MAX_SIGNATURES = 40
_HEADER_TOKENS = 60
_WHY = "the model asked for it"


@dataclass(frozen=True, slots=True)
class Answers:
    """One block per request, in order. `shown` lists the files of which lines are in the text."""

    text: str
    shown: tuple[ShownFile, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    heading: str
    body: str = ""
    shown: tuple[ShownFile, ...] = ()


def answer_requests(
    snapshot: RepositoryView, changes: Changes, requests: Sequence[Request], *, budget_tokens: int
) -> Answers:
    """The answers to at most `MAX_REQUESTS` different requests, at most `budget_tokens` together;
    what was left out for room is said, with how to ask for it."""
    current = Current(snapshot.visible(), changes)
    asked = list(dict.fromkeys(requests))[:MAX_REQUESTS]
    text = ""
    shown: list[ShownFile] = []
    for n, request in enumerate(asked):
        left = budget_tokens - estimate_tokens(text)
        answer = _answer(current, request, left // (len(asked) - n) - _HEADER_TOKENS)
        block = _rendered(answer)
        if estimate_tokens(text + block) > budget_tokens:
            break
        text += block
        shown += answer.shown
    return Answers(text, tuple(shown))


def _answer(current: Current, request: Request, budget_tokens: int) -> _Answer:
    if request.kind == "read":
        return _read(current, request, budget_tokens)
    if request.kind == "search":
        return _search(current, request.argument, budget_tokens)
    return _list(current, request.argument, budget_tokens)


def _rendered(answer: _Answer) -> str:
    if not answer.body:
        return f"{answer.heading}\n\n"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", answer.body)), default=0))
    end = "" if answer.body.endswith("\n") else "\n"
    return f"{answer.heading}\n{fence}\n{answer.body}{end}{fence}\n\n"


def _read(current: Current, request: Request, budget_tokens: int) -> _Answer:
    path = current.find(request.argument)
    if path is None:
        alike = close_names(
            request.argument, current.near(request.argument), most=5, least_likeness=0.3
        )
        near = ", ".join(alike)
        return _Answer(
            f"read {request.argument[:200]}: there is no such"
            f" file.{f' Near: {near}.' if near else ''}"
        )
    source = current.source(path)
    if source is None:
        return _Answer(f"read {path}: the file is not text, or too large to show.")
    total = len(source.lines)
    start = max(1, request.start or 1)
    end = min(total, request.end or total)
    if start > end:
        return _Answer(f"read {path}: the file has {total} lines.")
    last = _last_that_fits(source, start, end, budget_tokens)
    if last < start:
        return _Answer(f"read {path}: line {start} alone is longer than the room that is left.")
    heading = f"{path}, lines {start}-{last} of {total}:"
    if last < end:
        heading = (
            f"{_outlined(source, last)}\n{heading[:-1]} (ask `read {path}:{last + 1}-{end}` for"
            " more):"
        )
    return _Answer(heading.strip(), source.text(start, last), (ShownFile(path, start, last, _WHY),))


def _last_that_fits(source: Source, start: int, end: int, budget_tokens: int) -> int:
    last, size = start - 1, 0
    while last < end and (size := size + estimate_tokens(source.lines[last])) <= budget_tokens:
        last += 1
    return last


def _outlined(source: Source, after: int) -> str:
    """Where the definitions stand that did not fit."""
    hidden = [each for each in source.definitions if each.line > after][:_MAX_SIGNATURES]
    return "; ".join(f"{each.name} {each.line}" for each in hidden)


def _search(current: Current, argument: str, budget_tokens: int) -> _Answer:
    note = ""
    try:
        pattern = Pattern(argument)
    except BadPattern as bad:
        pattern = literal(argument)
        note = f" (the pattern {bad}: searched for literally)"
    found: list[str] = []
    count, size = 0, 0
    looked_at_all = True
    for path, line, text in _matches(current, pattern):
        if path == "":
            looked_at_all = False
            break
        count += 1
        shown = f"{path}:{line}: {text.strip()[:MAX_LINE_CHARS]}\n"
        size += estimate_tokens(shown)
        if len(found) < MAX_MATCHES and size <= budget_tokens:
            found.append(shown)
    more = "" if count == len(found) else f", the first {len(found)} of them here"
    partly = "" if looked_at_all else "; a part of the repository was not searched"
    return _Answer(f"search {argument[:200]}{note}: {count} lines{more}{partly}.", "".join(found))


def _matches(current: Current, pattern: Pattern) -> Iterator[tuple[str, int, str]]:
    """Path, line number, line. An empty path means that the limit was met."""
    left = MAX_SEARCH_STEPS
    for path, text in current.texts():
        left -= len(text) * pattern.size
        for number, line in pattern.lines(text):
            if left < 0:
                break
            left -= _STEPS_OF_A_MATCH
            yield path, number, line
        if left < 0:
            yield "", 0, ""
            return


def _list(current: Current, argument: str, budget_tokens: int) -> _Answer:
    directory = "/".join(part for part in argument.split("/") if part not in ("", "."))
    entries = current.entries(directory)
    if not entries:
        return _Answer(f"list {argument[:200]}: there is no such directory.")
    shown: list[str] = []
    size = 0
    for entry in entries[:MAX_ENTRIES]:
        size += estimate_tokens(entry + "\n")
        if size > budget_tokens:
            break
        shown.append(entry + "\n")
    more = "" if len(shown) == len(entries) else f", the first {len(shown)} of them here"
    return _Answer(
        f"{directory or 'The top directory'}: {len(entries)} entries{more}.", "".join(shown)
    )
