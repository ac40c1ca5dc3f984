"""Snapshots held in memory, for tests: `snapshot_of({"a.py": b"..."})`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from bot.types.snapshot import Blob, RepositoryPolicy, RepositoryView, Snapshot, view_repository


def snapshot_of(
    files: Mapping[str, bytes], *, sha: str = "0" * 40, modes: Mapping[str, str] | None = None
) -> Snapshot:
    """The files as a snapshot with git's own blob ids, in git's order. `modes` overrides 100644 by
    path; a submodule (160000) has no content, whatever `files` says of it."""
    modes = modes or {}
    contents: dict[str, bytes] = {}
    blobs: dict[str, Blob] = {}
    for path in sorted(files, key=lambda path: path.encode("utf-8", "surrogateescape")):
        mode = modes.get(path, "100644")
        content = b"" if mode == "160000" else files[path]
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        blobs[path] = Blob(path, mode, oid, len(content))
        contents[oid] = content

    def read(wanted: Iterable[Blob]) -> Iterator[bytes]:
        for blob in wanted:
            if blob.mode == "160000":
                raise ValueError(f"{blob.path} is a submodule: its content cannot be read.")
            yield contents[blob.oid]

    return Snapshot(sha, blobs, read)


def view_of(
    files: Mapping[str, bytes], *, sha: str = "0" * 40, modes: Mapping[str, str] | None = None
) -> RepositoryView:
    """The files under a policy that allows everything."""
    return view_repository(snapshot_of(files, sha=sha, modes=modes), RepositoryPolicy())
