"""What a task needs of its repository: the repository's instructions for contributors, and a view
with changes that are not committed yet.

Instructions are read from the default branch alone: whoever can write there may ask TinyGen for
changes anyway, while a pull request's author may be anybody. Files that the model may not be shown
are not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bot.types import Task
from bot.types.snapshot import Blob, Change, Changes, RepositoryView
from bot.types.text import read_text

FILES = (
    "AGENTS.md",
    ".github/copilot-instructions.md",
    "CONTRIBUTING.md",
    ".github/CONTRIBUTING.md",
    "CONTRIBUTING.rst",
)
"""https://agents.md,
https://docs.github.com/en/copilot/customizing-copilot/adding-repository-custom-instructions-for-github-copilot"""
MAX_FILE_CHARS = {"AGENTS.md": 8_000, ".github/copilot-instructions.md": 8_000}
BRIEF_CHARS = 2_000
"""The limit of the other files: those are written for people, and mostly not about code."""
MAX_BLOB_BYTES = 256_000


def prepare_task(task: Task, view: RepositoryView, *, instructions: str | None = None) -> Task:
    """The task with the repository's instructions and language. `instructions` is the text of its
    instruction files; None reads them from the view."""
    policy = view.policy
    words = read_instructions(view) if instructions is None else instructions
    asked = "\n\n".join(part for part in (words, policy.instructions) if part)
    return replace(task, instructions=asked, language=policy.language)


def read_instructions(view: RepositoryView) -> str:
    """The instruction files, each under its name and cut to a limit; "" if there are none."""
    visible = view.visible()
    blobs = [blob for name in FILES if (blob := visible.blobs.get(name)) and _is_readable(blob)]
    parts = []
    for blob, content in zip(blobs, visible.read(blobs), strict=True):
        text = (read_text(content) or "").strip()
        limit = MAX_FILE_CHARS.get(blob.path, BRIEF_CHARS)
        if text:
            parts.append(
                f"{blob.path}:\n{text[:limit]}{' [cut here]' if len(text) > limit else ''}"
            )
    return "\n\n".join(parts)


def _is_readable(blob: Blob) -> bool:
    return blob.mode.startswith("100") and blob.size_bytes <= MAX_BLOB_BYTES


def with_changes(base: RepositoryView, changes: Changes) -> RepositoryView:
    """The view with the changes made. Its `sha` stays the base's, since the changes are in no
    commit."""
    if not changes:
        return base
    blobs = {path: blob for path, blob in base.blobs.items() if path not in changes}
    contents: dict[str, bytes] = {}
    for change in changes.values():
        if change.content is not None:
            blob = _blob(change, change.content)
            blobs[blob.path], contents[blob.oid] = blob, change.content

    def read(wanted: Iterable[Blob]) -> Iterator[bytes]:
        asked = list(wanted)
        others = base.read([blob for blob in asked if blob.oid not in contents])
        for blob in asked:
            yield contents[blob.oid] if blob.oid in contents else next(iter(others))

    in_order = sorted(blobs.items(), key=lambda item: item[0].encode("utf-8", "surrogateescape"))
    after = dict(in_order)
    if base.shown is base.blobs:
        shown = after
    else:
        shown = {
            path: blob for path, blob in after.items() if path in base.shown or path in changes
        }
    return replace(base, blobs=after, shown=shown, read=read)


def _blob(change: Change, content: bytes) -> Blob:
    """https://git-scm.com/book/en/v2/Git-Internals-Git-Objects"""
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return Blob(change.path, change.mode, oid, len(content))
