"""Which files edits may touch and create, however their path is written."""

from __future__ import annotations

import pytest

from bot.change.edits.files import new_path_fault, path_fault
from tests.change.edits.samples import apply_reply, contents_after, rejection_of
from tests.doubles.edit_blocks import fenced_block

OUTSIDE = [
    "/etc/passwd",
    "~/x",
    "../x",
    "a/../../x",
    "a/./b",
    "a//b",
    "a/",
    "",
    "C:/x",
    "c:x",
    "a\\b",
    "\\\\host\\x",
]
GITS = [
    ".git", ".git/config", ".GIT/hooks/pre-commit", "a/.Git/config", "git~1/config", "GIT~2/x",
    ".git./config", ".git /config", ".git . ./config", ".git::$INDEX_ALLOCATION/config", ".git:x",
    ".g\u200cit/config", "\ufeff.git/config", ".gi\u200dt/x", ".git\u202e/x",
    ".ɢıᴛ".replace("ɢıᴛ", "ｇｉｔ") + "/config", ".g\u00adit/x",
]  # fmt: skip
CONTROLS = ["a\nb", "a\x00b", "a\x1bb", "a\x7fb", "a\x85b", "a\ud800b"]
RESERVED = [
    "con",
    "a/NUL.txt",
    "aux.h",
    "COM1",
    "lpt¹.log",
    "conin$",
    "prn .x",
    "a.",
    "b /c",
    " a",
    "a:b",
    "a?b",
    "a*",
    "<a>",
    "a|b",
]


@pytest.mark.parametrize(
    "path",
    [*OUTSIDE, *GITS, *CONTROLS, *RESERVED, "a\u200bb", "x" * 256, "/".join(["x" * 200] * 6)],
)
def test_a_path_outside_or_in_disguise_is_refused(path: str) -> None:
    assert path_fault(path) or new_path_fault(path)


@pytest.mark.parametrize(
    "path",
    [
        "a",
        ".gitignore",
        ".github/workflows/x.yml",
        ".gitmodules",
        "git",
        "a/git~x",
        "console.py",
        "commit.py",
        "ü/日本.md",
        "a b/c d",
        "-x",
        "a..b",
        "nullable",
        ".gitx/a",
    ],
)
def test_an_ordinary_path_is_taken(path: str) -> None:
    assert path_fault(path) is None
    assert new_path_fault(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "../x.py",
        "/etc/x.py",
        ".git/x.py",
        ".GIT/x.py",
        "git~1/x.py",
        "a\\b.py",
        "C:/x.py",
        "con.py",
        "a/../b.py",
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "*** Begin Patch\n*** Add File: {}\n+x\n*** End Patch\n",
        "```diff\n--- /dev/null\n+++ b/{}\n@@ -0,0 +1 @@\n+x\n```\n",
    ],
)
def test_no_form_of_edit_makes_a_file_outside(path: str, form: str) -> None:
    assert not apply_reply({"x.py": "x\n"}, form.format(path)).changes


@pytest.mark.parametrize("path", ["../x.py", ".git/x.py"])
def test_nothing_moves_outside(path: str) -> None:
    result = apply_reply(
        {"x.py": "x\n"},
        f"*** Begin Patch\n*** Update File: x.py\n*** Move to: {path}\n*** End Patch\n",
    )
    assert not result.changes
    assert len(result.rejected) == 1


