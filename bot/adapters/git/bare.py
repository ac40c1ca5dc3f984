"""Bare repositories of our own making: the caches, and the scratch ones in which everything is computed.

A scratch repository borrows the objects of another one (git's alternates) and keeps what is written to itself. So
neither a cache nor a user's own repository is ever written to, and git reads no configuration, attribute or hook but
ours. https://git-scm.com/docs/gitrepository-layout
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import BadRequest, OutsideError

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

# No redirects: they would carry the token, or the job, to somewhere else. fsync: all of it can be fetched again.
# Files over bigFileThreshold are streamed and compared as binary, not held in memory several times.
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
    """An OutsideError in place of an OSError, without the path that would tell about this machine."""
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
    """A bare repository, gone afterwards, that sees every object of `objects` and writes none of its own there."""
    with disk_errors_named(), tempfile.TemporaryDirectory(prefix="tinygen-") as name:
        directory = Path(name)
        make_bare(directory)
        (directory / "objects/info/alternates").write_bytes(c_quoted(bytes(objects)) + b"\n")
        shallow = objects.parent / "shallow"  # where its history ends
        if shallow.is_file():
            shutil.copyfile(shallow, directory / "shallow")
        yield directory


def write_blob(git_dir: Path, content: bytes) -> str:
    """The object id of `content`, written as a loose object: what `git hash-object -w` does, without a process."""
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
    """`sha` itself, which is then safe as an argument of git; BadRequest where it is not 40 hexadecimal digits."""
    if not re.fullmatch(r"[0-9a-f]{40}", sha):
        raise BadRequest("That is not a full commit sha.", next_step="Name the commit by its 40 hexadecimal digits.")
    return sha
