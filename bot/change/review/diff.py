"""The diff as its review shows it: each changed place once, with the definition that it is in whole
where that is short, and with the heads of the definitions around it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise

from bot.change.context.paths import classify_path
from bot.change.edits.align import align
from bot.change.tokens import estimate_tokens
from bot.types.snapshot import Change, Changes, LineRange, Patch, RepositoryView
from bot.types.text import is_binary

_SOURCE = (8, 60)
_OTHERS = (3, 25)
"""Lines shown above and below a changed place at least, and the longest function, or other indented
block, that is shown whole for a change in it: of source files, and of tests, documentation and so
on."""
MAX_HUNKS = 1_000
"""How many hunks are looked at, from the first: far more than are ever shown."""
MAX_REMOVED_LINES = 60
"""Of a deleted file, so many lines are shown."""
_MAX_NAMED_FILES = 20
_MAX_HEADS = 2
_MAX_HEAD_CHARS = 100
_MAX_LINE_CHARS = 1_000

_MAX_LINES_TO_HEAD = 2_000
_CLOSING = ("}", ")", "]", "#", "//", "end", "else", "elif", "except", "finally", "catch")

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True, slots=True)
class _Hunk:
    """`old` and `new` are the numbers of its first line, 1-based; `body` has a sign before each
    line."""

    old: int
    new: int
    body: Sequence[str]


@dataclass(frozen=True, slots=True)
class _ChangedFile:
    """What is shown of one file. `content` is the new one; None if the file is gone, or has no
    lines to show."""

    path: str
    heading: str
    content: bytes | None
    hunks: Sequence[_Hunk]


@dataclass(frozen=True, slots=True)
class WideDiff:
    """`shown` are the lines of the new files that the text holds, by path; `added` is the text of
    those that are new."""

    text: str
    shown: Mapping[str, Sequence[LineRange]]
    added: str


def widen_diff(patch: Patch, changes: Changes, *, budget_tokens: int) -> WideDiff:
    """The patch with more lines around its changes; whole hunks, as many as the tokens allow. What
    is left out is named at its end."""
    sections = _parts(patch.text, "diff --git ")
    files = (
        _read_section(file.path, section, changes.get(file.path))
        for file, section in zip(patch.files, sections, strict=False)
    )
    return _widen(files, budget_tokens)


def widen_difference(
    base: RepositoryView,
    before: Changes,
    after: Changes,
    *,
    budget_tokens: int,
    signs: tuple[str, str] = ("-", "+"),
) -> WideDiff:
    """The same for what differs between two versions of a change of the base. The signs stand
    before the lines that only the one or the other has; both are equally long."""
    paths = [
        path
        for path in sorted({*before, *after})
        if content_of(base, before, path) != content_of(base, after, path)
    ]
    files = (
        _compare(path, content_of(base, before, path), content_of(base, after, path))
        for path in paths
    )
    return _widen(files, budget_tokens, signs)


def _widen(
    files: Iterable[_ChangedFile],
    budget_tokens: int,
    signs: tuple[str, str] = ("-", "+"),
) -> WideDiff:
    text, added, left = "", "", budget_tokens
    left_out: dict[str, None] = {}
    shown: dict[str, list[LineRange]] = {}
    for file in files:
        for block, span in _render_file(file, signs):
            tokens = estimate_tokens(block)
            if tokens > left:
                left_out[file.path] = None
                continue
            text, left = text + block, left - tokens
            if span is not None:
                shown.setdefault(file.path, []).append(span)
                added += "".join(
                    line[len(signs[1]) :]
                    for line in block.splitlines(keepends=True)
                    if line.startswith(signs[1])
                )
    if left_out:
        named = ", ".join(list(left_out)[:_MAX_NAMED_FILES])
        text += f"[Some places are left out, since they are too long. They are in: {named}]\n"
    return WideDiff(text, shown, added)


MAX_COMPARED_BYTES = 4_000_000


def content_of(base: RepositoryView, changes: Changes, path: str) -> bytes | None:
    """The file in a version of the change; None if there is none, or no content (a submodule, and a
    file that is too large to be compared)."""
    if path in changes:
        return changes[path].content
    blob = base.blobs.get(path)
    if blob is None or blob.mode == "160000" or blob.size_bytes > MAX_COMPARED_BYTES:
        return None
    return next(iter(base.read([blob])))


def _read_section(path: str, section: str, change: Change | None) -> _ChangedFile:
    """A file's part of git's patch."""
    start = next(_line_starts(section, "@@ "), None)
    if start is None:
        # A binary file, or a change of the mode alone.
        return _ChangedFile(path, section.partition("GIT binary patch\n")[0], None, ())
    content = change.content if change is not None else None
    return _ChangedFile(path, section[:start], content, list(_read_hunks(section)))


def _compare(path: str, before: bytes | None, after: bytes | None) -> _ChangedFile:
    if is_binary(before or b"") or is_binary(after or b""):
        return _ChangedFile(path, f"{path} (binary)\n", None, ())
    old, new = _split(before or b""), _split(after or b"")
    # One equal pair past both ends closes the last hunk.
    pairs = [(-1, -1), *align(old, new), (len(old), len(new))]
    hunks = [
        _Hunk(
            i + 2,
            j + 2,
            [*(f"-{line}" for line in old[i + 1 : k]), *(f"+{line}" for line in new[j + 1 : m])],
        )
        for (i, j), (k, m) in pairwise(pairs)
        if k > i + 1 or m > j + 1
    ]
    return _ChangedFile(path, f"{path}\n", after, hunks[:MAX_HUNKS])


def _render_file(
    file: _ChangedFile, signs: tuple[str, str]
) -> Iterator[tuple[str, LineRange | None]]:
    """Its heading, then its hunks with the lines of the new file that each holds."""
    yield file.heading, None
    if file.content is not None:
        lines = _Lines(file.path, file.content)
        for span, group in _group(lines, file.hunks):
            yield _render(lines, span, group, signs), span
    elif file.hunks:
        removed = file.hunks[0].body[:MAX_REMOVED_LINES]
        more = sum(len(hunk.body) for hunk in file.hunks) - len(removed)
        yield "".join(f"{_cut(signs[0] + line[1:])}\n" for line in removed), None
        if more > 0:
            yield f"[{more} more such lines]\n", None


def _read_hunks(section: str) -> Iterator[_Hunk]:
    for part in islice(_parts(section, "@@ "), MAX_HUNKS):
        first, *body = part.removesuffix("\n").split("\n")
        if numbers := _HUNK.match(first):
            # Of an empty side, git counts the line before.
            old = int(numbers[1]) + (numbers[2] == "0")
            new = int(numbers[3]) + (numbers[4] == "0")
            yield _Hunk(old, new, [line for line in body if not line.startswith("\\")])


def _parts(text: str, words: str) -> Iterator[str]:
    """The text cut before each line that begins with the words, without what stands before the
    first. By plain search, since a patch may have 64 MB."""
    starts = chain(_line_starts(text, words), [len(text)])
    return (text[start:end] for start, end in pairwise(starts))


def _line_starts(text: str, words: str) -> Iterator[int]:
    start = 0 if text.startswith(words) else text.find(f"\n{words}") + 1
    while text.startswith(words, start):
        yield start
        start = text.find(f"\n{words}", start) + 1 or len(text)


class _Lines:
    """A file's lines, counted from 1, with their indentation."""

    def __init__(self, path: str, content: bytes) -> None:
        self.around, self.max_block = _SOURCE if classify_path(path) == "source" else _OTHERS
        self.lines = _split(content)
        self._depths: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self.lines)

    def depth(self, number: int) -> float:
        """The indentation of a line in columns; infinite for a blank line."""
        if number not in self._depths:
            line = self.lines[number - 1]
            indent = line[: len(line) - len(line.lstrip())]
            self._depths[number] = (
                math.inf if len(indent) == len(line) else len(indent.expandtabs(8))
            )
        return self._depths[number]


