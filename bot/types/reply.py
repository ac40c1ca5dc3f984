"""A parsed reply of the model: its edits, its requests, and the result of applying the edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.types.snapshot import Changes


@dataclass(frozen=True, slots=True)
class Edit:
    """One change that a reply asks for.

    - replace: the only place in `path` that holds `search` becomes `replace`; an empty `search`
      creates the file.
    - write: the whole content of `path` becomes `replace`.
    - delete: `path` is removed; its lines must be those of `search`, unless that is empty.
    - move: `path` is renamed to `to`; edits of `to` may follow.
    - repeat: like replace, but of a reply that names no file: it must be said before.
    - quote: nothing changes; the reply shows the code `replace`, of `path` unless that is "".
    """

    action: Literal["replace", "write", "delete", "move", "repeat", "quote"]
    path: str
    search: str = ""
    replace: str = ""
    to: str = ""
    line: int | None = None
    """The 1-based number of the line that `search` begins at, as a diff's hunk gives it. Only a
    hint: models often count wrongly."""
    anchors: tuple[str, ...] = ()
    """Lines that stand somewhere above `search`, outermost first (`@@ def f` of an apply-patch
    envelope)."""
    divider: str = ""
    """The `=======` line between the two sides of a block, if `replace` holds an equal line: then
    the block may also be divided there. Otherwise empty."""


@dataclass(frozen=True, slots=True)
class Request:
    """The model asks to see more: a file or some of its lines (`read`), the lines that match a
    regular expression (`search`), those that name something (`callers`), a directory (`list`), or
    the commits that touched a file (`log`). `unknown` is a line that is none of these."""

    kind: Literal["read", "search", "callers", "list", "log", "unknown"]
    argument: str
    """A path, a regular expression, a name, a directory, or the line itself."""
    start: int | None = None
    """Of `read` and `log`: the first and last line, 1-based and inclusive; None for all lines."""
    end: int | None = None
    name: str = ""
    """Of `read`: the definition in the file that is meant; "" for all lines."""
    glob: str = ""
    """Of `search`: the files that are searched; "" for all."""


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """The parts of a reply, each in the reply's order. `problems` are sentences for the model about
    what could not be read."""

    edits: tuple[Edit, ...]
    requests: tuple[Request, ...]
    prose: str
    problems: tuple[str, ...]
    answer: str = ""
    """The reply without reasoning, for the conversation's next turn."""


@dataclass(frozen=True, slots=True)
class RejectedEdit:
    """An edit that was not applied. `message` tells the model why, and what to send instead."""

    edit: Edit
    message: str
    is_final: bool = False
    """The repository's settings forbid the edit: the model is not asked for it again."""


@dataclass(frozen=True, slots=True)
class EditResult:
    """The result of applying a reply's edits. `changes` holds everything from the `applied` edits
    and nothing from the `rejected` ones."""

    changes: Changes
    applied: tuple[Edit, ...]
    rejected: tuple[RejectedEdit, ...]
