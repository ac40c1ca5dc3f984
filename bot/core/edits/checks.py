"""What can be told about a change without running anything, as sentences for reflection and for the report.

Only what is new counts: a file that did not parse before, markers and keys that stood there already, are not the
change's doing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from bot.core.edits.leaks import secrets_in
from bot.core.edits.lines import decode, split
from bot.core.edits.syntax import Judge, find_faults, unjudged
from bot.core.text import is_binary
from bot.core.tree import Changes, Snapshot

_MARKER = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .{0,200})?")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MOST_PROBLEMS = 50


def find_problems(base: Snapshot, changes: Changes, judge: Judge = unjudged) -> tuple[str, ...]:
    """One sentence for each thing wrong with the changed files that the base did not have; fifty at most."""
    versions = {
        path: (_before(base, path), change.content)
        for path, change in sorted(changes.items())
        if change.content is not None and not is_binary(change.content)
    }
    faults = dict(find_faults(versions, judge))
    known = _known_secrets(base, changes)
    problems: list[str] = []
    for path, (before, content) in versions.items():
        problems += [faults[path]] if path in faults else []
        problems += _of_file(path, content, before, known)
    return tuple(problems[:_MOST_PROBLEMS])


def _of_file(path: str, content: bytes, before: bytes | None, known: set[str]) -> Iterator[str]:
    yield from _markers(path, content, before)
    yield from _secrets(path, content, known)
    yield from _encoding(path, content, before)
    yield from _direction(path, content, before)


def _before(base: Snapshot, path: str) -> bytes | None:
    blob = base.blobs.get(path)
    if blob is None or blob.mode not in ("100644", "100755"):
        return None
    return next(iter(base.read([blob])))


def _direction(path: str, content: bytes, before: bytes | None) -> Iterator[str]:
    """Signs that let a reader see other code than the one that runs: https://trojansource.codes"""
    new = Counter(_TURNS.findall(decode(content))) - Counter(_TURNS.findall(decode(before or b"")))
    if new:
        signs = ", ".join(sorted(f"U+{ord(sign):04X}" for sign in new))
        yield f"{path} now has signs that turn the direction of text ({signs}): what is read there is not what runs."


# ---- what should not come in


def _markers(path: str, content: bytes, before: bytes | None) -> Iterator[str]:
    new = _conflict_lines(content) - _conflict_lines(before or b"")
    if new:
        yield f"{path} has conflict markers that were not there before ({sum(new.values())} lines)."


def _conflict_lines(content: bytes) -> Counter[str]:
    lines = split(decode(content)).bodies
    return Counter(
        line for line in lines if line[:1] in ("<", ">", "|") and len(line) < 300 and _MARKER.fullmatch(line)
    )


def _known_secrets(base: Snapshot, changes: Changes) -> set[str]:
    """Those of the changed files' old contents: a moved line is no new secret."""
    contents = (_before(base, path) for path in changes)
    return {secret for content in contents for _, _, secret in _found_secrets(content or b"")}


def _secrets(path: str, content: bytes, known: set[str]) -> Iterator[str]:
    for line, kind, secret in _found_secrets(content):
        if secret not in known:
            yield f"{path}:{line} holds what looks like {kind}. Secrets do not belong in a repository."


def _found_secrets(content: bytes) -> Iterator[tuple[int, str, str]]:
    if is_binary(content):
        return
    for number, line in enumerate(split(decode(content)).bodies, start=1):
        for kind, secret in secrets_in(line):
            yield number, kind, secret


def _encoding(path: str, content: bytes, before: bytes | None) -> Iterator[str]:
    if not before or is_binary(before):
        return
    old, new = split(decode(before)), split(decode(content))
    if len(set(old.ends) - {""}) == 1 and len(set(new.ends) - {""}) > 1:
        yield f"{path} now mixes line ends, which it did not before."
    if _is_utf8(before) and not _is_utf8(content):
        yield f"{path} is no longer UTF-8."


def _is_utf8(content: bytes) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in decode(content)) if not content.isascii() else True
