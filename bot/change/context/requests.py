"""Answers what the model asks to see: files, searches and directories of the working tree, which is
the base with the edits so far.

A search runs a regular expression that a model wrote. Python's `re` backtracks: a pattern such as
`(a+)+$` can run for ever, and nothing can stop it. RE2 takes time linear in the text, and has no
look-around and no back-references: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import re2

from bot.change.context.paths import FILE_KINDS, classify_paths, is_regular
from bot.change.context.retrieval import MAX_FILE_BYTES, is_readable
from bot.change.context.segments import Source, read_source
from bot.change.tokens import estimate_tokens
from bot.types import ShownFile
from bot.types.names import close_names
from bot.types.reply import Request
from bot.types.snapshot import Changes, RepositoryView
from bot.types.text import read_text

MAX_REQUESTS = 12
MAX_MATCHES = 60
MAX_ENTRIES = 200
"""Of a directory."""
MAX_MATCH_CHARS = 300
"""Of a line that a search found."""
_MAX_ARGUMENT_CHARS = 200
"""What an answer repeats of a request."""
_MAX_SIGNATURES = 40
_MAX_COMPARED_PATHS = 2_000
_MAX_SUGGESTED_PATHS = 5
_HEADING_TOKENS = 60
"""Reserved in each answer for its heading and fences."""

MAX_PATTERN_CHARS = 500
_MAX_PATTERN_BYTES = 1 << 18
"""Memory of a compiled pattern with its cached states: it has some 3,000 instructions at most."""
MAX_SEARCH_STEPS = 4_000_000_000
"""Of one search: characters of text times instructions of the pattern. About a second, seldom
more."""
_STEPS_PER_MATCH = 20_000
_MAX_ESCAPE_CHARS = 4
"""What one character becomes, as in `\\x00`."""


class BadPattern(ValueError):
    """The pattern is not valid, or cannot be searched in linear time."""


class Pattern:
    """A regular expression that takes linear time."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN_CHARS:
            raise BadPattern(f"is longer than {MAX_PATTERN_CHARS} characters")
        self._anywhere = _compile(f"(?m){text}")
        self._line = _compile(f"(?m)^.*(?:{text})")
        self.instructions: int = self._line.programsize
        """The steps that a character of text costs in the worst case."""

    def find_lines(self, text: str) -> Iterator[tuple[int, str]]:
        """The lines that hold a match, without their ends, with their 1-based numbers."""
        text = text.replace("\r\n", "\n")
        if not self._anywhere.search(text):
            return
        number = 1
        last_start = -1
        for match in self._line.finditer(text):
            start = match.start()
            if start == last_start:  # RE2 finds an empty match at the end twice
                continue
            number += text.count("\n", max(last_start, 0), start)
            last_start = start
            end = text.find("\n", start)
            yield number, text[start : end if end >= 0 else None]


