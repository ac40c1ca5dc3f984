"""YAML of strangers as plain values that know their lines, so that a mistake can be shown with its
line.

Only what a settings file needs is read: mappings with plain names, lists and scalars. Aliases are
refused, since they can make a small file huge. A scalar that is no null, bool or int is text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

_MAX_NODES = 2_000
_MAX_DEPTH = 20
"""PyYAML needs more time and stack for each level."""
_TRUE = frozenset({"true", "yes", "on"})
_MAX_INT_DIGITS = 9

Loc = tuple[int | str, ...]
"""The names and list indexes that lead to a value, as pydantic gives them."""


class InvalidYaml(Exception):
    """`line` is 1-based; None if the mistake is not in one line."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class LocatedValue:
    """The value of a file, and the line of each of its parts."""

    value: Any
    lines: dict[Loc, int] = field(default_factory=dict)

    def line(self, loc: Loc) -> int | None:
        """The line of the part, or of the nearest part around it that has one."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc)

    def drop(self, loc: Loc) -> None:
        """Removes the part; all of the value if `loc` is (). Drop the items of a list from its
        end, since the later ones move."""
        if not loc:
            self.value = {}
            return
        parent = self.value
        for part in loc[:-1]:
            parent = parent[part]
        del parent[loc[-1]]


def read_yaml(content: bytes, *, max_bytes: int) -> LocatedValue:
    """The value of the file; {} if it is empty. InvalidYaml if it cannot be read."""
    if len(content) > max_bytes:
        raise InvalidYaml(f"The file is larger than {max_bytes} bytes; make it smaller.")
    try:
        node = yaml.compose(content.decode("utf-8-sig"), Loader=_Loader)
    except UnicodeDecodeError:
        raise InvalidYaml("The file is not UTF-8; save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise InvalidYaml(f"This is no YAML ({error.problem}); mend it.", line) from None
    except yaml.YAMLError:
        raise InvalidYaml(
            "The file holds characters that YAML does not allow; take them out."
        ) from None
    located = LocatedValue({})
    if node is not None:
        value = _Reader(located.lines).read(node, ())
        located.value = {} if value is None else value
    return located


class _Loader(yaml.SafeLoader):
    """Refuses a file that is nested too deeply or holds too many values, before all of it is
    parsed."""

    _depth = 0
    _nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            line: int = self.line + 1
            raise InvalidYaml(
                f"The file holds more than {_MAX_NODES} values; make it smaller.", line
            )
        if self._depth >= _MAX_DEPTH:
            raise InvalidYaml("The file is nested too deeply; make it flat.")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Reader:
    """Turns nodes into values, and fills `lines`."""

    def __init__(self, lines: dict[Loc, int]) -> None:
        self._lines = lines
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, loc: Loc) -> Any:
        line = node.start_mark.line + 1
        if id(node) in self._seen:
            raise InvalidYaml("Aliases (`*name`) are not read here; write the value again.", line)
        self._seen.add(id(node))
        self._lines.setdefault(loc, line)
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*loc, index)) for index, item in enumerate(node.value)]
        return _read_scalar(node)

    def _read_mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InvalidYaml("A name must be plain text.", line)
            if key.value in values:
                raise InvalidYaml(f"`{key.value[:40]}` is there twice; keep one.", line)
            self._lines[(*loc, key.value)] = line
            values[key.value] = self.read(value, (*loc, key.value))
        return {name: value for name, value in values.items() if value is not None}


def _read_scalar(node: yaml.Node) -> Any:
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    if kind == "int" and text.isdecimal() and len(text) <= _MAX_INT_DIGITS:
        return int(text)
    return text
