"""Reads a commit's files straight from git's objects: one listing, and contents in bulk when they
are asked for.

What the newest commits touched: their messages and paths, for which git needs commits and trees,
but no file.

Bare repositories of our own making: the caches, and the scratch ones in which everything is
computed.

A scratch repository borrows the objects of another one (git's alternates) and keeps what is written
to itself. So neither a cache nor a user's own repository is ever written to, and git reads no
configuration, attribute or hook but ours. https://git-scm.com/docs/gitrepository-layout
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bot.adapters.git.process import GitFailed, Runner
from bot.errors import BadRequest, OutsideError
from bot.types.snapshot import Blob, PastCommit

MAX_COMMITS = 300
_LOG = (
    f"log -z -n{MAX_COMMITS} --no-merges --no-renames --name-only --format=%x00%P%x00%B%x00"
    " --end-of-options".split()
)


def read_history(runner: Runner, git_dir: Path, sha: str) -> tuple[PastCommit, ...]:
    """The newest commits up to `sha`, newest first. One without a parent here is left out: it seems
    to touch every file. GitFailed where a commit or tree is missing."""
    log = runner.run(git_dir, *_LOG, sha)
    return tuple(_past_commits(log.decode("utf-8", "surrogateescape").split("\0")))


def _past_commits(words: list[str]) -> Iterator[PastCommit]:
    """Each commit as: nothing, its parents, its message, nothing, its paths."""
    at = 0
    while at + 4 < len(words):
        parents, message = words[at + 1], words[at + 2]
        end = words.index("", at + 4)
        if parents:
            yield PastCommit(message, tuple(path.lstrip("\n") for path in words[at + 4 : end]))
        at = end


EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

# No redirects: they would carry the token, or the job, to somewhere else. fsync: all of it can be
# fetched again. Files over bigFileThreshold are streamed and compared as binary, not held in memory
# several times.
_CONFIG = """\
[core]
	repositoryformatversion = 0
	bare = true
	hooksPath = /dev/null
	fsync = none
	bigFileThreshold = 64m
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	unpackLimit = 1
	recurseSubmodules = false
[credential]
	helper =
[http]
	followRedirects = false
	lowSpeedLimit = 1000
	lowSpeedTime = 30
[protocol]
	version = 2
"""


@contextmanager
def disk_errors_named() -> Iterator[None]:
    """An OutsideError in place of an OSError, without the path that would tell about this
    machine."""
    try:
        yield
    except OSError as error:
        raise OutsideError(
            f"The bot's disk cannot be used: {error.strerror or type(error).__name__}.",
            next_step="The operator must look after its space and permissions.",
        ) from error


def make_bare(directory: Path) -> None:
    """Lays out an empty bare repository in an existing, empty directory."""
    for name in ("objects/info", "objects/pack", "refs", "info"):
        (directory / name).mkdir(parents=True)
    (directory / "config").write_text(_CONFIG)
    (directory / "HEAD").write_text("ref: refs/heads/none\n")


@contextmanager
def scratch(objects: Path) -> Iterator[Path]:
    """A bare repository, gone afterwards, that sees every object of `objects` and writes none of
    its own there."""
    with disk_errors_named(), tempfile.TemporaryDirectory(prefix="tinygen-") as name:
        directory = Path(name)
        make_bare(directory)
        (directory / "objects/info/alternates").write_bytes(c_quoted(bytes(objects)) + b"\n")
        shallow = objects.parent / "shallow"  # where its history ends
        if shallow.is_file():
            shutil.copyfile(shallow, directory / "shallow")
        yield directory


def write_blob(git_dir: Path, content: bytes) -> str:
    """The object id of `content`, written as a loose object: what `git hash-object -w` does,
    without a process."""
    return write_object(git_dir, "blob", content)


def write_object(git_dir: Path, kind: str, content: bytes) -> str:
    store = b"%s %d\0" % (kind.encode(), len(content)) + content
    oid = hashlib.sha1(store, usedforsecurity=False).hexdigest()
    path = git_dir / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(store, level=1))
    return oid


def c_quoted(name: bytes) -> bytes:
    """`name` in double quotes, as git's files and options take odd names."""
    special = re.compile(rb'[\x00-\x1f\x7f-\xff"\\]')
    return b'"' + special.sub(lambda found: b"\\%03o" % found[0][0], name) + b'"'


def checked_sha(sha: str) -> str:
    """`sha` itself, which is then safe as an argument of git; BadRequest where it is not 40
    hexadecimal digits."""
    if not re.fullmatch(r"[0-9a-f]{40}", sha):
        raise BadRequest(
            "That is not a full commit sha.",
            next_step="Name the commit by its 40 hexadecimal digits.",
        )
    return sha


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
    """The contents in order, one in memory at a time. ValueError for a submodule, which has
    none."""
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
    """The contents of the blobs with these ids, in order. GitFailed where one is missing or
    damaged."""
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
