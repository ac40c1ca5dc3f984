"""What can be told about a change without running anything, as sentences for reflection and for the report.

Only what is new counts: a file that did not parse before, markers and keys that stood there already, are not the
change's doing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from bot.core.edits.files import MAX_FILE_BYTES
from bot.core.edits.leaks import secrets_in
from bot.core.edits.lines import Text, decode, split
from bot.core.edits.syntax import Judge, find_faults, unjudged
from bot.core.text import is_binary
from bot.core.tree import Changes, Snapshot

_MARKER = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .{0,200})?")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MOST_PROBLEMS = 50
MAX_WORK_BYTES = 40_000_000
"""How much of the changed files, before and after, is looked over line by line: a few seconds of work."""
_BYTES_OF_A_LINE = 40
"""What a line costs, however short it is."""


def find_problems(base: Snapshot, changes: Changes, judge: Judge = unjudged) -> tuple[str, ...]:
    """One sentence for each thing wrong with the changed files that the base did not have; fifty at most."""
    files = {
        path: change.content
        for path, change in sorted(changes.items())
        if change.content is not None and not is_binary(change.content)
    }
    faults = dict(find_faults(files, lambda path: _before(base, path), judge))
    found = _Findings(base, changes)
    problems: list[str] = []
    for path, content in files.items():
        problems += [faults[path]] if path in faults else []
        problems += found.in_file(path, content)
        if len(problems) >= _MOST_PROBLEMS:
            return tuple(problems[:_MOST_PROBLEMS])
    return (*problems, *found.left_out())


def _before(base: Snapshot, path: str) -> bytes | None:
    """What the file was; None where it is new, is none, or is too large to be edited."""
    blob = base.blobs.get(path)
    if blob is None or blob.mode not in ("100644", "100755") or blob.size_bytes > MAX_FILE_BYTES:
        return None
    return next(iter(base.read([blob])))


class _Findings:
    """What is new in files, within one share of work for all of them."""

    def __init__(self, base: Snapshot, changes: Changes) -> None:
        self._base = base
        self._changes = changes
        self._left_bytes = MAX_WORK_BYTES
        self._unseen: list[str] = []

    def in_file(self, path: str, content: bytes) -> Iterator[str]:
        before = _before(self._base, path) or b""
        if not (self._may_look_at(before) and self._may_look_at(content)):
            self._unseen.append(path)
            return
        was, now = split(decode(b"" if is_binary(before) else before)), split(decode(content))
        yield from _markers(path, was, now)
        yield from self._secrets(path, was, now)
        yield from _encoding(path, was, now)
        if was.bodies and _is_utf8(before) and not _is_utf8(content):
            yield f"{path} is no longer UTF-8."
        yield from _direction(path, decode(before), decode(content))

    def left_out(self) -> Iterator[str]:
        if self._unseen:
            yield (
                f"{len(self._unseen)} of the changed files are too large together to be looked over for secrets and "
                f"conflict markers: {', '.join(self._unseen[:3])}{', …' if len(self._unseen) > 3 else ''}."
            )

    def _may_look_at(self, content: bytes) -> bool:
        cost_bytes = len(content) + _BYTES_OF_A_LINE * content.count(b"\n")
        if cost_bytes <= self._left_bytes:
            self._left_bytes -= cost_bytes
            return True
        return False

    def _secrets(self, path: str, was: Text, now: Text) -> Iterator[str]:
        known = set(was.bodies)
        for number, line in enumerate(now.bodies, start=1):
            for kind, secret in secrets_in(line) if line not in known else ():
                if secret not in self._known_secrets:
                    yield f"{path}:{number} holds what looks like {kind}. Secrets do not belong in a repository."

    @cached_property
    def _known_secrets(self) -> set[str]:
        """Those of the changed files' old contents: a moved line is no new secret. Few changes bring anything that
        looks like one, so these are read late."""
        contents = (_before(self._base, path) or b"" for path in self._changes)
        return {
            secret
            for content in contents
            if not is_binary(content) and self._may_look_at(content)
            for line in split(decode(content)).bodies
            for _, secret in secrets_in(line)
        }


def _markers(path: str, was: Text, now: Text) -> Iterator[str]:
    new = _conflict_lines(now) - _conflict_lines(was)
    if new:
        yield f"{path} has conflict markers that were not there before ({sum(new.values())} lines)."


def _conflict_lines(text: Text) -> Counter[str]:
    return Counter(
        line for line in text.bodies if line[:1] in ("<", ">", "|") and len(line) < 300 and _MARKER.fullmatch(line)
    )


def _encoding(path: str, was: Text, now: Text) -> Iterator[str]:
    if len(set(was.ends) - {""}) == 1 and len(set(now.ends) - {""}) > 1:
        yield f"{path} now mixes line ends, which it did not before."


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _direction(path: str, was: str, now: str) -> Iterator[str]:
    """Signs that let a reader see other code than the one that runs: https://trojansource.codes"""
    new = Counter(_TURNS.findall(now)) - Counter(_TURNS.findall(was))
    if new:
        signs = ", ".join(sorted(f"U+{ord(sign):04X}" for sign in new))
        yield f"{path} now has signs that turn the direction of text ({signs}): what is read there is not what runs."
