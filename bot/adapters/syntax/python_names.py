"""Which names a file of Python imports, declares and calls: with Python's own parser and pyflakes.
Runs in the child process. The answer has the fields of `bot.types.source_names.SourceNames`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

Answer = dict[str, Any]
_PYTHON_2 = frozenset({
    "ConfigParser", "Cookie", "HTMLParser", "Queue", "StringIO", "Tkinter", "WindowsError",
    "__builtin__", "basestring", "cPickle", "cStringIO", "cookielib",
    "dummy_thread", "execfile", "httplib", "long", "raw_input", "reload",
    "unichr", "unicode", "urllib2", "urlparse", "xrange", "xmlrpclib",
})  # fmt: skip
"""Names and modules that only Python 2 has, or only Windows: code for several of them asks which it
runs on."""
_PLAIN_BASES = ("object", "Exception", "ValueError", "TypeError", "RuntimeError")
"""Bases that leave it to the class what it is called with; others may have a metaclass."""
_DYNAMIC = ("globals()", "sys.modules[", "vars()", "lazy_loader", "LazyModule")
"""What a module says that may give it names in other ways than by declaring them."""


def read_python_names(path: str, content: bytes) -> Answer | None:
    """None if the file does not parse, or is of another language."""
    if not path.endswith((".py", ".pyi")):
        return None
    try:
        return _read(path, content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _read(path: str, content: bytes) -> Answer:
    import warnings

    warnings.simplefilter("ignore")
    tree = ast.parse(content)
    text = content.decode("utf-8", "replace")
    reader = _PythonReader()
    reader.read(tree)
    by_functions = (each.names for each in ast.walk(tree) if isinstance(each, ast.Global))
    own = frozenset((*_module_names(tree.body), *chain.from_iterable(by_functions)))
    is_dynamic = reader.has_star or "__getattr__" in own or any(each in text for each in _DYNAMIC)
    return {
        "undefined": _find_undefined(path, tree, is_dynamic=is_dynamic),
        "imports": reader.imports,
        "exports": None if is_dynamic else sorted(own),
        "functions": reader.functions,
        "calls": [
            call for call in reader.calls if call[0].rpartition(".")[2] not in reader.rebound
        ],
        "others": sorted(reader.rebound),
    }


def _find_undefined(path: str, tree: ast.Module, *, is_dynamic: bool) -> list[list[Any]]:
    from pyflakes import checker, messages

    if path.endswith(".pyi"):
        return []
    found = checker.Checker(tree, filename=path).messages
    kinds = (messages.UndefinedName, *(() if is_dynamic else (messages.UndefinedExport,)))
    return [
        [str(message.message_args[0]), message.lineno]
        for message in found
        if isinstance(message, kinds) and message.message_args[0] not in _PYTHON_2
    ]


def _module_names(body: list[ast.stmt]) -> Iterator[str]:
    """What the statements of a module bind, also those inside `if`, `try`, `with` and loops."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        else:
            for node in ast.walk(statement):
                yield from _bound_by(node)
            for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
                for each in getattr(statement, inner, ()):
                    is_clause = isinstance(each, ast.ExceptHandler | ast.match_case)
                    yield from _module_names(each.body if is_clause else [each])


