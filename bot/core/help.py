"""What `/tinygen help` says: the commands that this person may give in this thread, and what each does here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from bot.core.render import code
from bot.core.repo_settings import Action
from bot.core.types import Mode, Permission

Where = Literal["issue", "pull", "fork"]
"""An issue, a pull request of the repository, or one whose branch belongs to a fork."""

_SHOWS = "shows the change as a diff"
_PUSHES: dict[Where, str] = {"issue": "opens a pull request", "pull": "adds a commit to this pull request"}


def render_help(
    login: str, permission: Permission, where: Where, mode: Mode, *, may: Collection[Action] = ("pr", "apply")
) -> str:
    """The comment's words, for one who may command the bot; `may` says whether it writes for them."""
    own = "issue's" if where == "issue" else "pull request's"
    rows = [
        ("PROMPT", _solve(where, mode) if "pr" in may else _SHOWS),
        ("", f"takes the {own} own text as the prompt"),
        (
            "apply",
            f"{_PUSHES[where]} with exactly the diff last shown here" if where in _PUSHES and "apply" in may else "",
        ),
        ("retry", "runs the last request of this thread again"),
        ("cancel", "stops what is running in this thread"),
        ("status", "says what is queued, running and done here"),
        ("help", "shows this"),
    ]
    table = [f"| `{f'/tinygen {words}'.rstrip()}` | {does} |" for words, does in rows if does]
    opening = f"{code(login)}, who has the permission {code(permission)}, may begin a line of a comment here with:"
    return "\n".join([opening, "", "| command | does |", "| --- | --- |", *table]) + "\n"


def _solve(where: Where, mode: Mode) -> str:
    if where not in _PUSHES:
        return f"{_SHOWS}: this branch belongs to a fork, which I cannot push to"
    pushes, base = _PUSHES[where], "; `--base BRANCH`: from there" if where == "issue" else ""
    return f"{_SHOWS} (`--pr`: {pushes}{base})" if mode == "diff" else f"{pushes} (`--diff`: {_SHOWS}{base})"
