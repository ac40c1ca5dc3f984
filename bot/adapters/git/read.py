"""Reads a commit's files straight from git's objects: one listing, and contents in bulk when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from bot.adapters.git.bare import scratch
from bot.adapters.git.process import GitFailed, Runner
from bot.core.tree import Blob

SUBMODULE = "160000"


def list_blobs(runner: Runner, objects: Path, sha: str) -> dict[str, Blob]:
    """Every entry below the commit's root, by path, in git's order."""
    with scratch(objects) as git_dir:
        listing = runner.run(git_dir, "ls-tree", "-r", "-l", "-z", "--full-tree", sha)
    entries = listing.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return {blob.path: blob for blob in map(_blob, entries)}


def _blob(entry: str) -> Blob:
    meta, path = entry.split("\t", 1)
    mode, _, oid, size = meta.split()
    return Blob(path, mode, oid, 0 if size == "-" else int(size))


def read_blobs(runner: Runner, objects: Path, blobs: Iterable[Blob]) -> Iterator[bytes]:
    """The contents in order, one in memory at a time. ValueError for a submodule, which has none."""
    oids = [_readable_oid(blob) for blob in blobs]
    if not oids:
        return
    with scratch(objects) as git_dir:
        yield from read_objects(runner, git_dir, oids)


def _readable_oid(blob: Blob) -> str:
    if blob.mode == SUBMODULE:
        raise ValueError(f"{blob.path!r} is a submodule: it has no content here")
    return blob.oid


def read_objects(runner: Runner, git_dir: Path, oids: list[str]) -> Iterator[bytes]:
    """The contents of the blobs with these ids, in order. GitFailed where one is missing or damaged."""
    wanted = "".join(f"{oid}\n" for oid in oids).encode()
    with runner.stream(git_dir, "cat-file", "--batch", "--buffer", stdin=wanted) as output:
        for oid in oids:
            yield _next_content(output, oid)


def _next_content(output: IO[bytes], oid: str) -> bytes:
    header = output.readline().split()
    if len(header) != 3:
        raise GitFailed("cat-file", f"{oid} cannot be read: {header!r}")
    content = output.read(int(header[2]))
    if not output.read(1):  # the newline that ends each content
        raise GitFailed("cat-file", f"{oid} ended early")
    return content