EDITS = {
    "change": "*** Update File: {}\n@@\n-x\n+y\n",
    "add": "*** Add File: {}\n+y\n",
    "delete": "*** Delete File: {}\n",
    "move": "*** Update File: {}\n*** Move to: elsewhere\n",
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_a_symlink_and_a_submodule_are_never_touched(edit: str, mode: str) -> None:
    reply = f"*** Begin Patch\n{EDITS[edit].format('link')}*** End Patch\n"
    assert "symlink or a submodule" in rejection_of({"link": "x\n"}, reply, modes={"link": mode})


@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_nothing_is_made_through_a_symlink_or_a_submodule(mode: str) -> None:
    reply = f"*** Begin Patch\n{EDITS['add'].format('link/a')}*** End Patch\n"
    assert "leads through, link" in rejection_of(
        {"link": "../outside"}, reply, modes={"link": mode}
    )


def test_a_binary_file_is_not_changed() -> None:
    assert "binary" in rejection_of({"a.png": b"x\n\0"}, fenced_block("a.png", "x\n", "y\n"))
    assert "binary" in rejection_of({"a.png": b"x\n\0"}, "a.png\n```\ny\n```\n")


def test_a_file_cannot_take_the_place_of_a_directory_that_files_were_moved_out_of() -> None:
    moves = "".join(
        f"*** Update File: d/{name}\n*** Move to: {name}\n" for name in ("a.txt", "b.txt")
    )
    reply = f"*** Begin Patch\n{moves}*** Add File: d\n+x\n*** End Patch\n"
    result = apply_reply({"d/a.txt": "a\n", "d/b.txt": "b\n", "d/c.txt": "c\n"}, reply)
    (rejection,) = result.rejected
    assert "is a directory" in rejection.message
    assert set(result.changes) == {"d/a.txt", "a.txt", "d/b.txt", "b.txt"}


def test_a_binary_file_may_be_deleted_or_moved() -> None:
    reply = (
        "*** Begin Patch\n*** Delete File: a.png\n*** Update File: b.png\n*** Move to: c/b.png\n***"
        " End Patch\n"
    )
    assert contents_after({"a.png": b"\0", "b.png": b"\0\1"}, reply) == {
        "a.png": None,
        "b.png": None,
        "c/b.png": b"\0\1",
    }


def test_a_file_kept_in_lfs_is_not_changed() -> None:
    pointer = (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12\n"
    )
    assert "LFS" in rejection_of(
        {"a.psd": pointer}, fenced_block("a.psd", "size 12\n", "size 13\n")
    )


def test_no_binary_content_comes_in() -> None:
    assert "NUL" in rejection_of({}, "a.txt\n```\nx\0y\n```\n")


def test_a_file_cannot_replace_a_directory() -> None:
    assert "is a directory" in rejection_of(
        {"a/b.py": "x\n"}, "*** Begin Patch\n*** Add File: a\n+x\n*** End Patch\n"
    )


def test_a_directory_cannot_replace_a_file() -> None:
    assert "`a.py` is a file" in rejection_of(
        {"a.py": "x\n"}, "*** Begin Patch\n*** Add File: a.py/b.py\n+x\n*** End Patch\n"
    )


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_may_take_the_place_of_one_that_goes(order: int) -> None:
    edits = ["*** Delete File: a\n", "*** Add File: a/b\n+x\n"]
    reply = f"*** Begin Patch\n{''.join(edits[::order])}*** End Patch\n"
    assert contents_after({"a": "x\n"}, reply) == {"a": None, "a/b": b"x\n"}


@pytest.mark.parametrize(
    "path", ["readme.md", "README.MD", "Src/new.py", "src/APP.py", "cafe\u0301/b.txt"]
)
def test_a_new_name_may_not_differ_in_case_or_composition_alone(path: str) -> None:
    files = {"README.md": "x\n", "src/app.py": "x\n", "caf\u00e9/a.txt": "x\n"}
    assert "only in case" in rejection_of(
        files, f"*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch\n"
    )


def test_a_file_may_be_renamed_in_case_alone() -> None:
    reply = "*** Begin Patch\n*** Update File: readme.md\n*** Move to: README.md\n*** End Patch\n"
    assert contents_after({"readme.md": "x\n"}, reply) == {"readme.md": None, "README.md": b"x\n"}


def test_a_name_that_the_repository_has_may_be_edited_though_none_like_it_is_made() -> None:
    assert contents_after({"src/aux.c": "x\n"}, fenced_block("src/aux.c", "x\n", "y\n")) == {
        "src/aux.c": b"y\n"
    }


@pytest.mark.parametrize("path", ["a/src/app.py", "b/src/app.py", "./src/app.py", "src\\app.py"])
def test_a_diffs_prefix_is_taken_off_where_the_rest_is_a_file(path: str) -> None:
    assert contents_after({"src/app.py": "x = 1\n"}, fenced_block(path, "x = 1\n", "y = 1\n")) == {
        "src/app.py": b"y = 1\n"
    }


@pytest.mark.parametrize("path", ["a/new.py", "b/src/new.py", "demo/src/new.py"])
def test_a_new_path_that_may_be_another_is_asked_about(path: str) -> None:
    block = fenced_block(path, "", "y = 1\n")
    assert f"under `./{path}`" in rejection_of({"src/app.py": "x\n"}, block)
    assert contents_after({"src/app.py": "x\n"}, fenced_block(f"./{path}", "", "y = 1\n")) == {
        path: b"y = 1\n"
    }


def test_a_diff_of_a_directory_named_like_its_prefix_means_that() -> None:
    diff = "```diff\n--- /dev/null\n+++ b/a/new.py\n@@ -0,0 +1 @@\n+y = 1\n```\n"
    assert contents_after({"app.py": "x\n"}, diff) == {"a/new.py": b"y = 1\n"}