def _split(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace")
    return text.removesuffix("\n").split("\n") if text else []


def _group(file: _Lines, hunks: Sequence[_Hunk]) -> Iterator[tuple[LineRange, list[_Hunk]]]:
    """The hunks that are shown as one, with their lines of the new file."""
    span, group = (0, 0), list[_Hunk]()
    for hunk in hunks:
        first, last = _widened(file, _changed(hunk))
        if group and first <= span[1] + 1:
            span, group = (min(first, span[0]), max(last, span[1])), [*group, hunk]
            continue
        if group:
            yield span, group
        span, group = (first, last), [hunk]
    if group:
        yield span, group


def _changed(hunk: _Hunk) -> LineRange:
    """The lines of the new file from the first change to the last. A removed line counts as the
    line of the new file that follows it."""
    found: list[int] = []
    number = hunk.new
    for line in hunk.body:
        if line[:1] in ("+", "-"):
            found.append(number)
        number += line[:1] in ("+", " ", "")
    return (found[0], found[-1]) if found else (hunk.new, hunk.new)


def _widened(file: _Lines, changed: LineRange) -> LineRange:
    """The lines around the change, and the largest block around it that is short enough."""
    first, last = max(1, changed[0] - file.around), changed[1] + file.around
    block = max(_blocks(file, changed[1]), default=changed, key=lambda span: span[1] - span[0])
    return min(first, block[0]), min(len(file), max(last, block[1]))


def _blocks(file: _Lines, at: int) -> Iterator[LineRange]:
    """Each block that holds the line and is short enough, innermost first. A block is a line, all
    lines below it that are indented deeper, and the line that ends them."""
    depth: float = math.inf
    end = at + 1
    for first in range(min(at, len(file)), max(0, at - file.max_block), -1):
        if file.depth(first) < depth:
            depth = file.depth(first)
            below = min(len(file), first + file.max_block)
            # A line that did not end a deeper block does not end a shallower one.
            while end <= below and file.depth(end) > depth:
                end += 1
            if end <= below:
                yield first, end
            elif len(file) < first + file.max_block:
                yield first, len(file)


def _render(file: _Lines, span: LineRange, hunks: Sequence[_Hunk], signs: tuple[str, str]) -> str:
    first, last = span
    added: set[int] = set()
    removed: dict[int, list[str]] = {}
    for hunk in hunks:
        number = hunk.new
        for line in hunk.body:
            if line.startswith("-"):
                removed.setdefault(number, []).append(line)
                continue
            if line.startswith("+"):
                added.add(number)
            number += 1
    lines: list[str] = []
    for number in range(first, last + 2):
        lines += removed.get(number, ())
        if number <= last:
            lines.append(("+" if number in added else " ") + file.lines[number - 1])
    old_count = sum(not line.startswith("+") for line in lines)
    new_count = sum(not line.startswith("-") for line in lines)
    old = hunks[0].old - (hunks[0].new - first)
    heads = ", in: ".join(_find_heads(file, first))
    heading = f"@@ -{old},{old_count} +{first},{new_count} @@{f' in: {heads}' if heads else ''}\n"
    sign_of = {"-": signs[0], "+": signs[1], " ": " " * len(signs[0])}
    return heading + "".join(f"{_cut(sign_of[line[0]] + line[1:])}\n" for line in lines)


def _find_heads(file: _Lines, first: int) -> list[str]:
    """The lines above that open the blocks which the first line is in, outermost first."""
    heads: list[str] = []
    below = (file.depth(number) for number in range(first, min(len(file), first + 20) + 1))
    depth = next((each for each in below if each != math.inf), 0)
    for number in range(first - 1, max(0, first - _MAX_LINES_TO_HEAD), -1):
        if not depth or len(heads) == _MAX_HEADS:
            break
        line = file.lines[number - 1].strip()
        if file.depth(number) < depth and not line.startswith(_CLOSING):
            depth = file.depth(number)
            heads.append(f"{line[:_MAX_HEAD_CHARS]} (line {number})")
    return heads[::-1]


def _cut(line: str) -> str:
    more = len(line) - _MAX_LINE_CHARS
    return f"{line[:_MAX_LINE_CHARS]} [{more} more characters]" if more > 0 else line
