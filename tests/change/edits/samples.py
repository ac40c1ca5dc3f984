"""Applies replies to files held in memory, for the tests of edits."""

from __future__ import annotations

from collections.abc import Mapping

from bot.change.edits import apply_edits, read_reply
from bot.types.reply import EditResult
from bot.types.snapshot import Changes
from tests.change.snapshots import view_of

Files = Mapping[str, bytes | str]
LONG = "".join(f"line {number} of the file\n" for number in range(200))


def apply_reply(
    files: Files, reply: str, current: Changes | None = None, modes: Mapping[str, str] | None = None
) -> EditResult:
    """The result of all edits of a reply."""
    contents = {
        path: content.encode() if isinstance(content, str) else content
        for path, content in files.items()
    }
    edits = read_reply(reply, known=files).edits
    return apply_edits(view_of(contents, modes=modes), current or {}, edits)


def contents_after(files: Files, reply: str) -> dict[str, bytes | None]:
    """The contents of the changed files; the whole reply must be read, and every edit applied."""
    assert read_reply(reply, known=files).problems == ()
    result = apply_reply(files, reply)
    assert [rejection.message for rejection in result.rejected] == []
    return {path: change.content for path, change in result.changes.items()}


def rejection_of(files: Files, reply: str, modes: Mapping[str, str] | None = None) -> str:
    """The message about a reply's only edit, which must not be applied."""
    result = apply_reply(files, reply, modes=modes)
    assert not result.changes
    assert not result.applied
    (rejection,) = result.rejected
    return rejection.message


def problem_of(files: Files, reply: str) -> str:
    """The only problem of a reply in which nothing can be read as an edit."""
    parsed = read_reply(reply, known=files)
    assert parsed.edits == ()
    (problem,) = parsed.problems
    return problem
