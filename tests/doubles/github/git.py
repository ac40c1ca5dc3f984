"""A bare repository as the double of GitHub reads and writes it.

Git itself holds all that there is: what the REST API makes, a clone sees, and what is pushed, the
REST API shows. Objects are read through one long-lived `git cat-file --batch` and written as loose
objects, because a process per object would make a request ten times slower than GitHub's own
answers feel.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["blob", "tree", "commit", "tag"]
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SETTINGS = {
    "core.hooksPath": "/dev/null",
    "gc.auto": "0",
    "http.receivepack": "true",
    "receive.autogc": "false",
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
}
"""Given with each command, so that a repository that was brought along is not reconfigured."""

_REF = re.compile(r"^(?!.*(?:\.\.|@\{|//|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])$")


def environment() -> dict[str, str]:
    """Nothing of the machine's or the user's git configuration."""
    given = {f"GIT_CONFIG_KEY_{n}": key for n, key in enumerate(SETTINGS)}
    given |= {f"GIT_CONFIG_VALUE_{n}": value for n, value in enumerate(SETTINGS.values())}
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": str(len(SETTINGS)),
        **given,
    }


def is_ref_name(name: str) -> bool:
    """https://git-scm.com/docs/git-check-ref-format, near enough that nothing bad reaches git."""
    return bool(_REF.match(name)) and not name.startswith("-")


@dataclass(frozen=True, slots=True)
class Object:
    oid: str
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    path: str
    mode: str
    oid: str

    @property
    def kind(self) -> str:
        return {"040000": "tree", "160000": "commit"}.get(self.mode, "blob")


