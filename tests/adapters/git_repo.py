"""Repositories for the tests of the git adapter, made by git itself."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bot.types.github import Remote
from bot.types.snapshot import Change, Changes

_ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def git(directory: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(
        ["git", *arguments], cwd=directory, env=_ENV, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout


File = tuple[bytes, str]
"""Content and mode; of a submodule, the content is the commit's sha."""


def make_repo(directory: Path, files: Mapping[str, bytes | File]) -> str:
    """The sha of a commit with these files in a new repository whose working tree is left empty."""
    directory.mkdir(parents=True, exist_ok=True)
    git(directory, "init", "-q", "-b", "main")
    return commit(directory, files)


def commit(directory: Path, files: Mapping[str, bytes | File]) -> str:
    """The sha of one more commit on `main`, which holds these files and no others."""
    has_parent = bool(git(directory, "for-each-ref", "refs/heads/main"))
    stream = [b"commit refs/heads/main\ncommitter A <a@example.com> 0 +0000\ndata 0\n"]
    stream.append(b"from refs/heads/main^0\ndeleteall\n" if has_parent else b"")
    for path, entry in files.items():
        content, mode = _file(entry)
        octal = b"".join(b"\\%03o" % byte for byte in path.encode("utf-8", "surrogateescape"))
        name = b'"' + octal + b'"'
        oid = content if mode == "160000" else b"inline"
        stream.append(b"M %s %s %s\n" % (mode.encode(), oid, name))
        stream.append(b"data %d\n%s\n" % (len(content), content) if oid == b"inline" else b"")
    git(directory, "fast-import", "--quiet", stdin=b"".join(stream))
    return head(directory)


def head(directory: Path) -> str:
    """The sha of the newest commit on `main`."""
    return git(directory, "rev-parse", "main").decode().strip()


def remote(directory: Path) -> Remote:
    return Remote(directory.as_uri())


def files_of(directory: Path, tree: str) -> dict[str, File]:
    """All files of a tree."""
    entries = [
        line.split(b"\t", 1)
        for line in git(directory, "ls-tree", "-r", "-z", tree).split(b"\0")[:-1]
    ]
    oids = [meta.split()[2] for meta, _ in entries]
    objects = io.BytesIO(
        git(directory, "cat-file", "--batch", stdin=b"".join(oid + b"\n" for oid in oids))
    )
    files = {}
    for meta, path in entries:
        mode, kind, oid = meta.split()
        content = oid if kind == b"commit" else objects.read(int(objects.readline().split()[2]))
        objects.readline()
        files[path.decode("utf-8", "surrogateescape")] = (content, mode.decode())
    return files


def _file(entry: bytes | File) -> File:
    return (entry, "100644") if isinstance(entry, bytes) else entry


def changes_of(*changes: Change) -> Changes:
    return {change.path: change for change in changes}


def changed(files: Mapping[str, bytes | File], changes: Changes) -> dict[str, File]:
    """The files after the changes, which every patch must make."""
    after = {path: _file(entry) for path, entry in files.items()}
    for change in changes.values():
        after.pop(change.path, None)
    after.update(
        {
            change.path: (change.content, change.mode)
            for change in changes.values()
            if change.content is not None
        }
    )
    return after


def applied_in_a_checkout(directory: Path, patch: str) -> dict[str, File]:
    """The files that a person gets who checks HEAD out and runs `git apply` there."""
    git(directory, "checkout", "-q", "-f", "HEAD")
    git(directory, "clean", "-q", "-d", "-f", "-x")
    if patch:
        git(directory, "apply", "--whitespace=nowarn", "-", stdin=patch.encode())
    git(directory, "add", "-A", "-f", ".")
    return files_of(directory, git(directory, "write-tree").decode().strip())
