"""The content of a file before the change."""

from __future__ import annotations

from bot.change.edits.files import MAX_FILE_BYTES
from bot.types.snapshot import RepositoryView


def read_base(base: RepositoryView, path: str) -> bytes | None:
    """The file's content in the base; None if it is new, not a regular file, or too large to be
    edited."""
    blob = base.blobs.get(path)
    if blob is None or blob.mode not in ("100644", "100755") or blob.size_bytes > MAX_FILE_BYTES:
        return None
    return next(iter(base.read([blob])))