class Bare:
    """A bare repository. Usable from any thread; `close` ends its reading process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._reader: subprocess.Popen[bytes] | None = None

    def create(self, default_branch: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        command = [
            "git",
            "init",
            "--quiet",
            "--bare",
            f"--initial-branch={default_branch}",
            str(self.path),
        ]
        subprocess.run(command, check=True, env=environment())

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["git", "-C", str(self.path), *arguments]
        return subprocess.run(
            command, input=stdin, check=True, capture_output=True, env=environment()
        ).stdout

    def succeeds(self, *arguments: str) -> bool:
        command = ["git", "-C", str(self.path), *arguments]
        return (
            subprocess.run(command, check=False, capture_output=True, env=environment()).returncode
            == 0
        )

    def close(self) -> None:
        with self._lock:
            if self._reader is not None:
                self._reader.communicate()
                self._reader = None

    def read(self, name: str) -> Object | None:
        """The object of that id or full ref name; None where there is none."""
        with self._lock:
            if self._reader is None:
                command = ["git", "-C", str(self.path), "cat-file", "--batch"]
                pipe = subprocess.PIPE
                self._reader = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment())
            asked, told = self._reader.stdin, self._reader.stdout
            assert asked is not None
            assert told is not None
            asked.write(name.encode() + b"\n")
            asked.flush()
            head = told.readline().split()
            if len(head) != 3:
                return None
            content = told.read(int(head[2]) + 1)[:-1]
        return Object(head[0].decode(), head[1].decode(), content)

    def read_kind(self, name: str, kind: Kind) -> Object | None:
        found = self.read(name)
        return found if found and found.kind == kind else None

    def write(self, kind: Kind, content: bytes) -> str:
        """The id of the object, written as a loose one."""
        stored = b"%s %d\0%s" % (kind.encode(), len(content), content)
        oid = hashlib.sha1(stored).hexdigest()
        place = self.path / "objects" / oid[:2] / oid[2:]
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            being_written = place.with_name(f"tmp_obj_{threading.get_ident()}")
            being_written.write_bytes(zlib.compress(stored, 1))
            being_written.replace(place)
        return oid

    def entries(self, tree: str) -> Iterator[Entry]:
        """What stands in the tree itself, in git's order."""
        found = self.read_kind(tree, "tree")
        content = found.content if found else b""
        at = 0
        while at < len(content):
            end = content.index(b"\0", at)
            mode, _, name = content[at:end].partition(b" ")
            oid = content[end + 1 : end + 21].hex()
            yield Entry(name.decode("utf-8", "surrogateescape"), mode.decode().rjust(6, "0"), oid)
            at = end + 21

    def walk(self, tree: str, under: str = "") -> Iterator[Entry]:
        """Every entry below, directories before what is in them."""
        for entry in self.entries(tree):
            yield Entry(under + entry.path, entry.mode, entry.oid)
            if entry.kind == "tree":
                yield from self.walk(entry.oid, f"{under}{entry.path}/")

    def edit_tree(self, base: str | None, changes: Mapping[str, Entry | None]) -> str:
        """The id of the tree that `changes` (by path; None takes away) make of `base`. Emptied
        directories go."""
        here = {entry.path: entry for entry in self.entries(base)} if base else {}
        below: dict[str, dict[str, Entry | None]] = {}
        for path, entry in changes.items():
            name, _, rest = path.partition("/")
            if rest:
                below.setdefault(name, {})[rest] = entry
            elif entry is None:
                here.pop(name, None)
            else:
                here[name] = Entry(name, entry.mode, entry.oid)
        for name, inner in below.items():
            known = here.get(name)
            subtree = self.edit_tree(known.oid if known and known.kind == "tree" else None, inner)
            if subtree == EMPTY_TREE:
                here.pop(name, None)
            else:
                here[name] = Entry(name, "040000", subtree)
        return self._write_tree(here.values())

    def _write_tree(self, entries: Iterable[Entry]) -> str:
        named = [(entry.path.encode("utf-8", "surrogateescape"), entry) for entry in entries]
        named.sort(key=lambda pair: pair[0] + (b"/" if pair[1].kind == "tree" else b""))
        rows = (
            b"%s %s\0" % (e.mode.lstrip("0").encode(), name) + bytes.fromhex(e.oid)
            for name, e in named
        )
        return self.write("tree", b"".join(rows))

    def sha(self, ref: str) -> str | None:
        """The object that the full ref name points at."""
        found = self.read(ref) if is_ref_name(ref) else None
        return found.oid if found else None

    def branch(self, name: str) -> str | None:
        return self.sha(f"refs/heads/{name}")

    def refs(self, prefix: str) -> list[tuple[str, str, str]]:
        """(full name, object id, kind) of each ref whose name begins so."""
        rows = (
            self.run("for-each-ref", "--format=%(refname) %(objectname) %(objecttype)")
            .decode()
            .splitlines()
        )
        found = [tuple(row.split(" ")) for row in rows]
        return [(name, oid, kind) for name, oid, kind in found if name.startswith(prefix)]

    def set_ref(self, ref: str, oid: str) -> bool:
        """False where git refuses, as for `a` beside `a/b`."""
        return self.succeeds("update-ref", ref, oid)

    def is_ancestor(self, old: str, new: str) -> bool:
        return self.succeeds("merge-base", "--is-ancestor", old, new)

    def file(self, ref: str, path: str) -> bytes | None:
        """The content of the file on that branch, or at that commit."""
        found = self.read(f"{ref}:{path}")
        return found.content if found else None

    def commit(
        self,
        files: Mapping[str, bytes | None],
        *,
        branch: str,
        message: str = "Change files",
        modes: Mapping[str, str] | None = None,
        when_s: int = 1_700_000_000,
    ) -> str:
        """The sha of a new commit on `branch` (made from the default one if need be) that writes
        `files`; None deletes."""
        parent = self.branch(branch) or self.sha("HEAD")
        changes = {
            path: (
                None
                if content is None
                else Entry(path, (modes or {}).get(path, "100644"), self.write("blob", content))
            )
            for path, content in files.items()
        }
        tree = self.edit_tree(tree_of(self.read(parent)) if parent else None, changes)
        person = f"The Octocat <octocat@example.com> {when_s} +0000"
        oid = self.write(
            "commit", commit_text(tree, [parent] if parent else [], person, person, message)
        )
        self.set_ref(f"refs/heads/{branch}", oid)
        return oid


def tree_of(commit: Object | None) -> str:
    """The tree id in a commit object's first line."""
    assert commit is not None
    return commit.content[5:45].decode()


def commit_text(
    tree: str, parents: Iterable[str], author: str, committer: str, message: str
) -> bytes:
    head = [
        f"tree {tree}",
        *(f"parent {parent}" for parent in parents),
        f"author {author}",
        f"committer {committer}",
    ]
    return "\n".join([*head, "", message]).encode("utf-8", "surrogateescape")