def _bound_by(node: ast.AST) -> Iterator[str]:
    """The names that a node itself binds, but for definitions and imports."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        yield from (node.name,) if node.name else ()
    elif isinstance(node, ast.MatchMapping):
        yield from (node.rest,) if node.rest else ()
    elif isinstance(node, ast.Global):
        yield from node.names


class _PythonReader:
    """Walks a module. A call is of a bare name, or of `self.name` in a class: then it is named
    `Class.name`."""

    def __init__(self) -> None:
        self.imports: list[list[Any]] = []
        self.functions: dict[str, list[Any] | None] = {}
        self.calls: list[list[Any]] = []
        self.rebound: set[str] = set()
        self.has_star = False

    def read(self, tree: ast.Module) -> None:
        stack: list[tuple[ast.AST, str, str, bool, bool]] = [(tree, "", "", False, False)]
        while stack:
            node, owner, around, is_optional, fails = stack.pop()
            self._read_node(node, owner, around, is_optional=is_optional, is_expected_to_fail=fails)
            inner_owner, inner = owner, around
            if isinstance(node, ast.ClassDef):
                inner_owner, inner = node.name, "class"
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                inner = "function"
            fails = fails or _expects_failure(node)
            is_optional = (
                is_optional or fails or inner == "function" or isinstance(node, ast.Try | ast.If)
            )
            stack += [
                (child, inner_owner, inner, is_optional, fails)
                for child in ast.iter_child_nodes(node)
            ]

    def _read_node(
        self,
        node: ast.AST,
        owner: str,
        around: str,
        *,
        is_optional: bool,
        is_expected_to_fail: bool,
    ) -> None:
        if isinstance(node, ast.Import):
            self._add_import(node, is_optional)
        elif isinstance(node, ast.ImportFrom):
            self._add_import_from(node, around, is_optional)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._add_function(node, owner, around)
        elif isinstance(node, ast.ClassDef):
            self._add_class(node, around)
        elif isinstance(node, ast.Call):
            if not is_expected_to_fail:
                self._add_call(node, owner)
        elif isinstance(node, ast.Attribute):
            self.rebound |= set() if isinstance(node.ctx, ast.Load) else {node.attr}
        else:
            self.rebound |= set(_bound_by(node))

    def _add_import(self, node: ast.Import, is_optional: bool) -> None:
        for alias in node.names:
            if not _is_standard(alias.name):
                self.imports.append([alias.name, "", 0, node.lineno, is_optional])
            self.rebound.add(alias.asname or alias.name.partition(".")[0])

    def _add_import_from(self, node: ast.ImportFrom, around: str, is_optional: bool) -> None:
        for alias in node.names:
            self.has_star = self.has_star or alias.name == "*"
            if node.level or not _is_standard(node.module or ""):
                self.imports.append(
                    [node.module or "", alias.name, node.level, node.lineno, is_optional]
                )
            if alias.asname or around:
                self.rebound.add(alias.asname or alias.name)

    def _add_function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str, around: str
    ) -> None:
        """One that is declared twice, decorated, or inside of another has no known parameters."""
        if around == "function":
            self.rebound.add(node.name)
            return
        name = f"{owner}.{node.name}" if around else node.name
        is_known = not node.decorator_list and name not in self.functions
        self.functions[name] = _parameters(node.args, is_method=bool(around)) if is_known else None

    def _add_class(self, node: ast.ClassDef, around: str) -> None:
        """A class is called by the parameters of its own `__init__`."""
        init = [
            each
            for each in node.body
            if isinstance(each, ast.FunctionDef) and each.name in ("__init__", "__new__")
        ]
        is_known = (
            len(init) == 1
            and not around
            and not (node.decorator_list or node.keywords or init[0].decorator_list)
            and all(getattr(base, "id", "") in _PLAIN_BASES for base in node.bases)
            and node.name not in self.functions
        )
        parameters = _parameters(init[0].args, is_method=True) if is_known else None
        self.functions[node.name] = parameters

    def _add_call(self, node: ast.Call, owner: str) -> None:
        called = node.func
        if isinstance(called, ast.Name):
            name = called.id
        elif (
            isinstance(called, ast.Attribute)
            and isinstance(called.value, ast.Name)
            and called.value.id == "self"
            and owner
        ):
            name = f"{owner}.{called.attr}"
        else:
            return
        is_open = any(isinstance(each, ast.Starred) for each in node.args)
        keywords = [each.arg for each in node.keywords]
        is_open = is_open or None in keywords
        self.calls.append([name, len(node.args), keywords, is_open, node.lineno])


def _expects_failure(node: ast.AST) -> bool:
    """Whether it is `with raises(...)` or `with suppress(...)`."""
    items = node.items if isinstance(node, ast.With | ast.AsyncWith) else []
    called = [each.context_expr.func for each in items if isinstance(each.context_expr, ast.Call)]
    names = [getattr(each, "attr", getattr(each, "id", "")) for each in called]
    return any(name.lower().endswith(("raises", "suppress", "warns")) for name in names)


def _is_standard(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in _PYTHON_2


def _parameters(arguments: ast.arguments, *, is_method: bool) -> list[Any] | None:
    """[names that positions fill, how many of them are needed, other keywords, those that are
    needed, whether more positions are taken, whether more keywords are]."""
    positional = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    needed = len(positional) - len(arguments.defaults)
    if is_method:
        if not positional:
            return None
        positional, needed = positional[1:], max(0, needed - 1)
    needed_keywords = [
        each.arg
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    return [
        positional,
        needed,
        [each.arg for each in arguments.kwonlyargs],
        needed_keywords,
        arguments.vararg is not None,
        arguments.kwarg is not None,
    ]
