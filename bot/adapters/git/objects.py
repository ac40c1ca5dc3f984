"""Reads and writes git's objects in bare repositories that we made.

git is never pointed at a repository that somebody else configured. A scratch repository borrows
the objects of another one (git's alternates) and keeps what is written to itself. So neither a
cache nor a user's repository is written to, and git reads no configuration, attribute or hook but
ours.
https://git-scm.com/docs/gitrepository-layout
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bot.adapters.git.process import GitFailed, Runner
from bot.errors import BadRequest, LimitReached, OutsideError
from bot.types.snapshot import MAX_PAST_COMMITS, Blob, PastCommit

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SUBMODULE = "160000"
MAX_ENTRIES = 300_000
"""Files of one commit. Each takes a kilobyte of memory while a job looks at it."""
_SCRATCH = re.compile(r"tinygen-(\d{1,9})-.*")

_LOG = (
    f"log -z -n{MAX_PAST_COMMITS} --no-merges --no-renames --name-only --format=%x00%P%x00%B%x00"
    " --end-of-options"
)
# No redirects: they would carry the token, or the job, to another server. No fsync: everything can
# be fetched again. Files over bigFileThreshold are streamed and compared as binary; otherwise git
# holds them in memory several times.
_CONFIG = """\
[core]
	repositoryformatversion = 0
	bare = true
	hooksPath = /dev/null
	fsync = none
	bigFileThreshold = 64m
	packedGitLimit = 512m
	packedGitWindowSize = 64m
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


def make_bare(directory: Path) -> None:
    """Makes an empty bare repository in an existing, empty directory."""
    for name in ("objects/info", "objects/pack", "refs", "info"):
        (directory / name).mkdir(parents=True)
    (directory / "config").write_text(_CONFIG)
    (directory / "HEAD").write_text("ref: refs/heads/none\n")


@contextmanager
def scratch(objects: Path) -> Iterator[Path]:
    """A temporary bare repository that sees every object of the directory `objects` and writes
    nothing there."""
    with disk_errors_explained(), tempfile.TemporaryDirectory(prefix=_scratch_prefix()) as name:
        directory = Path(name)
        make_bare(directory)
        (directory / "objects/info/alternates").write_bytes(c_quoted(bytes(objects)) + b"\n")
        shallow = objects.parent / "shallow"  # names the commits where the history was cut off
        if shallow.is_file():
            shutil.copyfile(shallow, directory / "shallow")
        yield directory


def _scratch_prefix() -> str:
    return f"tinygen-{os.getpid()}-"


def remove_leftover_scratches() -> int:
    """Removes what processes of this user left that were killed, and returns how many. To be called
    before this process makes any, since after a restart it may have the same number."""
    removed = 0
    for directory in Path(tempfile.gettempdir()).glob("tinygen-*"):
        found = _SCRATCH.fullmatch(directory.name)
        is_ours = found and directory.is_dir() and directory.lstat().st_uid == os.getuid()
        if found and is_ours and (int(found[1]) == os.getpid() or not _is_alive(int(found[1]))):
            shutil.rmtree(directory, ignore_errors=True)
            removed += 1
    return removed


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def disk_errors_explained() -> Iterator[None]:
    """Raises OutsideError for an OSError, without the path, which would tell about this machine."""
    try:
        yield
    except OSError as error:
        raise OutsideError(
            f"The bot's disk cannot be used: {error.strerror or type(error).__name__}.",
            next_step="The operator must look after its space and permissions.",
        ) from error


def list_blobs(runner: Runner, objects: Path, sha: str) -> dict[str, Blob]:
    """Every entry of the commit's tree, by path, in git's order."""
    with scratch(objects) as git_dir:
        listing = runner.run(git_dir, "ls-tree", "-r", "-l", "-z", "--full-tree", sha)
    if listing.count(b"\0") > MAX_ENTRIES:
        raise LimitReached(
            f"The repository has more than {MAX_ENTRIES:,} files at that commit.",
            next_step="Work on a smaller repository.",
        )
    entries = listing.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return {blob.path: blob for blob in map(_parse_entry, entries)}


