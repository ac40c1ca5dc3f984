"""Commits of a git repository, as a base and the files that change: what replies are made from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.tools.checkout import load, make_snapshot

MAX_FILES, MAX_CHARS = 20, 300_000
"""Commits that are larger are no task for one reply."""
_NONE = "0" * 40


@dataclass(frozen=True)
class Commit:
    """`files` are those of the base, `modes` theirs where they are not 100644."""

    name: str
    files: dict[str, bytes]
    modes: dict[str, str]
    changes: tuple[Any, ...]

    def snapshot(self) -> Any:
        """The base."""
        return make_snapshot(self.files, self.modes)


def read_commits(git_dir: Path, until: str, count: int) -> Iterator[Commit]:
    """The newest `count` commits up to `until` with one parent that change text alone, newest
    first."""
    words = ("--no-merges", "--format=%H %P", f"--max-count={count * 5}", until)
    found = 0
    for line in _git(git_dir, "log", *words).decode().splitlines():
        sha, *parents = line.split()
        if found == count or len(parents) != 1:
            continue
        changes = _changes(git_dir, sha)
        if changes:
            found += 1
            yield Commit(sha[:10], *_tree(git_dir, parents[0]), changes)


def _changes(git_dir: Path, sha: str) -> tuple[Any, ...]:
    """Empty where a reply could not say them."""
    raw = _git(git_dir, "diff-tree", "-r", "-z", "--no-renames", "--no-commit-id", "--raw", sha)
    words = raw.decode("utf-8", "surrogateescape").split("\0")
    entries = [
        (head[1:].split(), path) for head, path in zip(words[::2], words[1::2], strict=False)
    ]
    if len(entries) > MAX_FILES or not all(_is_plain(*facts[:2]) for facts, _ in entries):
        return ()
    changes = [_change(git_dir, sha, path, facts[2], facts[3]) for facts, path in entries]
    size = sum(len(change.old or "") + len(change.new or "") for change in changes)
    has_nul = any("\0" in f"{change.old}{change.new}" for change in changes)
    return () if has_nul or size > MAX_CHARS else tuple(changes)


def _is_plain(old: str, new: str) -> bool:
    """Files that stay what they are: edits say nothing about modes."""
    fresh = (old, new) in (("000000", "100644"), ("100644", "000000"))
    return fresh or (old == new and old in ("100644", "100755"))


def _change(git_dir: Path, sha: str, path: str, old: str, new: str) -> Any:
    before, after = (None if oid == _NONE else _text(_blob(git_dir, oid)) for oid in (old, new))
    words = ("diff-tree", "-p", "--no-renames", "--no-commit-id", sha, "--", f":(literal){path}")
    return load("FileChange")(path, before, after, _text(_git(git_dir, *words)))


def _tree(git_dir: Path, sha: str) -> tuple[dict[str, bytes], dict[str, str]]:
    files: dict[str, bytes] = {}
    modes: dict[str, str] = {}
    for line in _text(_git(git_dir, "ls-tree", "-r", "-z", sha)).split("\0")[:-1]:
        facts, path = line.split("\t", 1)
        mode, _, oid = facts.split()
        files[path] = b"" if mode == "160000" else _blob(git_dir, oid)
        modes[path] = mode
    return files, modes


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


@cache
def _blob(git_dir: Path, oid: str) -> bytes:
    return _git(git_dir, "cat-file", "blob", oid)


def _git(git_dir: Path, *words: str) -> bytes:
    """Without the settings of whoever runs it: they change how git writes diffs."""
    command = [
        "git",
        "-C",
        str(git_dir),
        "-c",
        "core.abbrev=12",
        "-c",
        "diff.noprefix=false",
        *words,
    ]
    return subprocess.run(command, check=True, capture_output=True).stdout
