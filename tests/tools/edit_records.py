"""What the code makes of replies, as text: one line for each, with the hash of the tree or what the
model is told."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from tests.tools.checkout import hash_blob, hash_tree, load, make_snapshot
from tests.tools.git_commits import Commit
from tests.tools.made.dice import Dice

Files = Mapping[str, bytes]


def record_commits(commits: list[Commit]) -> Iterator[str]:
    """Each commit said in each form, clean, with each kind of dirt, and spoilt so that it must be
    asked about."""
    newest = commits[0].snapshot()
    for commit in commits:
        base = commit.snapshot()
        for form in load("FORMS"):
            for dirt in (load("CLEAN"), *load("DIRTS")):
                text = _reply(commit, form, dirt)
                if text is not None:
                    outcome = record_reply(base, commit.modes, text)
                    yield f"{commit.name} {form} {dirt.name!r} {outcome}"
            clean = _reply(commit, form, load("CLEAN"))
            if clean is not None:
                yield from _spoilt(commit, form, clean, base, newest)


def _reply(commit: Commit, form: str, dirt: Any) -> str | None:
    if form not in dirt.forms:
        return None
    reply: str | None = load("make_reply")(form, dirt, commit.changes, random.Random(commit.name))
    return reply


def _spoilt(commit: Commit, form: str, clean: str, base: Any, newest: Any) -> Iterator[str]:
    yield f"{commit.name} {form} 'on the newest base' {record_reply(newest, commit.modes, clean)}"
    for name, spoil in _SPOILT.items():
        text = spoil(clean, Dice(f"{commit.name} {form} {name}"))
        yield f"{commit.name} {form} {name!r} {record_reply(base, commit.modes, text)}"


def _without_a_line(text: str, dice: Dice) -> str:
    lines = text.splitlines(keepends=True)
    at = dice.number(0, len(lines) - 1)
    return "".join((*lines[:at], *lines[at + 1 :]))


def _with_two_lines_swapped(text: str, dice: Dice) -> str:
    lines = text.splitlines(keepends=True)
    one, other = dice.number(0, len(lines) - 1), dice.number(0, len(lines) - 1)
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def _with_a_line_changed(text: str, dice: Dice) -> str:
    lines = text.splitlines(keepends=True)
    at = dice.number(0, len(lines) - 1)
    lines[at] = f"{lines[at][:3]}changed {lines[at][3:]}"
    return "".join(lines)


_SPOILT: dict[str, Callable[[str, Dice], str]] = {
    "cut in the middle": lambda text, dice: text[: dice.number(1, len(text))],
    "without a line": _without_a_line,
    "with two lines swapped": _with_two_lines_swapped,
    "with a line changed": _with_a_line_changed,
    "said twice": lambda text, dice: f"{text}\nOnce more:\n\n{text}",
}


def record_reply(base: Any, modes: Mapping[str, str], text: str) -> str:
    """The hashes of the reply and of what was read in it, and what came of it."""
    parts = load("read_reply")(text)
    applied = load("apply_edits")(base, {}, parts.edits)
    said = [
        [astuple(each) for each in parts.edits],
        [astuple(each) for each in parts.requests],
        parts.prose,
    ]
    told = (
        *parts.problems,
        *(f"{each.edit.path}: {each.message}" for each in applied.rejected),
        *load("find_problems")(base, applied.changes),
    )
    words = "" if not told else f" told {json.dumps(told)}"
    outcome = f"changes {len(applied.changes)} {_hash_changes(applied.changes)}"
    return f"reply {_digest(text)} read {_digest(repr(said))} {outcome}{words}"


def _hash_changes(changes: Mapping[str, Any]) -> str:
    """One hash over all that differs from the base, and what is gone."""
    gone = {path: ("gone", b"") for path, change in changes.items() if change.content is None}
    made = {
        path: (change.mode, change.content)
        for path, change in changes.items()
        if change.content is not None
    }
    return hash_tree(gone | made)


def record_samples(replies: Path, files: Files) -> Iterator[str]:
    """Every reply of a folder laid on the same files, with the hash of each file that comes out."""
    base = make_snapshot(files)
    for path in sorted(replies.glob("*.md")):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        yield f"{path.stem} {record_reply(base, {}, text)}"
        parts = load("read_reply")(text)
        for each in (*parts.edits, *parts.requests):
            yield f"  {astuple(each)!r}"
        for name, change in sorted(load("apply_edits")(base, {}, parts.edits).changes.items()):
            gone = change.content is None
            yield f"  {change.mode} {'gone' if gone else hash_blob(change.content)} {name}"


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their path in it."""
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
