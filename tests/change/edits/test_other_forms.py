"""Replies in forms that nobody asked for: other tools' wrappers, reasoning blocks, mixtures. Each is
read rightly, or the model is told which form is not supported."""

from __future__ import annotations

import pytest

from bot.change.edits import read_reply
from tests.change.edits.samples import apply_reply, contents_after, problem_of, rejection_of
from tests.doubles.edit_blocks import fenced_block

FILES = {"src/a.py": "import os\n\n\ndef f():\n    return 1\n", "b.py": "def g():\n    return 1\n"}
EDIT = "<<<<<<< SEARCH\n    return 1\n=======\n    return 2\n>>>>>>> REPLACE\n"
DIFF = "--- a/src/a.py\n+++ b/src/a.py\n@@ -4,2 +4,2 @@\n def f():\n-    return 1\n+    return 2\n"
WANTED = {"src/a.py": FILES["src/a.py"].replace("1", "2").encode()}


@pytest.mark.parametrize(
    "label",
    [
        '<file path="src/a.py">',
        "<file name='src/a.py'>",
        "<path>src/a.py</path>",
        "[src/a.py]",
        "**[src/a.py]**:",
    ],
)
@pytest.mark.parametrize("form", ["{label}\n{edit}", "{label}\n```python\n{edit}```\n</file>\n"])
def test_a_path_may_be_in_a_tag_or_in_brackets(label: str, form: str) -> None:
    assert contents_after(FILES, form.format(label=label, edit=EDIT)) == WANTED


@pytest.mark.parametrize("path", ["[id].tsx", "app/[id]/page.tsx", "[slug]/page.tsx"])
def test_brackets_of_a_path_are_part_of_it(path: str) -> None:
    assert contents_after({path: "a = 1\n"}, fenced_block(path, "a = 1\n", "a = 2\n")) == {
        path: b"a = 2\n"
    }


@pytest.mark.parametrize("path", ["my file.txt", "dir with space/a b.py", "some words"])
@pytest.mark.parametrize("label", ["{}", "`{}`", '"{}":', "**{}**", "### {}", "File: {}"])
def test_the_path_of_a_known_file_may_hold_spaces(path: str, label: str) -> None:
    assert contents_after(
        {path: "one\n", "b c/d.py": ""}, fenced_block(label.format(path), "one\n", "two\n")
    ) == {path: b"two\n"}


def test_a_sentence_names_a_file_only_by_something_like_one() -> None:
    assert "names no file" in problem_of(
        {}, "The client/server code is in a file of its own:\n" + fenced_block("", "", "x\n")
    )


def test_a_name_that_is_spelled_in_other_code_points_is_asked_about() -> None:
    files = {"cafe\u0301/menu.txt": "tea\n"}
    message = rejection_of(files, fenced_block("caf\u00e9/menu.txt", "tea\n", "coffee\n"))
    assert "Did you mean cafe\u0301/menu.txt" in message


def test_a_diff_may_lack_every_header_under_its_path() -> None:
    assert contents_after(FILES, "src/a.py\n```diff\n-    return 1\n+    return 2\n```\n") == WANTED


@pytest.mark.parametrize("fence", [("", ""), ("```diff\n", "```\n")])
def test_a_mail_made_by_git_is_a_diff(fence: tuple[str, str]) -> None:
    head = "From 0123456 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] Two\n---\n src/a.py | 2 +-\n\n"
    assert (
        contents_after(
            FILES,
            f"{fence[0]}{head}diff --git a/src/a.py b/src/a.py\n{DIFF}-- \n2.40.0\n{fence[1]}",
        )
        == WANTED
    )


def test_a_line_of_dashes_may_be_deleted_at_the_end_of_a_hunk() -> None:
    diff = "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1 @@\n one\n--\n"
    assert contents_after({"a.txt": "one\n-\n"}, f"```diff\n{diff}```\n") == {"a.txt": b"one\n"}


def test_an_envelope_may_hold_a_diffs_headers() -> None:
    assert (
        contents_after(FILES, f"*** Begin Patch\n*** Update File: src/a.py\n{DIFF}*** End Patch\n")
        == WANTED
    )


@pytest.mark.parametrize(
    "command",
    [
        (
            "apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: src/a.py\n"
            "-    return 1\n+    return 2\n*** End Patch\nEOF\n"
        ),
        f"git apply <<EOF\n{DIFF}EOF\n",
    ],
)
def test_a_patch_may_be_the_input_of_a_command(command: str) -> None:
    assert contents_after(FILES, f"```bash\n{command}```\n") == WANTED


def test_a_block_after_a_broken_one_is_of_the_same_file() -> None:
    parsed = read_reply("b.py\n<<<<<<< SEARCH\na\n=======\nb\n" + EDIT)
    assert [edit.path for edit in parsed.edits] == ["b.py"]
    assert "no `>>>>>>> REPLACE`" in parsed.problems[0]


def test_a_reply_may_end_its_lines_as_old_macs_do() -> None:
    assert contents_after(FILES, f"src/a.py\n{EDIT}".replace("\n", "\r")) == WANTED


@pytest.mark.parametrize(
    "comment", ["# new/a.py", "// new/a.py", "// File: new/a.py", "/* new/a.py */"]
)
def test_a_full_file_that_only_a_comment_names_is_asked_about(comment: str) -> None:
    assert (
        "no edit says where it belongs"
        in apply_reply(
            {}, fenced_block("b.py", "", "y = 1\n") + f"\n```python\n{comment}\nx = 1\n```\n"
        )
        .rejected[0]
        .message
    )


