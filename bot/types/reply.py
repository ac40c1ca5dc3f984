"""What a reply of the model asks for, taken apart, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.types.snapshot import Changes


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that a reply asks to change.

    replace: the one place in `path` that holds `search` gets `replace`; an empty `search` creates
    the file. write: `path` becomes `replace`, whole. delete: `path` goes. move: `path` becomes `to`
    (edits of `to` may follow).
    """

    action: Literal["replace", "write", "delete", "move"]
    path: str
    search: str = ""
    replace: str = ""
    to: str = ""
    line: int | None = None
    """The 1-based line where a diff's hunk says that `search` begins: a hint, since models count
    badly."""
    anchors: tuple[str, ...] = ()
    """Lines that stand somewhere above the place (`@@ def f` of the apply-patch form), outermost
    first."""
    divider: str = ""
    """The line that divided a block's sides, where `replace` holds more like it: it may be divided
    there as well."""


@dataclass(frozen=True, slots=True)
class Request:
    """A wish of the model to see more. `start` and `end` are 1-based, inclusive line numbers of a
    read, or None."""

    kind: Literal["read", "search", "list"]
    argument: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """A reply, taken apart, in the order in which it was said. `problems` are sentences for the
    model."""

    edits: tuple[Edit, ...]
    requests: tuple[Request, ...]
    prose: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RejectedEdit:
    """An edit that could not be applied; `message` tells the model why and what to send instead."""

    edit: Edit
    message: str
    is_final: bool = False
    """The repository's settings forbid it: it is not asked for again."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of a reply's edits. `held` are the edits that were applied; nothing of a rejected
    one was."""

    changes: Changes
    held: tuple[Edit, ...]
    rejected: tuple[RejectedEdit, ...]
