"""Snapshots in memory, for the tests of edits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bot.core.edits import apply_edits, read_reply
from bot.core.types import Applied, Blob, Changes, Snapshot


def snapshot(files: Mapping[str, bytes | str], modes: Mapping[str, str] | None = None) -> Snapshot:
    contents = {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
    blobs = {
        path: Blob(path, (modes or {}).get(path, "100644"), f"{number:040x}", len(content))
        for number, (path, content) in enumerate(contents.items())
    }

    def read(wanted: Iterable[Blob]) -> Iterator[bytes]:
        return (contents[blob.path] for blob in wanted)

    return Snapshot("0" * 40, blobs, read)


def answer(files: Mapping[str, bytes | str], reply: str, current: Changes | None = None) -> Applied:
    """What a reply does to files."""
    return apply_edits(snapshot(files), current or {}, read_reply(reply).edits)


def after(files: Mapping[str, bytes | str], reply: str) -> dict[str, bytes | None]:
    """The changed files' contents; every edit must hold."""
    parts = read_reply(reply)
    assert not parts.problems
    applied = apply_edits(snapshot(files), {}, parts.edits)
    assert [rejection.message for rejection in applied.rejected] == []
    return {path: change.content for path, change in applied.changes.items()}