def literal_pattern(text: str) -> Pattern:
    """A pattern that finds the text itself; a long text is cut."""
    for share in (2, _MAX_ESCAPE_CHARS):
        escaped = re2.escape(_encodable(text[: MAX_PATTERN_CHARS // share]))
        if len(escaped) <= MAX_PATTERN_CHARS:
            break
    return Pattern(escaped)


def _compile(text: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _MAX_PATTERN_BYTES
    options.never_nl = True
    options.log_errors = False
    try:
        return re2.compile(_encodable(text), options)
    except re2.error as error:
        reason = error.args[0]
        raise BadPattern(f"is not understood: {reason.decode(errors='replace')}") from None


def _encodable(text: str) -> str:
    """The text with a replacement character for each half of a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _WorkingTree:
    """The base with the edits so far: regular files with a printable path."""

    def __init__(self, snapshot: RepositoryView, changes: Changes) -> None:
        self._snapshot = snapshot
        self._changed: dict[str, bytes] = {}
        for path, change in changes.items():
            is_file = change.mode.startswith("100") and path.isprintable()
            if change.content is not None and is_file:
                self._changed[path] = change.content
        self._unchanged = {
            path: blob
            for path, blob in snapshot.blobs.items()
            if path not in changes and is_regular(blob)
        }

    def find_path(self, argument: str) -> str | None:
        """The path itself, or the only one that ends with it."""
        wanted = argument.strip().strip("`'\"").removeprefix("./").lstrip("/")
        paths = self._paths()
        if wanted in paths:
            return wanted
        found = [path for path in paths if path.endswith(f"/{wanted}")]
        return found[0] if len(found) == 1 else None

    def suggest_paths(self, argument: str) -> list[str]:
        """Paths that are similar to one that does not exist, the most similar first."""
        name = argument.rpartition("/")[2].lower()[:60]
        stem = name.partition(".")[0]
        if not stem:
            return []
        paths = [path for path in self._paths() if stem in path.lower()]
        return close_names(
            argument, paths[:_MAX_COMPARED_PATHS], most=_MAX_SUGGESTED_PATHS, least_likeness=0.3
        )

    def read(self, path: str) -> Source | None:
        """The file at one of the paths; None if it is not text, or too large."""
        content = self._changed.get(path)
        if content is None:
            blob = self._unchanged[path]
            if blob.size_bytes > MAX_FILE_BYTES:
                return None
            (content,) = self._snapshot.read([blob])
        return read_source(path, content)

    def read_texts(self) -> Iterator[tuple[str, str]]:
        """Path and text of every text file: changed ones first, then source before the rest."""
        for path, content in self._changed.items():
            text = read_text(content)
            if text is not None:
                yield path, text
        kinds = classify_paths(self._unchanged)
        blobs = [blob for blob in self._unchanged.values() if is_readable(blob)]
        blobs.sort(key=lambda blob: FILE_KINDS.index(kinds[blob.path]))
        for blob, content in zip(blobs, self._snapshot.read(blobs), strict=True):
            text = read_text(content)
            if text is not None:
                yield blob.path, text

    def list_directory(self, directory: str) -> list[str]:
        """The names in a directory; subdirectories first, with the number of files below them."""
        prefix = f"{directory}/" if directory else ""
        counts: Counter[str] = Counter()
        for path in self._paths():
            if path.startswith(prefix):
                name, slash, _ = path[len(prefix) :].partition("/")
                counts[name + slash] += 1
        names = sorted(counts, key=lambda name: (not name.endswith("/"), name))
        return [f"{name} ({counts[name]} files)" if name.endswith("/") else name for name in names]

    def _paths(self) -> dict[str, object]:
        return {**self._unchanged, **self._changed}


@dataclass(frozen=True, slots=True)
class Answers:
    """One block of text for each request, in order; `shown` are the lines that the text holds."""

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
    """The answers to the first `MAX_REQUESTS` different requests, `budget_tokens` together at most.
    An answer that is cut says so, and how to ask for the rest."""
    tree = _WorkingTree(snapshot.visible(), changes)
    asked = list(dict.fromkeys(requests))[:MAX_REQUESTS]
    text = ""
    shown: list[ShownFile] = []
    for number, request in enumerate(asked):
        left_tokens = budget_tokens - estimate_tokens(text)
        share_tokens = left_tokens // (len(asked) - number)
        answer = _answer(tree, request, share_tokens - _HEADING_TOKENS)
        block = _render(answer)
        if estimate_tokens(text + block) > budget_tokens:
            break
        text += block
        shown += answer.shown
    return Answers(text, tuple(shown))


def _answer(tree: _WorkingTree, request: Request, budget_tokens: int) -> _Answer:
    if request.kind == "read":
        return _answer_read(tree, request, budget_tokens)
    if request.kind == "search":
        return _answer_search(tree, request.argument, budget_tokens)
    return _answer_list(tree, request.argument, budget_tokens)


def _render(answer: _Answer) -> str:
    if not answer.body:
        return f"{answer.heading}\n\n"
    longest_run = max((len(run) for run in re.findall(r"`+", answer.body)), default=0)
    fence = "`" * max(3, 1 + longest_run)
    end = "" if answer.body.endswith("\n") else "\n"
    return f"{answer.heading}\n{fence}\n{answer.body}{end}{fence}\n\n"


def _answer_read(tree: _WorkingTree, request: Request, budget_tokens: int) -> _Answer:
    path = tree.find_path(request.argument)
    if path is None:
        suggested = ", ".join(tree.suggest_paths(request.argument))
        near = f" Near: {suggested}." if suggested else ""
        argument = request.argument[:_MAX_ARGUMENT_CHARS]
        return _Answer(f"read {argument}: there is no such file.{near}")
    source = tree.read(path)
    if source is None:
        return _Answer(f"read {path}: the file is not text, or too large to show.")
    total = len(source.lines)
    start = max(1, request.start or 1)
    end = min(total, request.end or total)
    if start > end:
        return _Answer(f"read {path}: the file has {total} lines.")
    last = _find_last_line(source, start, end, budget_tokens)
    if last < start:
        return _Answer(f"read {path}: line {start} alone is longer than the room that is left.")
    heading = f"{path}, lines {start}-{last} of {total}"
    if last < end:
        # The definitions that were cut off come first, so that the model can ask for their lines.
        signatures = _render_signatures(source, last)
        heading = f"{signatures}\n{heading} (ask `read {path}:{last + 1}-{end}` for more)"
    shown = ShownFile(path, start, last, "the model asked for it")
    return _Answer(f"{heading}:".strip(), source.text(start, last), (shown,))


def _find_last_line(source: Source, start: int, end: int, budget_tokens: int) -> int:
    """The last line that fits; `start` - 1 if none does."""
    tokens = 0
    for line in range(start, end + 1):
        tokens += estimate_tokens(source.lines[line - 1])
        if tokens > budget_tokens:
            return line - 1
    return end


def _render_signatures(source: Source, after_line: int) -> str:
    hidden = [each for each in source.definitions if each.line > after_line]
    return "; ".join(f"{each.name} {each.line}" for each in hidden[:_MAX_SIGNATURES])


def _answer_search(tree: _WorkingTree, argument: str, budget_tokens: int) -> _Answer:
    note = ""
    try:
        pattern = Pattern(argument)
    except BadPattern as bad:
        pattern = literal_pattern(argument)
        note = f" (the pattern {bad}: searched for literally)"
    shown: list[str] = []
    count = tokens = 0
    partly = ""
    for match in _search(tree, pattern):
        if match is None:
            partly = "; a part of the repository was not searched"
            break
        count += 1
        tokens += estimate_tokens(match)
        if len(shown) < MAX_MATCHES and tokens <= budget_tokens:
            shown.append(match)
    argument = argument[:_MAX_ARGUMENT_CHARS]
    more = _render_more(count, len(shown))
    return _Answer(f"search {argument}{note}: {count} lines{more}{partly}.", "".join(shown))


def _search(tree: _WorkingTree, pattern: Pattern) -> Iterator[str | None]:
    """The matching lines with path and number; at last None if the search ended at
    `MAX_SEARCH_STEPS`."""
    left_steps = MAX_SEARCH_STEPS
    for path, text in tree.read_texts():
        left_steps -= len(text) * pattern.instructions
        for number, line in pattern.find_lines(text):
            if left_steps < 0:
                break
            left_steps -= _STEPS_PER_MATCH
            yield f"{path}:{number}: {line.strip()[:MAX_MATCH_CHARS]}\n"
        if left_steps < 0:
            yield None
            return


def _answer_list(tree: _WorkingTree, argument: str, budget_tokens: int) -> _Answer:
    directory = "/".join(part for part in argument.split("/") if part not in ("", "."))
    entries = tree.list_directory(directory)
    if not entries:
        argument = argument[:_MAX_ARGUMENT_CHARS]
        return _Answer(f"list {argument}: there is no such directory.")
    shown: list[str] = []
    tokens = 0
    for entry in entries[:MAX_ENTRIES]:
        line = f"{entry}\n"
        tokens += estimate_tokens(line)
        if tokens > budget_tokens:
            break
        shown.append(line)
    name = directory or "The top directory"
    more = _render_more(len(entries), len(shown))
    return _Answer(f"{name}: {len(entries)} entries{more}.", "".join(shown))


def _render_more(count: int, shown: int) -> str:
    return "" if shown == count else f", the first {shown} of them here"
