"""Bare repositories read for a benchmark, straight from git: some of them lack their largest files,
which then have no size and are never read."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from bot.adapters.git.objects import read_history
from bot.adapters.git.process import Runner
from bot.types.snapshot import Blob, Snapshot


def open_snapshot(repositories: Path, source: str, sha: str) -> Snapshot:
    """`source` is `owner/name`."""
    return read_snapshot(find_repository(repositories, source), sha)


def find_repository(repositories: Path, source: str) -> Path:
    directory = repositories / source.replace("/", "+")
    return directory / "repo" if (directory / "repo").exists() else directory


def read_snapshot(directory: Path, sha: str) -> Snapshot:
    listing = subprocess.run(
        ["git", "-C", str(directory), "ls-tree", "-r", "-l", "-z", sha],
        capture_output=True,
        check=True,
    ).stdout
    entries = listing.decode("utf-8", "surrogateescape").split("\0")[:-1]
    blobs = {blob.path: blob for blob in map(_blob, entries)}

    def read(wanted: Iterable[Blob]) -> Iterator[bytes]:
        yield from _read(directory, list(wanted))

    return Snapshot(sha, blobs, read, partial(read_history, Runner(), directory, sha))


def _blob(entry: str) -> Blob:
    meta, path = entry.split("\t", 1)
    mode, _, oid, size = meta.split()
    return Blob(path, mode, oid, int(size) if size.isdigit() else 0)


def _read(directory: Path, wanted: list[Blob]) -> Iterator[bytes]:
    if not wanted:
        return
    with tempfile.TemporaryFile() as names:
        names.write("".join(f"{blob.oid}\n" for blob in wanted).encode())
        names.seek(0)
        with subprocess.Popen(
            ["git", "-C", str(directory), "cat-file", "--batch", "--buffer"],
            stdin=names,
            stdout=subprocess.PIPE,
        ) as git:
            assert git.stdout
            for _ in wanted:
                size_bytes = int(git.stdout.readline().split()[2])
                yield git.stdout.read(size_bytes)
                git.stdout.read(1)