def test_a_diff_may_end_with_the_reply() -> None:
    assert contents_after(FILES, DIFF.removesuffix("\n")) == WANTED


REASONED = "b.py\n" + EDIT.replace("2", "3")


@pytest.mark.parametrize("tag", ["think", "thinking", "reasoning"])
@pytest.mark.parametrize("before", ["", "Return two\n\n"])
def test_edits_in_reasoning_are_not_meant(tag: str, before: str) -> None:
    reply = f"{before}<{tag}>\n{REASONED}```\n</{tag}>\n\nsrc/a.py\n{EDIT}"
    assert contents_after(FILES, reply) == WANTED
    assert "b.py" not in read_reply(reply).prose


def test_reasoning_may_have_only_its_end() -> None:
    reply = (
        f"Let me see.\n\n{REASONED}```request\nread b.py\n```\n</think>\n\nReturn"
        f" two\n\nsrc/a.py\n{EDIT}"
    )
    assert contents_after(FILES, reply) == WANTED
    assert (read_reply(reply).requests, read_reply(reply).prose) == ((), "Return two")


def test_a_reasoning_tag_inside_an_edit_is_text_of_the_edit() -> None:
    files = {"b.py": FILES["b.py"], "a.md": "<think>\nhm\n</think>\n"}
    reply = fenced_block("b.py", "    return 1\n", "    return 2\n") + fenced_block(
        "a.md", "</think>\n", "</think>\ndone\n"
    )
    assert contents_after(files, reply) == {
        "b.py": b"def g():\n    return 2\n",
        "a.md": b"<think>\nhm\n</think>\ndone\n",
    }


def test_reasoning_without_an_end_is_reported() -> None:
    assert "thoughts have no end" in problem_of(FILES, f"<think>\nsrc/a.py\n{EDIT}")


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        ('<file path="b.py">\ndef g():\n    return 2\n</file>\n', "tags"),
        (
            (
                "<edit>\n<search>\n    return 1\n</search>\n<replace>\n    return"
                " 2\n</replace>\n</edit>\n"
            ),
            "tags",
        ),
        (
            '<invoke name="edit">\n<parameter name="path">b.py</parameter>\n</invoke>\n',
            "a tool call",
        ),
        ('{"edits": [{"path": "b.py", "search": "return 1", "replace": "return 2"}]}', "JSON"),
        ('{"name": "shell", "arguments": {"cmd": ["apply_patch", "*** Begin Patch"]}}', "JSON"),
        (f"b.py\n{EDIT}".replace("\n", "\\n"), "escaped"),
        (f"b.py\n{EDIT}".replace("<", "&lt;").replace(">", "&gt;"), "escaped"),
        ("".join(f"> {line}\n" for line in DIFF.splitlines()), "quoted"),
        ("".join(f"> {line}\n" for line in f"src/a.py\n{EDIT}".splitlines()), "quoted"),
        ("".join(f"    {line}\n" for line in DIFF.splitlines()), "indented"),
        ("```bash\ncat > b.py <<'EOF'\ndef g():\n    return 2\nEOF\n```\n", "shell command"),
        (
            "*** b.py\n--- b.py\n***************\n*** 1,2 ****\n  def g():\n!     return 1\n",
            "context diff",
        ),
        ("@@ -1,2 +1,2 @@\n def g():\n-    return 1\n+    return 2\n", "does not say which file"),
    ],
)
def test_an_edit_in_a_form_that_is_not_read_is_asked_for_by_name(reply: str, what: str) -> None:
    problem = problem_of(FILES, reply)
    assert what in problem
    assert "say so in words alone" in problem
    beside = read_reply(fenced_block("src/a.py", "import os\n", "import sys\n") + "\n" + reply)
    assert any(what in problem for problem in beside.problems)


@pytest.mark.parametrize(
    "reply",
    [
        "[CONFIDENT]\nI checked `@@ -1 +1 @@` and <file> tags.",
        "Nothing needs to change: it returns\n```python\nreturn 1\n```\nalready.",
        '[NO CHANGE] It already sends\n```json\n{"content": "x"}\n```\n',
        "[NO CHANGE] Run `cat b.py | head`; `b.py` holds it.",
        "No change is needed. src/a.py does that: see `f`.",
    ],
)
def test_words_that_need_no_change_are_not_taken_for_edits(reply: str) -> None:
    assert read_reply(reply).problems == ()


@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_a_diff_makes_no_symlink_and_no_submodule(mode: str) -> None:
    diff = (
        f"diff --git a/x b/x\nnew file mode {mode}\n--- /dev/null\n+++ b/x\n@@ -0,0 +1"
        " @@\n+/etc/passwd\n"
    )
    assert "symlink or a submodule" in problem_of(
        {}, f"```diff\n{diff}\\ No newline at end of file\n```\n"
    )


def test_an_edit_of_a_file_that_was_moved_away_is_rejected_with_the_reason() -> None:
    move = "*** Begin Patch\n*** Update File: b.py\n*** Move to: c.py\n*** End Patch\n"
    (rejection,) = apply_reply(
        FILES, move + fenced_block("b.py", "    return 1\n", "    return 2\n")
    ).rejected
    assert "deleted or moved by an earlier edit" in rejection.message


def test_bytes_that_are_no_utf8_do_not_come_in() -> None:
    assert "no file can hold" in rejection_of(
        FILES, fenced_block("b.py", "    return 1\n", "    return '\udcff'\n")
    )
