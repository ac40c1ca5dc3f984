"""Whether a file parses: by Python's own parsers, libyaml and expat, and by the grammars of
tree-sitter.

Each is imported where a file asks for it: a child's start is most of what a check costs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

_Parse = Callable[[bytes], str | None]
"""Where and why the file does not parse; None where it does, or where this parser does not judge
it."""


def find_fault(path: str, content: bytes) -> str | None:
    """Where and why the file does not parse by the language of its suffix; None where it does, or
    where nothing is known of it."""
    suffix = path.rpartition(".")[2].lower()
    parse = _PARSERS.get(suffix)
    if parse is None:
        return _grammar(suffix, content) if suffix in GRAMMARS else None
    try:
        return parse(content)
    except RecursionError:
        return "it is nested too deeply"
    except MemoryError as error:  # with words it is a parser's own limit, without any it is ours
        return "it is nested too deeply" if error.args else None


def _python(content: bytes) -> str | None:
    import ast
    import warnings

    warnings.simplefilter("ignore")
    try:
        ast.parse(content)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except ValueError as error:
        return _words(error)
    return None


def _json(content: bytes) -> str | None:
    import json

    try:
        json.loads(content.decode("utf-8-sig"))
    except ValueError as error:
        return _words(error)
    return None


def _toml(content: bytes) -> str | None:
    import tomllib

    try:
        tomllib.loads(content.decode())
    except ValueError as error:
        return _words(error)
    return None


def _yaml(content: bytes) -> str | None:
    """By its events alone: no aliases are followed, so nothing can be made to grow."""
    import yaml

    try:
        for _ in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return f"line {mark.line + 1}: {error.problem}" if mark else str(error.problem)
    except (yaml.YAMLError, ValueError) as error:
        return _words(error)
    return None


class _Declared(Exception):
    pass


def _xml(content: bytes) -> str | None:
    """A file that declares entities can be made to grow without bound: it is not judged."""
    from xml.parsers import expat

    def declared(*_: object) -> None:
        raise _Declared

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = declared
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        return _words(error)
    except _Declared:
        pass
    return None


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


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
"""By suffix: a module, and its function that gives the grammar. C, C++ and C# are left out: without
their macros, 30 to 60 % of real files do not parse."""


def _grammar(suffix: str, content: bytes) -> str | None:
    from tree_sitter import Language, Parser

    module, function = GRAMMARS[suffix]
    root = Parser(Language(getattr(import_module(module), function)())).parse(content).root_node
    if not root.has_error:
        return None
    node = _first_fault(root)
    kind = f"`{node.type}` is missing" if node.is_missing else "a syntax error"
    return f"line {node.start_point.row + 1}: {kind}"


def _first_fault(node: Any) -> Any:
    while not (node.is_error or node.is_missing):
        node = next(child for child in node.children if child.has_error)
    return node
