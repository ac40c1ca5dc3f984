"""Which names a file of JavaScript, TypeScript, Go or Rust imports, declares and calls: with the
grammars of tree-sitter. Runs in the child process. The answer has the fields of
`bot.types.source_names.SourceNames`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
}
"""As in `parsers`: what runs in the child process imports nothing of ours."""

Answer = dict[str, Any]
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
_FOR_TYPES = re.compile(r"(?:import|export)\s{1,9}type\s{1,9}(?!from\b)")
_OPTIONAL = {"try_statement", "if_statement", "conditional_type"}


def read_grammar_names(path: str, content: bytes) -> Answer | None:
    """None if the file does not parse, or is in none of these languages."""
    suffix = path.rpartition(".")[2].lower()
    return _read(suffix, content) if suffix in GRAMMARS else None


def _read(suffix: str, content: bytes) -> Answer | None:
    from tree_sitter import Language, Parser

    module, function = GRAMMARS[suffix]
    language = Language(getattr(import_module(module), function)())
    root = Parser(language).parse(content).root_node
    if root.has_error:
        return None
    reader = _Reader(suffix)
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


class _Reader:
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
        is_type = _FOR_TYPES.match(_text(node)) is not None
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
    """Empty for a long one: looking at the text of each of many nested nodes takes long."""
    if node is None or node.end_byte - node.start_byte > _MAX_TEXT_BYTES:
        return ""
    return str(node.text.decode("utf-8", "replace"))


def _unquoted(node: Any) -> str:
    return _text(node).strip("\"'`")


def _line(node: Any) -> int:
    return int(node.start_point.row) + 1
