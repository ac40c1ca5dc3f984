"""What replies do to files held in memory, for the tests of edits."""

from __future__ import annotations

from collections.abc import Mapping

from bot.change.edits import apply_edits, read_reply
from bot.types.reply import Applied
from bot.types.snapshot import Changes
from tests.change.snapshots import view_of

Files = Mapping[str, bytes | str]


def answer(
    files: Files, reply: str, current: Changes | None = None, modes: Mapping[str, str] | None = None
) -> Applied:
    """What a reply does."""
    return apply_edits(
        view_of(_contents(files), modes=modes), current or {}, read_reply(reply, known=files).edits
    )


def after(files: Files, reply: str) -> dict[str, bytes | None]:
    """The changed files' contents; all of the reply must be read, and every edit must hold."""
    assert read_reply(reply, known=files).problems == ()
    applied = answer(files, reply)
    assert [rejection.message for rejection in applied.rejected] == []
    return {path: change.content for path, change in applied.changes.items()}


def refusal(files: Files, reply: str, modes: Mapping[str, str] | None = None) -> str:
    """What the model is told of a reply's only edit, which must not be applied."""
    applied = answer(files, reply, modes=modes)
    assert not applied.changes
    assert not applied.held
    (rejection,) = applied.rejected
    return rejection.message


def told(files: Files, reply: str) -> str:
    """What the model is told of a reply in which nothing can be read as an edit."""
    parts = read_reply(reply, known=files)
    assert parts.edits == ()
    (problem,) = parts.problems
    return problem


def block(path: str, search: str, replace: str) -> str:
    """A search/replace block in the asked-for form; its sides end with a newline or are empty."""
    return f"{path}\n```\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n```\n"


def _contents(files: Files) -> dict[str, bytes]:
    return {
        path: content.encode() if isinstance(content, str) else content
        for path, content in files.items()
    }