def _parse_entry(entry: str) -> Blob:
    """From `<mode> <type> <oid> <size>\\t<path>`; a submodule has the size `-`."""
    meta, path = entry.split("\t", 1)
    mode, _, oid, size = meta.split()
    return Blob(path, mode, oid, 0 if size == "-" else int(size))


def read_blobs(runner: Runner, objects: Path, blobs: Iterable[Blob]) -> Iterator[bytes]:
    """The contents in order, one in memory at a time. ValueError for a submodule, which has
    none."""
    oids = []
    for blob in blobs:
        if blob.mode == SUBMODULE:
            raise ValueError(f"{blob.path!r} is a submodule: it has no content here")
        oids.append(blob.oid)
    if not oids:
        return
    with scratch(objects) as git_dir:
        yield from read_objects(runner, git_dir, oids)


def read_objects(runner: Runner, git_dir: Path, oids: list[str]) -> Iterator[bytes]:
    """The contents of the blobs with these ids, in order. GitFailed if one is missing or
    damaged."""
    requests = "".join(f"{oid}\n" for oid in oids).encode()
    with runner.stream(git_dir, "cat-file", "--batch", "--buffer", stdin=requests) as output:
        for oid in oids:
            yield _read_content(output, oid)


def _read_content(output: IO[bytes], oid: str) -> bytes:
    """One answer of `cat-file --batch`: a line `<oid> blob <size>`, the content, a newline."""
    header = output.readline().split()
    if len(header) != 3:
        raise GitFailed("cat-file", f"{oid} cannot be read: {header!r}")
    content = output.read(int(header[2]))
    if not output.read(1):
        raise GitFailed("cat-file", f"{oid} ended early")
    return content


def read_history(runner: Runner, git_dir: Path, sha: str) -> tuple[PastCommit, ...]:
    """Messages and paths of the last `MAX_PAST_COMMITS` commits up to `sha`, newest first; git needs
    their trees for it, but no file. A commit whose parent is not here is left out, since it seems
    to touch every file. GitFailed if a commit or tree is missing."""
    log = runner.run(git_dir, *_LOG.split(), sha)
    return tuple(_parse_log(log.decode("utf-8", "surrogateescape").split("\0")))


def _parse_log(fields: list[str]) -> Iterator[PastCommit]:
    """The fields of each commit are: "", its parents, its message, "", and its paths. The first
    path begins with a newline."""
    start = 0
    while start + 4 < len(fields):
        parents, message = fields[start + 1], fields[start + 2]
        end = fields.index("", start + 4)
        if parents:
            paths = tuple(path.lstrip("\n") for path in fields[start + 4 : end])
            yield PastCommit(message, paths)
        start = end


def write_object(git_dir: Path, kind: str, content: bytes) -> str:
    """The id of a new loose object: what `git hash-object -w` does, without a process. `kind` is
    "blob" or "commit"."""
    stored = b"%s %d\0" % (kind.encode(), len(content)) + content
    oid = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
    path = git_dir / "objects" / oid[:2] / oid[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(stored, level=1))
    return oid


def c_quoted(name: bytes) -> bytes:
    """`name` in double quotes, as git's files and options take names with special bytes."""
    special = re.compile(rb'[\x00-\x1f\x7f-\xff"\\]')
    return b'"' + special.sub(lambda match: b"\\%03o" % match[0][0], name) + b'"'


def checked_sha(sha: str) -> str:
    """`sha` itself, safe as an argument of git; BadRequest unless it is 40 hexadecimal digits."""
    if not re.fullmatch(r"[0-9a-f]{40}", sha):
        raise BadRequest(
            "That is not a full commit sha.",
            next_step="Name the commit by its 40 hexadecimal digits.",
        )
    return sha
