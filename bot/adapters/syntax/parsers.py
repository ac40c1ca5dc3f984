"""Checks whether a file parses: with Python's own parsers, libyaml and expat, and with the grammars
of tree-sitter.

Each parser is imported when a file needs it, because the start of the child process is most of the
cost of a check.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

GRAMMARS = {
    "js": ("tree_sitter_javascript", "language"),
    "jsx": ("tree_sitter_javascript", "language"),
    "mjs": ("tree_sitter_javascript", "language"),
    "cjs": ("tree_sitter_javascript", "language"),
    "ts": ("tree_sitter_typescript", "language_typescript"),
    "mts": ("tree_sitter_typescript", "language_typescript"),
    "cts": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "rs": ("tree_sitter_rust", "language"),
    "java": ("tree_sitter_java", "language"),
    "rb": ("tree_sitter_ruby", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "sh": ("tree_sitter_bash", "language"),
    "bash": ("tree_sitter_bash", "language"),
}
"""By suffix: a module, and its function that returns the grammar. C, C++ and C# are left out:
without their macros, 30 to 60 % of real files do not parse."""

_NESTED_TOO_DEEPLY = "it is nested too deeply"
_MAX_MESSAGE_CHARS = 200


def find_fault(path: str, content: bytes) -> str | None:
    """The first syntax error by the language of the file's suffix, with its line if that is known;
    None if the file parses, or if no parser here can tell."""
    suffix = path.rpartition(".")[2].lower()
    if suffix in GRAMMARS:
        return _parse_by_grammar(suffix, content)
    parse = _PARSERS.get(suffix)
    if parse is None:
        return None
    try:
        return parse(content)
    except RecursionError:
        return _NESTED_TOO_DEEPLY
    except MemoryError as error:
        # With a message it is a limit of the parser's own; without one it is the child's memory
        # limit, which says nothing about the file.
        return _NESTED_TOO_DEEPLY if error.args else None


def _parse_python(content: bytes) -> str | None:
    import ast
    import warnings

    warnings.simplefilter("ignore")
    try:
        ast.parse(content)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except ValueError as error:
        return _message(error)
    return None


def _parse_json(content: bytes) -> str | None:
    import json

    try:
        json.loads(content.decode("utf-8-sig"))
    except ValueError as error:
        return _message(error)
    return None


def _parse_toml(content: bytes) -> str | None:
    import tomllib

    try:
        tomllib.loads(content.decode())
    except ValueError as error:
        return _message(error)
    return None


def _parse_yaml(content: bytes) -> str | None:
    """Reads YAML's events only: no alias is expanded, so a small file cannot become a huge
    value."""
    import yaml

    try:
        for _ in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return f"line {mark.line + 1}: {error.problem}" if mark else str(error.problem)
    except (yaml.YAMLError, ValueError) as error:
        return _message(error)
    return None


class _EntityDeclared(Exception):
    pass


def _parse_xml(content: bytes) -> str | None:
    """None for a file that declares entities: they could expand without bound."""
    from xml.parsers import expat

    def stop(*_: object) -> None:
        raise _EntityDeclared

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = stop
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        return _message(error)
    except _EntityDeclared:
        pass
    return None


def _message(error: Exception) -> str:
    """The error's text on one line."""
    return " ".join(str(error).split())[:_MAX_MESSAGE_CHARS]


_PARSERS: dict[str, Callable[[bytes], str | None]] = {
    "py": _parse_python,
    "pyi": _parse_python,
    "json": _parse_json,
    "toml": _parse_toml,
    "yaml": _parse_yaml,
    "yml": _parse_yaml,
    "xml": _parse_xml,
    "svg": _parse_xml,
    "xsd": _parse_xml,
    "csproj": _parse_xml,
}


def _parse_by_grammar(suffix: str, content: bytes) -> str | None:
    from tree_sitter import Language, Parser

    module, function = GRAMMARS[suffix]
    language = Language(getattr(import_module(module), function)())
    root = Parser(language).parse(content).root_node
    if not root.has_error:
        return None
    node = _first_error(root)
    problem = f"`{node.type}` is missing" if node.is_missing else "a syntax error"
    return f"line {node.start_point.row + 1}: {problem}"


def _first_error(node: Any) -> Any:
    while not (node.is_error or node.is_missing):
        node = next(child for child in node.children if child.has_error)
    return node
