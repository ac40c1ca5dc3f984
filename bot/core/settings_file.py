"""YAML from strangers, read into plain values that remember their lines.

Only what a settings file needs: mappings with plain keys, lists, and scalars. Aliases, which can make a small file
huge, are refused; scalars of other kinds than YAML's plainest are text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

_MAX_NODES = 2_000
_MAX_DEPTH = 20
"""The parser takes longer, and more of the stack, the deeper a file is nested."""
_TRUE = frozenset({"true", "yes", "on"})

Loc = tuple[int | str, ...]


class Unreadable(Exception):
    """`line` is 1-based, None where the whole file is meant."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Located:
    """A file's value, from which faulty parts can be taken, and the line of each part by its place."""

    value: Any
    lines: dict[Loc, int] = field(default_factory=dict)

    def line(self, loc: Loc) -> int | None:
        """The line of the part, or of the nearest one around it."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc)

    def drop(self, loc: Loc) -> None:
        """Takes the part away; without a place, everything. Items of one list are dropped from its end."""
        if not loc:
            self.value = {}
            return
        inside = self.value
        for part in loc[:-1]:
            inside = inside[part]
        del inside[loc[-1]]


def read_yaml(content: bytes, *, max_bytes: int) -> Located:
    """The file's value; an empty file is an empty mapping."""
    if len(content) > max_bytes:
        raise Unreadable(f"The file is larger than {max_bytes} bytes; make it smaller.")
    try:
        node = yaml.compose(content.decode("utf-8-sig"), Loader=_Loader)
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8; save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(f"This is no YAML ({error.problem}); mend it.", mark.line + 1 if mark else None) from None
    except yaml.YAMLError:
        raise Unreadable("The file holds characters that YAML does not allow; take them out.") from None
    located = Located({})
    if node is not None:
        value = _Reader(located.lines).read(node, ())
        located.value = {} if value is None else value
    return located


class _Loader(yaml.SafeLoader):
    """Goes no deeper than a settings file does."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self._depth >= _MAX_DEPTH:
            raise Unreadable("The file is nested too deeply; make it flat.")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Reader:
    def __init__(self, lines: dict[Loc, int]) -> None:
        self._lines = lines
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, loc: Loc) -> Any:
        line = node.start_mark.line + 1
        if id(node) in self._seen:
            raise Unreadable("Aliases (`*name`) are not read here; write the value again.", line)
        self._seen.add(id(node))
        if len(self._seen) > _MAX_NODES:
            raise Unreadable(f"The file holds more than {_MAX_NODES} values; make it smaller.", line)
        self._lines.setdefault(loc, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*loc, at)) for at, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise Unreadable("A name must be plain text.", line)
            if key.value in read:
                raise Unreadable(f"`{key.value[:40]}` is there twice; keep one.", line)
            self._lines[(*loc, key.value)] = line
            read[key.value] = self.read(value, (*loc, key.value))
        return {name: value for name, value in read.items() if value is not None}


def _scalar(node: yaml.Node) -> Any:
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    if kind == "int" and text.isdecimal() and len(text) < 10:
        return int(text)
    return text
