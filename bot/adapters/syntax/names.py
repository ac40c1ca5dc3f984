"""Which names a source file imports, declares and calls: with Python's own parser and pyflakes, and
with the grammars of tree-sitter for JavaScript, TypeScript, Go and Rust. Runs in the child process.

The answer has the fields of `bot.types.source_names.SourceNames`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
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
}

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


def read_names(path: str, content: bytes) -> Answer | None:
    """None if the file does not parse, or is in none of these languages."""
    suffix = path.rpartition(".")[2].lower()
    try:
        if suffix in ("py", "pyi"):
            return _read_python(path, content)
        if suffix in GRAMMARS:
            return _read_by_grammar(suffix, content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return None


# Python


def _read_python(path: str, content: bytes) -> Answer:
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

    found = checker.Checker(tree, filename=path).messages
    kinds = (messages.UndefinedName, *(() if is_dynamic else (messages.UndefinedExport,)))
    if path.endswith(".pyi"):
        return []
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


# The other languages

_IDENTIFIERS = {
    "identifier",
    "type_identifier",
    "shorthand_property_identifier",
    "shorthand_property_identifier_pattern",
    "jsx_identifier",
    "package_identifier",
}
_MAX_TOP_DEPTH = 2
"""How deep a function at the top of a file stands: JavaScript's may be in an `export`."""
_MAX_TEXT_BYTES = 5_000
"""Of a node whose text is looked at."""
_FUNCTIONS = {
    "function_declaration",
    "generator_function_declaration",
    "function_item",
}
_RUST_TYPES = {"enum_item", "struct_item", "trait_item", "type_item", "union_item"}
_RUST_ITEMS = {"mod_item", "use_declaration", "extern_crate_declaration", *_RUST_TYPES}
_PLAIN_ARGUMENTS = {
    "identifier", "interpreted_string_literal", "raw_string_literal", "int_literal",
    "float_literal", "true", "false", "nil", "integer_literal", "string_literal", "boolean_literal",
    "reference_expression", "selector_expression", "field_expression", "binary_expression",
}  # fmt: skip
_SAYS_EXPORTS = re.compile(rb"\b(?:module\.exports|exports|__exportStar)\b|\bexport import\b")
"""CommonJS, and what else gives a module names in a way that is not read."""
_PACKAGE = re.compile(r"^package (\w+)", re.MULTILINE)
_OPTIONAL = {"try_statement", "if_statement", "conditional_type"}


def _read_by_grammar(suffix: str, content: bytes) -> Answer | None:
    from tree_sitter import Language, Parser

    module, function = GRAMMARS[suffix]
    language = Language(getattr(import_module(module), function)())
    root = Parser(language).parse(content).root_node
    if root.has_error:
        return None
    reader = _GrammarReader(suffix)
    reader.is_dynamic = suffix not in ("go", "rs") and _SAYS_EXPORTS.search(content) is not None
    reader.read(root)
    if suffix == "go":
        reader.exports = set(_PACKAGE.findall(content.decode("utf-8", "replace"))[:1])
        reader.is_dynamic = reader.is_dynamic or b"//go:build" in content or b"+build" in content
    if suffix == "rs":
        reader.imports = [each for each in reader.imports if each[0] not in reader.declared]
    return {
        "undefined": [],
        "imports": reader.imports,
        "exports": None if reader.is_dynamic else sorted(reader.exports),
        "functions": reader.functions,
        "calls": reader.calls,
        "others": sorted(reader.others),
    }


