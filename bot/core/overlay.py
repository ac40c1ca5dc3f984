"""A repository as changes that are not committed yet leave it: what a further change is made on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bot.core.tree import Blob, Change, Changes, Snapshot


def with_changes(base: Snapshot, changes: Changes) -> Snapshot:
    """The snapshot with the changes made. Its `sha` stays the base's, since there is no commit of it."""
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
    kept = dict(in_order)
    view = None
    if base.view is not None:
        view = {path: blob for path, blob in kept.items() if path in base.view or path in changes}
    return replace(base, blobs=kept, read=read, view=view)


def _blob(change: Change, content: bytes) -> Blob:
    """https://git-scm.com/book/en/v2/Git-Internals-Git-Objects"""
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return Blob(change.path, change.mode, oid, len(content))
