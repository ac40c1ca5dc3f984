"""The deviations from the asked-for form that are tolerated: each test's name says which."""

from __future__ import annotations

import pytest

from bot.change.edits import read_reply
from tests.change.edits.samples import contents_after, rejection_of
from tests.doubles.edit_blocks import fenced_block

APP = """import os


def f(a):
    if a:
        return a
    return os.name


def g(b):
    return b
"""
GO = "package a\n\nfunc a() {\n\tif x {\n\t\ty()\n\t}\n}\n"
WANTED = {"src/app.py": APP.replace("return b\n", "return b * 2\n").encode()}
PLAIN = "<<<<<<< SEARCH\n    return b\n=======\n    return b * 2\n>>>>>>> REPLACE\n"


@pytest.mark.parametrize(
    "label",
    [
        "src/app.py", "**src/app.py**", "`src/app.py`", "**`src/app.py`**", "### src/app.py",
        "#### `src/app.py`:", "File: src/app.py", "**File:** `src/app.py`", "**File: src/app.py**",
        "Filename: src/app.py", "src/app.py:", "./src/app.py", "a/src/app.py", "b/src/app.py",
        "- `src/app.py`:", "1. **src/app.py**", "> src/app.py", "`src/app.py` (modified):",
        "In `src/app.py`:", "Update the file `src/app.py`:", "=== src/app.py ===", "# src/app.py",
        "// src/app.py", "<!-- src/app.py -->", "/* src/app.py */", "[src/app.py](src/app.py)",
        "src/app.py:10-12", "`src/app.py:10`", "`src/app.py` (lines 10-12):",
        "`src/app.py` - doubles the result", "In src/app.py, the result must be doubled.",
        "src/app.py\n", "  src/app.py  ", "In `src/app.py` the result must be doubled, so:",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "form",
    ["{label}\n{block}", "{label}\n```python\n{block}```\n", "```python\n{label}\n{block}```\n"],
)
def test_a_path_may_be_decorated_inside_or_outside_the_fence(label: str, form: str) -> None:
    assert contents_after({"src/app.py": APP}, form.format(label=label, block=PLAIN)) == WANTED


@pytest.mark.parametrize(
    "info",
    [
        "python src/app.py",
        "9:11:src/app.py",
        "python:src/app.py",
        "src/app.py",
        'py title="src/app.py"',
        "py file=src/app.py",
    ],
)
def test_a_path_may_be_in_the_info_string(info: str) -> None:
    assert contents_after({"src/app.py": APP}, f"```{info}\n{PLAIN}```\n") == WANTED


def test_a_path_may_follow_the_search_marker() -> None:
    assert (
        contents_after({"src/app.py": APP}, PLAIN.replace("SEARCH", "SEARCH src/app.py")) == WANTED
    )


def test_a_block_without_a_path_belongs_to_the_file_before() -> None:
    first = fenced_block("src/app.py", "import os\n", "import sys\n")
    wanted = APP.replace("import os", "import sys").replace("return b\n", "return b * 2\n")
    assert contents_after({"src/app.py": APP}, f"{first}and\n\n{PLAIN}") == {
        "src/app.py": wanted.encode()
    }


@pytest.mark.parametrize("fence", ["```", "````", "``````", "~~~", "~~~~~"])
@pytest.mark.parametrize("language", ["", "python", "text", "diff"])
def test_fences_may_have_any_length_sign_and_language(fence: str, language: str) -> None:
    assert (
        contents_after({"src/app.py": APP}, f"src/app.py\n{fence}{language}\n{PLAIN}{fence}\n")
        == WANTED
    )


def test_a_fence_may_be_indented_in_a_list() -> None:
    lines = "".join(f"   {line}\n" for line in f"```python\n{PLAIN}```".split("\n"))
    assert contents_after({"src/app.py": APP}, f"1. src/app.py\n{lines}") == WANTED


def test_several_blocks_may_share_a_fence() -> None:
    other = "<<<<<<< SEARCH\nimport os\n=======\nimport sys\n>>>>>>> REPLACE\n"
    wanted = APP.replace("import os", "import sys").replace("return b\n", "return b * 2\n")
    assert contents_after({"src/app.py": APP}, f"src/app.py\n```\n{other}\n{PLAIN}```\n") == {
        "src/app.py": wanted.encode()
    }


@pytest.mark.parametrize(
    "marker",
    [(">>>>>>>", ">>>>>>>>>"), ("=======", "====="), ("SEARCH", "search"), ("REPLACE", "REPLACE ")],
)
def test_markers_may_be_of_another_length_or_case(marker: tuple[str, str]) -> None:
    assert contents_after({"src/app.py": APP}, f"src/app.py\n{PLAIN.replace(*marker)}") == WANTED


def test_a_reply_may_use_crlf() -> None:
    assert (
        contents_after({"src/app.py": APP}, f"src/app.py\n{PLAIN}".replace("\n", "\r\n")) == WANTED
    )


def test_a_reply_may_lack_its_final_newline() -> None:
    assert contents_after({"src/app.py": APP}, f"src/app.py\n{PLAIN}".rstrip()) == WANTED


def test_reasoning_at_the_start_of_a_reply_holds_no_edits() -> None:
    reasoning = f"<think>\nMaybe src/app.py\n{PLAIN.replace('* 2', '* 3')}</think>\n"
    assert contents_after({"src/app.py": APP}, f"{reasoning}src/app.py\n{PLAIN}") == WANTED


@pytest.mark.parametrize(("top", "bottom"), [("\n", ""), ("", "\n"), ("\n\n", "\n")])
def test_blank_lines_may_be_added_at_the_ends_of_both_sides(top: str, bottom: str) -> None:
    reply = fenced_block(
        "src/app.py", f"{top}    return b\n{bottom}", f"{top}    return b * 2\n{bottom}"
    )
    assert contents_after({"src/app.py": APP}, reply) == WANTED


def test_blank_lines_that_the_file_shares_with_the_search_stay() -> None:
    reply = fenced_block("a.txt", "\n\none\n", "\none\ntwo\n")
    assert contents_after({"a.txt": "zero\n\none\n"}, reply) == {"a.txt": b"zero\none\ntwo\n"}


def test_trailing_spaces_that_the_search_lost_stay_in_the_file() -> None:
    reply = fenced_block("a.txt", "one\ntwo\nthree\n", "one\n2\nthree\n")
    assert contents_after({"a.txt": "one  \ntwo \nthree\t\nfour\n"}, reply) == {
        "a.txt": b"one  \n2\nthree\t\nfour\n"
    }


def test_trailing_spaces_stay_where_no_line_is_the_only_one_of_its_kind() -> None:
    before = "a\na\na\n\n  \na\n"
    edit = fenced_block("a.txt", "a\na\na\n\n\na", "a\nb\na\na\n\n\n")
    assert contents_after({"a.txt": before}, edit) == {"a.txt": b"a\nb\na\na\n\n  \n"}


def test_indentation_may_be_lost_throughout() -> None:
    reply = fenced_block(
        "src/app.py", "if a:\n    return a\n", "if a:\n    for x in a:\n        return x\n"
    )
    wanted = APP.replace("        return a\n", "        for x in a:\n            return x\n")
    assert contents_after({"src/app.py": APP}, reply) == {"src/app.py": wanted.encode()}


def test_indentation_may_be_gained_throughout() -> None:
    reply = fenced_block(
        "src/app.py", "    def g(b):\n        return b\n", "    def g(b):\n        return b * 2\n"
    )
    assert contents_after({"src/app.py": APP}, reply) == WANTED


def test_spaces_may_stand_for_tabs() -> None:
    reply = fenced_block(
        "a.go",
        "    if x {\n        y()\n    }\n",
        "    if x {\n        y()\n        if z {\n            w()\n        }\n    }\n",
    )
    wanted = GO.replace("\t\ty()\n", "\t\ty()\n\t\tif z {\n\t\t\tw()\n\t\t}\n")
    assert contents_after({"a.go": GO}, reply) == {"a.go": wanted.encode()}


def test_tabs_may_stand_for_spaces() -> None:
    reply = fenced_block(
        "src/app.py", "\tif a:\n\t\treturn a\n", "\tif a:\n\t\tprint(a)\n\t\treturn a\n"
    )
    wanted = APP.replace("        return a\n", "        print(a)\n        return a\n")
    assert contents_after({"src/app.py": APP}, reply) == {"src/app.py": wanted.encode()}


def test_a_full_file_is_written_as_it_is_sent() -> None:
    """Its margin and its blank ends may be what was asked for: nothing beside it says otherwise."""
    reply = "\n\n    x = 1\n    y = 3\n\n"
    assert contents_after({"a.py": "x = 1\ny = 2\n"}, f"a.py\n```\n{reply}```\n") == {
        "a.py": reply.encode()
    }


def test_line_numbers_may_be_copied_along() -> None:
    reply = fenced_block(
        "src/app.py",
        "  10 | def g(b):\n  11 |     return b\n",
        "  10 | def g(b):\n  11 |     return b * 2\n",
    )
    assert contents_after({"src/app.py": APP}, reply) == WANTED


def test_an_edit_may_be_repeated() -> None:
    reply = fenced_block("src/app.py", "import os\n", "import os\nimport sys\n")
    wanted = APP.replace("import os\n", "import os\nimport sys\n")
    assert contents_after({"src/app.py": APP}, f"{reply}\nAgain:\n{reply}") == {
        "src/app.py": wanted.encode()
    }


def test_the_same_edit_may_come_in_two_forms() -> None:
    diff = (
        "```diff\n--- a/src/app.py\n+++ b/src/app.py\n@@ -1 +1,2 @@\n import os\n+import sys\n```\n"
    )
    wanted = APP.replace("import os\n", "import os\nimport sys\n")
    reply = fenced_block("src/app.py", "import os\n", "import os\nimport sys\n") + diff
    assert contents_after({"src/app.py": APP}, reply) == {"src/app.py": wanted.encode()}


def test_edits_of_one_place_apply_in_order() -> None:
    reply = fenced_block("src/app.py", "    return b\n", "    return c\n") + fenced_block(
        "src/app.py", "    return c\n", "    return b * 2\n"
    )
    assert contents_after({"src/app.py": APP}, reply) == WANTED


@pytest.mark.parametrize(
    "header",
    [
        "@@ -10,2 +10,2 @@",
        "@@ -1,2 +1,2 @@",
        "@@ -9,7 +9,8 @@ def f",
        "@@ @@",
        "@@ ... @@",
        "@@",
        "@@ -,+ @@",
    ],
)
def test_a_hunk_may_have_wrong_numbers_or_none(header: str) -> None:
    diff = (
        f"```diff\n--- a/src/app.py\n+++ b/src/app.py\n{header}\n def g(b):\n-    return b\n+   "
        " return b * 2\n```\n"
    )
    assert contents_after({"src/app.py": APP}, diff) == WANTED


def test_a_diff_may_lack_prefixes_or_a_fence() -> None:
    diff = (
        "--- src/app.py\n+++ src/app.py\n@@ -10,2 +10,2 @@\n def g(b):\n-    return b\n+    return"
        " b * 2\n"
    )
    assert contents_after({"src/app.py": APP}, f"Here:\n\n{diff}\nDone.\n") == WANTED


def test_a_diff_may_lack_file_headers_under_its_path() -> None:
    assert (
        contents_after(
            {"src/app.py": APP},
            "src/app.py\n```diff\n@@ @@\n def g(b):\n-    return b\n+    return b * 2\n```\n",
        )
        == WANTED
    )


def test_empty_context_lines_may_lose_their_space() -> None:
    diff = "```diff\n--- a/a.txt\n+++ b/a.txt\n@@ -1,4 +1,4 @@\n one\n\n-two\n+2\n\n```\n"
    assert contents_after({"a.txt": "one\n\ntwo\n\n"}, diff) == {"a.txt": b"one\n\n2\n\n"}


def test_counts_that_are_too_large_do_not_swallow_the_next_file() -> None:
    hunk = "--- a/{0}\n+++ b/{0}\n@@ -1,9 +1,9 @@\n-one\n+1\n"
    reply = f"```diff\n{hunk.format('a.txt')}{hunk.format('b.txt')}```\n"
    assert contents_after({"a.txt": "one\n", "b.txt": "one\n"}, reply) == {
        "a.txt": b"1\n",
        "b.txt": b"1\n",
    }


def test_a_deleted_line_that_looks_like_a_header_is_a_line() -> None:
    diff = "```diff\n--- a/a.sql\n+++ b/a.sql\n@@ -1,2 +1,2 @@\n--- old\n+++ new\n x\n```\n"
    assert contents_after({"a.sql": "-- old\nx\n"}, diff) == {"a.sql": b"++ new\nx\n"}


@pytest.mark.parametrize(
    "text",
    [
        "*** Begin Patch\n{}*** End Patch\n",
        "```\n*** Begin Patch\n{}*** End Patch\n```\n",
        "```diff\n{}```\n",
    ],
)
def test_an_envelope_may_lack_its_ends_in_a_fence(text: str) -> None:
    update = "*** Update File: src/app.py\n@@ def g(b):\n-    return b\n+    return b * 2\n"
    assert contents_after({"src/app.py": APP}, text.format(update)) == WANTED


def test_forms_may_be_mixed_with_prose_between() -> None:
    reply = (
        "First the doubling.\n\nsrc/app.py\n"
        + PLAIN
        + "\nThen a new file, `b.txt`.\n\nb.txt\n```\nhello\n```\n\n"
        "And:\n*** Begin Patch\n*** Delete File: c.txt\n*** End Patch\nThat is all.\n"
    )
    assert contents_after({"src/app.py": APP, "c.txt": "c\n"}, reply) == {
        **WANTED,
        "b.txt": b"hello\n",
        "c.txt": None,
    }
    assert "That is all." in read_reply(reply).prose


def test_markers_may_be_those_of_another_editor() -> None:
    reply = "src/app.py\n------- SEARCH\n    return b\n=======\n    return b * 2\n+++++++ REPLACE\n"
    assert contents_after({"src/app.py": APP}, reply) == WANTED


def test_a_file_may_hold_blocks_itself_in_a_block_of_longer_markers() -> None:
    old = f"Write:\n{PLAIN}Done.\n"
    edit = f"<<<<<<<<< SEARCH\n{old}=========\n{old.replace('Write', 'Send')}>>>>>>>>> REPLACE\n"
    assert contents_after({"a.md": old}, f"a.md\n{edit}{fenced_block('b.py', '', 'x = 1')}") == {
        "a.md": old.replace("Write", "Send").encode(),
        "b.py": b"x = 1\n",
    }


@pytest.mark.parametrize(
    ("search", "new"),
    [
        ("def f(a):\n...\n    return os.name\n", "def f(a, c):\n...\n    return c\n"),
        ("def f(a):\n    # ...\n    return os.name\n", "def f(a):\n    return a or os.name\n"),
        ("    return “b”\n", "    return b\n"),
        ("    return  b\n", "    return b * 2\n"),
        ("def g(b):\nreturn b\n", "def g(b):\nreturn b * 2\n"),
        ("turn os.na\n", "turn os.path\n"),
    ],
    ids=["dots on both sides", "dots", "typography", "inner spaces", "no rule", "part of a line"],
)
def test_what_is_not_certain_is_asked_about(search: str, new: str) -> None:
    rejection_of({"src/app.py": APP}, fenced_block("src/app.py", search, new))
