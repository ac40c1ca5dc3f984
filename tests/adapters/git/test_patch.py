"""Patches: each one must make the same files when git applies it in a real checkout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.adapters.git import LocalGit
from bot.adapters.git.patch import make_patch
from bot.adapters.git.process import Runner
from bot.errors import LimitReached, Unworkable
from bot.types.snapshot import Change, Changes, FileStat, Patch
from tests.adapters.git_repo import (
    File,
    applied_in_a_checkout,
    changed,
    changes_of,
    commit,
    files_of,
    git,
    make_repo,
)

ODD_NAMES = (
    " a ",
    "b\tc",
    "d\ne",
    'f"g',
    "h\\i",
    "\u4e2d",
    "\udcff\udcfe",
    "#j",
    "!k",
    "-l",
    "m:n",
    "*",
)
NEW_FILE = (
    "diff --git a/{0} b/{0}\nnew file mode 100644\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+1\n"
)
DEEP = "/".join(["d" * 250] * 9)
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
    "two files change places": (
        {"a": b"1\n", "b": b"2\n"},
        changes_of(Change("a", b"2\n"), Change("b", b"1\n")),
    ),
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
    "a symlink becomes a file": (
        {"l": (b"a", "120000"), "a": b"x\n"},
        changes_of(Change("l", b"text\n")),
    ),
    "a file becomes a symlink": (
        {"l": b"text\n", "a": b"x\n"},
        changes_of(Change("l", b"a", "120000")),
    ),
    "a file becomes a directory": (
        {"a": b"x\n"},
        changes_of(Change("a", None), Change("a/b", b"y\n")),
    ),
    "a directory becomes a file": (
        {"a/b": b"x\n", "a/c": b"z\n"},
        changes_of(Change("a/b", None), Change("a/c", None), Change("a", b"y\n")),
    ),
    "binary": ({"a": b"\0\1\2" * 100}, changes_of(Change("a", b"\0\1\3" * 100))),
    "a NUL far into the file": (
        {"a": b"x\n" * 9000 + b"\0\n"},
        changes_of(Change("a", b"x\n" * 8999 + b"y\n\0\n")),
    ),
    "latin-1": ({"a": LATIN_1}, changes_of(Change("a", LATIN_1 + b"more\n"))),
    "latin-1 becomes UTF-8": ({"a": LATIN_1}, changes_of(Change("a", "caf\xe9\n".encode()))),
    "latin-1 beside UTF-8": (
        {'a*[b]\\ "c"\n?': LATIN_1, "z": "\u4e2d\n".encode()},
        changes_of(Change('a*[b]\\ "c"\n?', LATIN_1 * 2), Change("z", "\u4e2d\u6587\n".encode())),
    ),
    "latin-1 too deep for attributes": ({DEEP: LATIN_1}, changes_of(Change(DEEP, b"1\n"))),
    "a latin-1 symlink": ({"a": b"x\n"}, changes_of(Change("l", b"caf\xe9", "120000"))),
    "odd names": (
        dict.fromkeys(ODD_NAMES, b"1\n"),
        changes_of(*(Change(name, b"2\n") for name in ODD_NAMES)),
    ),
    "a file like a patch": (
        {"a": b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n"},
        changes_of(
            Change("a", b"@@ -1 +1 @@\ndiff --git a/x b/x\n--- a/x\n\\ No newline at end of file\n")
        ),
    ),
    "a heading that is not UTF-8": (
        {"a": b"caf\xe9\n" + b" 1\n" * 20},
        changes_of(Change("a", b"caf\xe9\n" + b" 1\n" * 19 + b" 2\n")),
    ),
    "attributes of the repository": (
        {".gitattributes": b"* -diff filter=x text eol=crlf diff=y merge=z\n", "a": b"1\n"},
        changes_of(Change("a", b"2\n")),
    ),
    "beside submodules": (
        {
            "s": (b"1" * 40, "160000"),
            ".gitmodules": b'[submodule "s"]\npath=s\nurl=../x\n',
            "a": b"1\n",
        },
        changes_of(Change("a", b"2\n")),
    ),
    "an LFS pointer": (
        {
            "a": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            ".gitattributes": b"a filter=lfs -text\n",
        },
        changes_of(
            Change("a", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")
        ),
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

    assert "\0" not in patch.text
    after = changed(files, changes)
    assert applied_in_a_checkout(tmp_path, patch.text) == after
    back, _ = local.apply("o/n", patch)
    assert changed(files, back) == after


def test_only_what_is_not_utf_8_takes_the_binary_form(tmp_path: Path) -> None:
    files, changes = CASES["latin-1 beside UTF-8"]
    sha = make_repo(tmp_path, files)

    text = LocalGit(tmp_path).diff("o/n", sha, changes).text

    assert text.count("GIT binary patch") == 1
    assert "-\u4e2d\n+\u4e2d\u6587\n" in text


def test_a_file_whose_heading_alone_is_not_utf_8_stays_readable(tmp_path: Path) -> None:
    files, changes = CASES["a heading that is not UTF-8"]
    sha = make_repo(tmp_path, files)

    assert "- 1\n+ 2\n" in LocalGit(tmp_path).diff("o/n", sha, changes).text


def test_each_file_is_counted_under_its_new_name(tmp_path: Path) -> None:
    moved = b"".join(b"%d\n" % n for n in range(30))
    sha = make_repo(
        tmp_path, {"a": moved, "b": b"1\n2\n", "c": b"\0", "d": b"1\n2\n3\n", "e": b"x\n"}
    )
    changes = changes_of(
        Change("a", None),
        Change("m\n", moved + b"30\n31\n"),
        Change("b", b"1\n3\n4\n"),
        Change("c", b"\0\1"),
        Change("d", None),
        Change("e", b"b", "120000"),
        Change("f", b"new\n"),
    )

    assert set(LocalGit(tmp_path).diff("o/n", sha, changes).files) == {
        FileStat("m\n", 2, 0, "renamed"),
        FileStat("b", 2, 1, "modified"),
        FileStat("c", 0, 0, "modified"),
        FileStat("d", 0, 3, "deleted"),
        FileStat("e", 1, 1, "modified"),
        FileStat("f", 1, 0, "added"),
    }


def test_an_empty_repository_is_compared_with_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    local = LocalGit(tmp_path)
    changes = changes_of(Change("d/a", b"1\n"), Change("b", b"2\n", "100755"))

    patch = local.diff("o/n", "", changes)

    git(tmp_path, "apply", "--index", stdin=patch.text.encode())
    assert files_of(tmp_path, git(tmp_path, "write-tree").decode().strip()) == changed({}, changes)
    back, tree = local.apply("o/n", patch)
    assert (back, tree) == (changes, git(tmp_path, "write-tree").decode().strip())


def test_the_tree_of_an_applied_patch_is_the_one_that_git_makes(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"a": b"1\n", "d/b": b"2\n"})
    local = LocalGit(tmp_path)

    _, tree = local.apply("o/n", local.diff("o/n", sha, changes_of(Change("d/b", b"3\n"))))

    commit(tmp_path, {"a": b"1\n", "d/b": b"3\n"})
    assert tree == git(tmp_path, "rev-parse", "main^{tree}").decode().strip()


def test_a_patch_without_text_changes_nothing(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"a": b"1\n"})

    changes, tree = LocalGit(tmp_path).apply("o/n", Patch(sha, ""))

    assert (changes, tree) == ({}, git(tmp_path, "rev-parse", "main^{tree}").decode().strip())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-9\n+2\n", "a:1"),
        ("diff --git a/no b/no\n--- a/no\n+++ b/no\n@@ -1 +1 @@\n-9\n+2\n", "no: does not exist"),
        (NEW_FILE.format("../x"), "invalid path"),
        (NEW_FILE.format(".git/config"), "invalid path"),
        (NEW_FILE.format("l/x"), "symbolic link"),
        ("these are words\n", "patch"),
        ("\udc80\ud800", "not text"),
    ],
)
def test_a_patch_that_does_not_apply_says_why(text: str, reason: str, tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"a": b"1\n", "l": (b"/tmp", "120000")})

    with pytest.raises(Unworkable, match=reason):
        LocalGit(tmp_path).apply("o/n", Patch(sha, text))


def test_a_patch_of_a_submodule_is_refused(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"s": (b"1" * 40, "160000"), "a": b"1\n"})
    head = "diff --git a/s b/s\nindex 1111111..2222222 160000\n--- a/s\n+++ b/s\n@@ -1 +1 @@\n"
    text = f"{head}-Subproject commit {'1' * 40}\n+Subproject commit {'2' * 40}\n"

    with pytest.raises(Unworkable, match="submodule"):
        LocalGit(tmp_path).apply("o/n", Patch(sha, text))


@pytest.mark.parametrize(
    "path", ["", "/a", "../a", "a/../b", "a//b", ".git/config", "x/.GIT/hooks/y", "a\0b", "\ud800"]
)
def test_a_change_of_a_path_that_git_does_not_take_is_refused(path: str, tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"f": b"1\n"})

    with pytest.raises(Unworkable, match="path"):
        LocalGit(tmp_path).diff("o/n", sha, changes_of(Change(path, b"2\n")))


@pytest.mark.parametrize("path", ["f/x", "d"])
def test_a_change_that_would_remove_more_than_it_says_is_refused(path: str, tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"f": b"1\n", "d/x": b"1\n"})

    with pytest.raises(Unworkable, match="place of a directory"):
        LocalGit(tmp_path).diff("o/n", sha, changes_of(Change(path, b"2\n")))


def test_a_repository_with_a_path_inside_dot_git_is_refused(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": b"1\n"})
    inner = git(tmp_path, "rev-parse", "main^{tree}").decode().strip()
    tree = git(tmp_path, "mktree", stdin=f"040000 tree {inner}\t.git\n".encode()).decode().strip()
    sha = git(tmp_path, "commit-tree", "-m", "evil", tree).decode().strip()

    with pytest.raises(Unworkable, match=r"inside `\.git`"):
        LocalGit(tmp_path).diff("o/n", sha, changes_of(Change("a", b"2\n")))


def test_a_change_to_a_submodule_is_refused(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"f": b"1\n"})

    with pytest.raises(Unworkable, match="160000"):
        LocalGit(tmp_path).diff("o/n", sha, changes_of(Change("s", b"2\n", "160000")))


class FaultyRunner(Runner):
    """Prints another patch than git did."""

    def run(self, git_dir: Path, *arguments: str, stdin: bytes = b"") -> bytes:
        output = super().run(git_dir, *arguments, stdin=stdin)
        return output.replace(b"+two\n", b"+too\n") if "diff-tree" in arguments else output


def test_a_patch_that_does_not_reproduce_the_tree_is_refused(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"f": b"1\n"})

    with pytest.raises(Unworkable, match="same files"):
        make_patch(
            FaultyRunner(), tmp_path / ".git/objects", sha, changes_of(Change("f", b"two\n"))
        )


def test_a_patch_over_the_limit_is_refused(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"f": b"1\n"})

    with pytest.raises(LimitReached, match="1 MB"):
        LocalGit(tmp_path, max_output_bytes=1 << 20).diff(
            "o/n", sha, changes_of(Change("f", b"two\n" * (1 << 18)))
        )


def test_comparing_writes_nothing_into_the_repository(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"f": b"1\n"})
    before = sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*"))
    local = LocalGit(tmp_path)

    patch = local.diff("o/n", sha, changes_of(Change("f", b"2\n"), Change("d/g", b"3\n")))
    local.apply("o/n", patch)
    list(local.snapshot("o/n", sha).read(local.snapshot("o/n", sha).blobs.values()))

    assert sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
