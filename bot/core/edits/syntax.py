"""Whether changed files still parse. Only a fault that the base did not have is the change's doing."""

from __future__ import annotations

import ast
import json
import re
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from xml.parsers import expat

import yaml

MAX_CHECKED_BYTES = 1_000_000
"""Larger files are not parsed: it would take long, and they are generated."""
_MAX_TOML_LINE_BYTES = 5_000
"""The parser takes time quadratic in the parts of a dotted key, which stands on one line."""
_WITH_COMMENTS = re.compile(
    r"(?:^|/)(?:[jt]sconfig[^/]*\.json|\.(?:vscode|devcontainer)/.*|\.?[a-z]*rc\.json|.*\.code-.*)$"
)

Judge = Callable[[Sequence[tuple[str, bytes]]], Sequence[str | None]]
"""Of files, each with its path: where and why it does not parse, None where it does or nothing is known."""
Versions = Mapping[str, tuple[bytes | None, bytes]]
"""By path: what the file was, None where it is new, and what it is now."""

_Parse = Callable[[bytes], None]


class _Skipped(Exception):
    """The file is of a kind that this parser does not judge."""


def unjudged(files: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
    """A judge that knows no language."""
    return [None] * len(files)


def find_faults(versions: Versions, judge: Judge) -> Iterator[tuple[str, str]]:
    """(path, sentence) of each file that does not parse and, where it is old, did before. `judge` is asked of the
    languages that Python's own parsers do not know, once or twice."""
    new = dict(_faults([(path, now) for path, (_, now) in versions.items()], judge))
    old = dict(_faults([(path, before) for path in new if (before := versions[path][0]) is not None], judge))
    for path in new.keys() - old.keys():
        was = "" if versions[path][0] is None else ", though it did before"
        yield path, f"{path} does not parse as {_LANGUAGES[_suffix(path)]}{was}: {new[path]}."


def _faults(files: Sequence[tuple[str, bytes]], judge: Judge) -> Iterator[tuple[str, str]]:
    others: list[tuple[str, bytes]] = []
    for path, content in files:
        suffix = _suffix(path)
        if len(content) > MAX_CHECKED_BYTES or (suffix == "json" and _WITH_COMMENTS.search(path)):
            continue
        if suffix in _PARSERS:
            if fault := _fault(_PARSERS[suffix], content):
                yield path, fault
        elif suffix in _LANGUAGES:
            others.append((path, content))
    if others:
        yield from ((path, fault) for (path, _), fault in zip(others, judge(others), strict=True) if fault)


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower()


def _fault(parse: _Parse, content: bytes) -> str | None:
    try:
        parse(content)
    except _Skipped:
        return None
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except yaml.MarkedYAMLError as error:
        return f"line {error.problem_mark.line + 1}: {error.problem}" if error.problem_mark else str(error.problem)
    except (ValueError, expat.ExpatError, yaml.YAMLError) as error:
        return " ".join(str(error).split())[:200]
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


def _yaml(content: bytes) -> None:
    """Its events alone: no aliases are followed, so nothing can be made to grow."""
    for _ in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        pass


def _xml(content: bytes) -> None:
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = _declared
    parser.Parse(content, True)


def _declared(*_: object) -> None:
    """A file that declares entities can be made to grow without bound: it is not judged."""
    raise _Skipped


_PARSERS: dict[str, _Parse] = {
    "py": _python,
    "pyi": _python,
    "json": _json,
    "toml": _toml,
    "yaml": _yaml,
    "yml": _yaml,
    "xml": _xml,
    "svg": _xml,
    "xsd": _xml,
    "csproj": _xml,
}
_LANGUAGES = {
    "py": "Python", "pyi": "Python", "json": "JSON", "toml": "TOML", "yaml": "YAML", "yml": "YAML",
    "xml": "XML", "svg": "XML", "xsd": "XML", "csproj": "XML",
    "js": "JavaScript", "jsx": "JavaScript", "mjs": "JavaScript", "cjs": "JavaScript",
    "ts": "TypeScript", "mts": "TypeScript", "cts": "TypeScript", "tsx": "TypeScript",
    "go": "Go", "rs": "Rust", "java": "Java", "rb": "Ruby", "php": "PHP", "sh": "shell", "bash": "shell",
}  # fmt: skip
