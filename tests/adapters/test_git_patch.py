"""Patches: git in a real checkout is the judge of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.adapters.git import LocalGit
from bot.core.types import Change, Changes
from tests.adapters.git_repo import File, applied_in_a_checkout, changed, make_repo


def changes_of(*changes: Change) -> Changes:
    return {change.path: change for change in changes}


ODD_NAMES = (" a ", "b\tc", "d\ne", 'f"g', "h\\i", "\u4e2d", "\udcff\udcfe", "#j", "!k", "-l", "m:n", "*")
LATIN_1 = "caf\xe9\n".encode("latin-1")
CASES: dict[str, tuple[Mapping[str, bytes | File], Changes]] = {
    "an edit": ({"a.py": b"1\n2\n3\n"}, changes_of(Change("a.py", b"1\n2!\n3\n"))),
    "a new file in a new directory": ({"a": b"1\n"}, changes_of(Change("d/e/f.txt", b"new\n"))),
    "an empty file": ({"a": b"1\n"}, changes_of(Change("b", b""))),
    "a deletion": ({"a": b"1\n", "b": b"2\n"}, changes_of(Change("b", None))),
    "the last file goes": ({"a": b"1\n"}, changes_of(Change("a", None))),
    "a move": ({"a": b"1\n2\n3\n"}, changes_of(Change("a", None), Change("b/c", b"1\n2\n3\n"))),
    "a move with an edit": (
        {"a": b"".join(b"%d\n" % n for n in range(30))},
        changes_of(Change("a", None), Change("b", b"".join(b"%d\n" % n for n in range(31)))),
    ),
    "two files change places": ({"a": b"1\n", "b": b"2\n"}, changes_of(Change("a", b"2\n"), Change("b", b"1\n"))),
    "no newline at the end, before": ({"a": b"1\n2"}, changes_of(Change("a", b"1\n2\n"))),
    "no newline at the end, after": ({"a": b"1\n2\n"}, changes_of(Change("a", b"1\n2"))),
    "CRLF": ({"a": b"1\r\n2\r\n"}, changes_of(Change("a", b"1\r\n3\r\n"))),
    "CRLF becomes LF": ({"a": b"1\r\n2\r\n"}, changes_of(Change("a", b"1\n2\n"))),
    "odd line ends": (
        {"a": b"1\r2\x0c3\xe2\x80\xa84\xc2\x855\n"},
        changes_of(Change("a", b"1\r2\x0c3\xe2\x80\xa8!\n")),
    ),
    "white space only": ({"a": b"x\n"}, changes_of(Change("a", b"x  \t\n\n\n"))),
    "executable": ({"a": b"#!/bin/sh\n"}, changes_of(Change("a", b"#!/bin/sh\n", "100755"))),
    "no longer executable": ({"a": (b"x\n", "100755")}, changes_of(Change("a", b"y\n", "100644"))),
    "a new symlink": ({"a": b"x\n"}, changes_of(Change("l", b"a", "120000"))),
    "a symlink becomes a file": ({"l": (b"a", "120000"), "a": b"x\n"}, changes_of(Change("l", b"text\n"))),
    "a file becomes a symlink": ({"l": b"text\n", "a": b"x\n"}, changes_of(Change("l", b"a", "120000"))),
    "a file becomes a directory": ({"a": b"x\n"}, changes_of(Change("a", None), Change("a/b", b"y\n"))),
    "a directory becomes a file": (
        {"a/b": b"x\n", "a/c": b"z\n"},
        changes_of(Change("a/b", None), Change("a/c", None), Change("a", b"y\n")),
    ),
    "binary": ({"a": b"\0\1\2" * 100}, changes_of(Change("a", b"\0\1\3" * 100))),
    "a NUL far into the file": ({"a": b"x\n" * 9000 + b"\0\n"}, changes_of(Change("a", b"x\n" * 8999 + b"y\n\0\n"))),
    "latin-1": ({"a": LATIN_1}, changes_of(Change("a", LATIN_1 + b"more\n"))),
    "latin-1 becomes UTF-8": ({"a": LATIN_1}, changes_of(Change("a", "caf\xe9\n".encode()))),
    "latin-1 beside UTF-8": (
        {'a*[b]\\ "c"\n?': LATIN_1, "z": "\u4e2d\n".encode()},
        changes_of(Change('a*[b]\\ "c"\n?', LATIN_1 * 2), Change("z", "\u4e2d\u6587\n".encode())),
    ),
    "a latin-1 symlink": ({"a": b"x\n"}, changes_of(Change("l", b"caf\xe9", "120000"))),
    "odd names": (
        dict.fromkeys(ODD_NAMES, b"1\n"),
        changes_of(*(Change(name, b"2\n") for name in ODD_NAMES)),
    ),
    "a file like a patch": (
        {"a": b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n"},
        changes_of(Change("a", b"@@ -1 +1 @@\ndiff --git a/x b/x\n--- a/x\n\\ No newline at end of file\n")),
    ),
    "a long line of many bytes heads the hunk": (
        {"a": ("x" + "\u4e2d" * 60 + "\n" + " 1\n" * 20).encode()},
        changes_of(Change("a", ("x" + "\u4e2d" * 60 + "\n" + " 1\n" * 19 + " 2\n").encode())),
    ),
    "attributes of the repository": (
        {".gitattributes": b"* -diff filter=x text eol=crlf diff=y merge=z\n", "a": b"1\n"},
        changes_of(Change("a", b"2\n")),
    ),
    "beside submodules": (
        {"s": (b"1" * 40, "160000"), ".gitmodules": b'[submodule "s"]\npath=s\nurl=../x\n', "a": b"1\n"},
        changes_of(Change("a", b"2\n")),
    ),
    "an LFS pointer": (
        {
            "a": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            ".gitattributes": b"a filter=lfs -text\n",
        },
        changes_of(Change("a", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")),
    ),
    "nothing changes": ({"a": b"1\n"}, changes_of(Change("a", b"1\n"), Change("gone", None))),
    "nothing is asked": ({"a": b"1\n"}, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_git_apply_makes_exactly_the_changes_of_the_patch(name: str, tmp_path: Path) -> None:
    files, changes = CASES[name]
    sha = make_repo(tmp_path, files)
    local = LocalGit(tmp_path)

    patch = local.diff("o/n", sha, changes)

    after = changed(files, changes)
    assert applied_in_a_checkout(tmp_path, patch.text) == after
    back, _ = local.apply("o/n", patch)
    assert changed(files, back) == after