class _GrammarReader:
    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self.imports: list[list[Any]] = []
        self.exports: set[str] = set()
        self.functions: dict[str, list[Any] | None] = {}
        self.calls: list[list[Any]] = []
        self.others: set[str] = set()
        self.is_dynamic = False
        self.declared: set[str] = set()
        """Of Rust: modules, types and what `use` brings, which the first part of a path may
        mean."""

    def read(self, root: Any) -> None:
        stack = [(root, False, 0)]
        while stack:
            node, is_optional, depth = stack.pop()
            skipped = self._read_node(node, is_optional, depth)
            is_optional = is_optional or node.type in _OPTIONAL
            for child in node.children:
                if child.start_byte not in skipped or child.type not in ("identifier",):
                    stack.append((child, is_optional, depth + 1))

    def _read_node(self, node: Any, is_optional: bool, depth: int) -> set[int]:
        """Where the children begin that are no other use of a name."""
        kind = node.type
        if kind in _IDENTIFIERS:
            self.others.add(_text(node))
        elif kind == "call_expression":
            return self._add_call(node, is_optional)
        elif kind in _FUNCTIONS:
            return self._add_function(node, depth)
        elif kind in ("import_statement", "import_spec", "export_statement"):
            self._add_import(node, is_optional)
            self._add_exports(node)
        elif kind in _RUST_ITEMS:
            self._add_rust(node, depth)
        return set()

    def _add_call(self, node: Any, is_optional: bool) -> set[int]:
        called = node.child_by_field_name("function")
        arguments = node.child_by_field_name("arguments")
        if called is None or arguments is None:
            return set()
        given = [each for each in arguments.named_children if each.type != "comment"]
        if called.type == "import" or _text(called) == "require":
            is_optional = is_optional or called.type == "import"
            if len(given) == 1 and given[0].type == "string":
                self.imports.append([_unquoted(given[0]), "", 0, _line(node), is_optional])
            return set()
        if called.type != "identifier":
            return set()
        types = {each.type for each in arguments.children}
        is_open = bool(types & {"spread_element", "variadic_argument", "..."})
        # In Go, one call may give all arguments.
        is_open = is_open or (len(given) == 1 and given[0].type not in _PLAIN_ARGUMENTS)
        self.calls.append([_text(called), len(given), [], is_open, _line(node)])
        return {called.start_byte}

    def _add_function(self, node: Any, depth: int) -> set[int]:
        name = node.child_by_field_name("name")
        if name is None:
            return set()
        if depth > _MAX_TOP_DEPTH:
            # It is not of the whole file: its name may mean something else there.
            self.others.add(_text(name))
            return {name.start_byte}
        known = None
        parameters = node.child_by_field_name("parameters")
        is_typed = self._suffix in ("go", "rs") and parameters is not None
        if is_typed and _text(name) not in self.functions:
            known = _count_parameters(parameters)
        self.functions[_text(name)] = known
        return {name.start_byte}

    def _add_import(self, node: Any, is_optional: bool) -> None:
        source = node.child_by_field_name("source") or node.child_by_field_name("path")
        if source is None:
            return
        module, names = _unquoted(source), [""]
        specifiers = [each for each in _descend(node) if each.type.endswith("_specifier")]
        names += [_text(each.child_by_field_name("name")) for each in specifiers]
        if node.type == "import_spec":
            alias = node.child_by_field_name("name")
            self.is_dynamic = self.is_dynamic or (alias is not None and _text(alias) == ".")
        is_type = _text(node).startswith(("import type", "export type"))
        for name in names:
            self.imports.append([module, name, 0, _line(node), is_optional or is_type])

    def _add_exports(self, node: Any) -> None:
        if node.type != "export_statement":
            return
        text = _text(node)
        if text.startswith(("export *", "export =")):
            self.is_dynamic = True
        elif text.startswith("export default"):
            self.exports.add("default")
        for each in node.named_children:
            if each.type == "export_clause":
                for specifier in each.named_children:
                    name = specifier.child_by_field_name("alias")
                    name = name or specifier.child_by_field_name("name")
                    self.exports.add(_text(name))
            else:
                self.exports |= set(_declared(each))

    def _add_rust(self, node: Any, depth: int) -> None:
        if node.type in _RUST_TYPES:
            self.declared.add(_text(node.child_by_field_name("name")))
        elif node.type == "mod_item":
            name = _text(node.child_by_field_name("name"))
            self.declared.add(name)
            if node.child_by_field_name("body") is None:
                is_odd = depth > 1 or _has_attribute(node)
                self.imports.append([f"mod {name}", "", 0, _line(node), is_odd])
        else:
            self._add_use(node)

    def _add_use(self, node: Any) -> None:
        text = _text(node)
        self.is_dynamic = self.is_dynamic or "*" in text or not text
        path = node.child_by_field_name("argument") or node.child_by_field_name("name")
        if path is not None:
            first = _text(path).lstrip(":").partition("::")[0].partition(" ")[0]
            self.declared |= {name for name in re.findall(r"\w+", text) if name != first}
            if first.isidentifier():
                self.imports.append([first, "", 0, _line(node), False])


def _has_attribute(node: Any) -> bool:
    before = node.prev_named_sibling
    while before is not None and before.type.endswith("comment"):
        before = before.prev_named_sibling
    return before is not None and before.type == "attribute_item"


def _count_parameters(parameters: Any) -> list[Any] | None:
    """In the form of a Python function's. A method of Rust is not called by its bare name."""
    count, is_open = 0, False
    for each in parameters.named_children:
        if each.type == "self_parameter":
            return None
        if each.type in ("parameter_declaration", "parameter"):
            names = each.children_by_field_name("name")
            count += len(names) or 1
        elif each.type == "variadic_parameter_declaration":
            is_open = True
        elif each.type in ("attribute_item", "variadic_parameter"):
            return None
    return [[f"{number}" for number in range(count)], count, [], [], is_open, False]


def _declared(node: Any) -> Iterator[str]:
    """The names that an exported declaration declares."""
    name = node.child_by_field_name("name")
    if name is not None:
        yield _text(name)
    if node.type in ("lexical_declaration", "variable_declaration", "ambient_declaration"):
        for each in _descend(node):
            name = each.child_by_field_name("name")
            if name is not None:
                for part in (name, *_descend(name)):
                    if part.type in _IDENTIFIERS:
                        yield _text(part)


def _descend(node: Any) -> Iterator[Any]:
    stack = list(node.named_children)
    while stack:
        child = stack.pop()
        yield child
        stack += child.named_children


def _text(node: Any) -> str:
    """ "" for a long one: looking at the text of each of many nested nodes takes long."""
    if node is None or node.end_byte - node.start_byte > _MAX_TEXT_BYTES:
        return ""
    return str(node.text.decode("utf-8", "replace"))


def _unquoted(node: Any) -> str:
    return _text(node).strip("\"'`")


def _line(node: Any) -> int:
    return int(node.start_point.row) + 1
