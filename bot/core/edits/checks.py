"""What can be told about a change without running anything, as sentences for reflection and for the report.

Only what is new counts: a file that did not parse before, markers and keys that stood there already, are not the
change's doing.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from xml.parsers import expat

from bot.core.edits.leaks import secrets_in
from bot.core.edits.lines import decode, split
from bot.core.text import is_binary
from bot.core.tree import Change, Changes, Snapshot

MAX_CHECKED_BYTES = 1_000_000
"""Larger files are not parsed: it would take long, and they are generated."""
_MAX_TOML_LINE_BYTES = 5_000
"""The parser takes time quadratic in the parts of a dotted key, which stands on one line."""
_MARKER = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .{0,200})?")
_WITH_COMMENTS = re.compile(
    r"(?:^|/)(?:[jt]sconfig[^/]*\.json|\.(?:vscode|devcontainer)/.*|\.?[a-z]*rc\.json|.*\.code-.*)$"
)
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MOST_PROBLEMS = 50

Parse = Callable[[bytes], None]


class _Skipped(Exception):
    """The file is of a kind that this parser does not judge."""


def find_problems(base: Snapshot, changes: Changes) -> tuple[str, ...]:
    """One sentence for each thing wrong with the changed files that the base did not have; fifty at most."""
    problems: list[str] = []
    known = _known_secrets(base, changes)
    for path in sorted(changes):
        change = changes[path]
        if change.content is not None:
            before = _before(base, path)
            problems.extend(_of_file(change, before, known))
    return tuple(problems[:_MOST_PROBLEMS])


def _of_file(change: Change, before: bytes | None, known: set[str]) -> Iterator[str]:
    content = change.content or b""
    if is_binary(content):
        return
    yield from _syntax(change.path, content, before)
    yield from _markers(change.path, content, before)
    yield from _secrets(change.path, content, known)
    yield from _encoding(change.path, content, before)
    yield from _direction(change.path, content, before)


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


# ---- syntax


def _syntax(path: str, content: bytes, before: bytes | None) -> Iterator[str]:
    suffix = path.rsplit(".", 1)[-1].lower()
    parse = _PARSERS.get(suffix)
    if parse is None or len(content) > MAX_CHECKED_BYTES or (suffix == "json" and _WITH_COMMENTS.search(path)):
        return
    fault = _fault(parse, content)
    if fault and (before is None or _fault(parse, before) is None):
        yield f"{path} does not parse as {_NAMES[suffix]}{'' if before is None else ', though it did before'}: {fault}."


def _fault(parse: Parse, content: bytes) -> str | None:
    try:
        parse(content)
    except _Skipped:
        return None
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, expat.ExpatError) as error:
        return str(error)[:200]
    except (RecursionError, MemoryError):
        return "it is nested too deeply"
    return None


def _python(content: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ast.parse(content)


def _json(content: bytes) -> None:
    json.loads(content.decode("utf-8-sig"))


def _toml(content: bytes) -> None:
    if max(map(len, content.split(b"\n"))) > _MAX_TOML_LINE_BYTES:
        raise _Skipped
    tomllib.loads(content.decode("utf-8"))


def _xml(content: bytes) -> None:
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = _declared
    parser.Parse(content, True)


def _declared(*_: object) -> None:
    """A file that declares entities can be made to grow without bound: it is not judged."""
    raise _Skipped


_PARSERS: dict[str, Parse] = {
    "py": _python,
    "pyi": _python,
    "json": _json,
    "toml": _toml,
    "xml": _xml,
    "svg": _xml,
    "xsd": _xml,
    "csproj": _xml,
}
_NAMES = {"py": "Python", "pyi": "Python", "json": "JSON", "toml": "TOML"} | dict.fromkeys(
    ("xml", "svg", "xsd", "csproj"), "XML"
)


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
