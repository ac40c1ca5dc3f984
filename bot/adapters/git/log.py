"""Which commits touched a file, or some of its lines, and what they did to it.

The history lies in the cache without files, so the contents that are compared are fetched first:
those of one path at `MAX_LOGGED_COMMITS` commits, and no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.adapters.git.process import Runner
from bot.types.snapshot import MAX_LOGGED_COMMITS, FileCommit, LineRange

_FIND = (
    f"log -z -n{MAX_LOGGED_COMMITS} --no-merges --no-renames --raw --no-abbrev"
    " --format=%x00%H%x00%P --end-of-options"
)
_SHOW = (
    "log --no-walk=unsorted --no-renames -p -U0 --no-ext-diff --no-textconv --no-color"
    " --format=%x00%H%x00%as%x00%s%x00 --end-of-options"
)
_FOUND = re.compile(
    r"\0([0-9a-f]{40})\0([0-9a-f ]*)\0\n:\d{6} \d{6} ([0-9a-f]{40}) ([0-9a-f]{40}) "
)
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
_ALL_LINES = (1, 1 << 62)
_NO_OID = "0" * 40
_MAX_DIFF_CHARS = 3_000
_MAX_SUBJECT_CHARS = 120

FetchBlobs = Callable[[list[str]], None]
"""Makes sure that the blobs with these ids are there."""


@dataclass(frozen=True, slots=True)
class TouchingCommit:
    """A commit that touched the file, and the ids of its contents before and after."""

    sha: str
    blobs: tuple[str, ...]


def find_commits(runner: Runner, git_dir: Path, sha: str, path: str) -> tuple[TouchingCommit, ...]:
    """The last commits up to `sha` that touched the file, newest first. A commit whose parent is not
    here is left out, since it seems to add the whole file. GitFailed if a tree is missing."""
    output = runner.run(git_dir, *_FIND.split(), sha, "--", _literal(path))
    found = _FOUND.findall(output.decode("utf-8", "replace"))
    return tuple(
        TouchingCommit(commit, tuple(oid for oid in (old, new) if oid != _NO_OID))
        for commit, parents, old, new in found
        if parents
    )


def show_commits(
    runner: Runner,
    git_dir: Path,
    commits: Sequence[TouchingCommit],
    path: str,
    lines: LineRange | None,
) -> tuple[FileCommit, ...]:
    """What each commit did to the file, or to the lines. GitFailed if a blob is missing."""
    if not commits:
        return ()
    shas = [commit.sha for commit in commits]
    output = runner.run(git_dir, *_SHOW.split(), *shas, "--", _literal(path))
    return tuple(_parse(output.decode("utf-8", "replace").split("\0"), lines or _ALL_LINES))


def _literal(path: str) -> str:
    return f":(literal,top){path}"


def _parse(fields: list[str], lines: LineRange) -> Iterator[FileCommit]:
    """The fields are: "", and for each commit its sha, date, subject, and diff. The lines are
    followed from commit to commit, until one that added them all."""
    for sha, date, subject, diff in zip(*(iter(fields[1:]),) * 4, strict=False):
        hunks = _parse_hunks(diff)
        first, last = lines
        touching = [each for each in hunks if each.new[0] <= last and each.new[1] >= first]
        lines = _line_before(hunks, first, 0), _line_before(hunks, last, 1)
        text = "".join(each.text for each in touching).strip("\n")
        if len(text) > _MAX_DIFF_CHARS:
            text = f"{text[:_MAX_DIFF_CHARS]}\n[cut here]"
        if text:
            yield FileCommit(sha, date, subject[:_MAX_SUBJECT_CHARS], text)
        if lines[0] > lines[1]:
            return


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Its lines before and after, 1-based and inclusive; a side without lines ends before it
    starts."""

    text: str
    old: LineRange
    new: LineRange


def _parse_hunks(diff: str) -> list[_Hunk]:
    heads = list(_HUNK.finditer(diff))
    ends = [*(head.start() for head in heads[1:]), len(diff)]
    return [
        _Hunk(diff[head.start() : end], _range(head[1], head[2]), _range(head[3], head[4]))
        for head, end in zip(heads, ends, strict=True)
    ]


def _range(start: str, count: str | None) -> LineRange:
    """In a diff, a side without lines has the number of the line before it."""
    first, lines = int(start), int(count or "1")
    return (first, first + lines - 1) if lines else (first + 1, first)


def _line_before(hunks: list[_Hunk], line: int, edge: Literal[0, 1]) -> int:
    """Where the line was before the hunks; for a changed one the first line (0) or the last (1) of
    what it replaced."""
    moved = 0
    for hunk in hunks:
        if hunk.new[0] > line:
            break
        if hunk.new[1] >= line:
            return hunk.old[edge]
        moved = hunk.old[1] - hunk.new[1]
    return line + moved
