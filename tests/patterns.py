"""The regular expressions of `bot`, as tests find them: see tests/redos.py.

One that takes more than linear time is listed in BOUNDS, with the most that it is given. Patterns of
two other kinds are not here: those of pydantic's `Field(pattern=…)` run in Rust's engine, and those
of `bot.change.context.answers` in RE2; neither backtracks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.adapters.github.attachments import _signed_addresses
from bot.change.edits.files import path_fault
from bot.logs import make_redactor
from bot.thread.links import _attachment_pattern
from bot.types.globs import _compile_name
from tests.redos import find_patterns


@dataclass(frozen=True, slots=True)
class Bound:
    """The longest input that a pattern is given, why it is no longer, and a check of that where
    there is one."""

    chars: int
    why: str
    holds: Callable[[], bool] | None = None


BOUNDS: Mapping[str, Bound] = {
    "cli/doctor/machine.py:check_git": Bound(
        100, "what the operator's own git says of its version"
    ),
    "change/checks/syntax.py:_JSON_WITH_COMMENTS": Bound(
        1_000, "a path that may be changed", lambda: path_fault("a/" * 501) is not None
    ),
}

MAKERS: Mapping[str, Callable[[], object]] = {
    "thread/links.py:_attachment_pattern": lambda: [
        _attachment_pattern("https://github.com"),
        _attachment_pattern("https://ghe.example"),
    ],
    "types/globs.py:_compile_name": lambda: [
        _compile_name("*a*b*c"),
        _compile_name("*a?b*?*c.py"),
        _compile_name("*?" * 50 + "x"),
        _compile_name("*" * 200),
    ],
    "logs.py:make_redactor": lambda: make_redactor(
        ["secret-value-1", "secret-value-2\nabcdefgh", "aaaaaaaaaaaaaaaaaaab"]
    ),
    "adapters/github/attachments.py:_signed_addresses": lambda: _signed_addresses(
        "https://github.com"
    ),
}
"""Examples of the patterns that are made as the program runs."""

METHODS: Mapping[str, str] = {
    "change/context/definitions.py:_COMPILED": "finditer",
    "change/context/ranking/task.py:_BOILERPLATE": "match",
    "change/context/ranking/task.py:_HEADING": "match",
    "change/context/ranking/task.py:_SURROUNDINGS": "match",
    "change/checks/text.py:_SECRETS": "finditer",
    "change/edits/reply/unsupported.py:_FORMS": "match",
    "types/globs.py:_compile_name": "match",
    "thread/links.py:_FILE_SIGNATURES": "match",
    "thread/links.py:_attachment_pattern": "fullmatch",
    "logs.py:make_redactor": "finditer",
}
"""How those are matched that are not used by their own name."""

USES = find_patterns(MAKERS, METHODS)
