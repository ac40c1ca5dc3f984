"""How a reply is parsed: each form of edit, requests and prose, and the problems that are reported
for what could not be read."""

from __future__ import annotations

import pytest

from bot.change.edits import NOTHING_SENT, read_reply
from bot.types.reply import Edit, Request
from tests.change.edits.samples import apply_reply, contents_after
from tests.doubles.edit_blocks import fenced_block

APP = "import os\n\n\ndef f(a):\n    return a\n\n\ndef g(b):\n    return b\n"
BLOCK = fenced_block("a.py", "a\n", "b\n")


def test_a_search_replace_block_changes_its_place() -> None:
    reply = "src/app.py\n<<<<<<< SEARCH\n    return a\n=======\n    return a + 1\n>>>>>>> REPLACE\n"
    assert contents_after({"src/app.py": APP}, reply) == {
        "src/app.py": APP.replace("return a\n", "return a + 1\n").encode()
    }


def test_an_empty_search_makes_a_file() -> None:
    reply = "new.py\n```python\n<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n```\n"
    assert contents_after({"src/app.py": APP}, reply) == {"new.py": b"x = 1\n"}


def test_an_envelope_adds_updates_moves_and_deletes() -> None:
    reply = """*** Begin Patch
*** Update File: src/app.py
*** Move to: src/main.py
@@ def g(b):
-    return b
+    return b * 2
*** Delete File: old.txt
*** Add File: docs/new.md
+# New
*** End Patch
"""
    assert contents_after({"src/app.py": APP, "old.txt": "x\n"}, reply) == {
        "src/app.py": None,
        "src/main.py": APP.replace("return b\n", "return b * 2\n").encode(),
        "old.txt": None,
        "docs/new.md": b"# New\n",
    }


def test_a_unified_diff_in_a_fence_is_applied() -> None:
    reply = (
        "```diff\n--- a/src/app.py\n+++ b/src/app.py\n@@ -4,2 +4,2 @@\n def f(a):\n-    return a\n+"
        "    return 0\n```\n"
    )
    assert contents_after({"src/app.py": APP}, reply) == {
        "src/app.py": APP.replace("return a\n", "return 0\n").encode()
    }


def test_a_full_file_is_read_from_a_fence_under_its_path() -> None:
    content = APP.replace("return a", "return 0")
    assert contents_after({"src/app.py": APP}, f"src/app.py\n```python\n{content}```\n") == {
        "src/app.py": content.encode()
    }


def test_requests_are_read_beside_edits() -> None:
    parsed = read_reply(
        "a.py\n```\nx\n```\nMore:\n```request\nread b.py:3-9\nsearch def \\w+\nlist src\n```\n"
    )
    assert parsed.edits == (Edit("write", "a.py", replace="x\n"),)
    assert parsed.requests == (
        Request("read", "b.py", 3, 9),
        Request("search", r"def \w+"),
        Request("list", "src"),
    )
    assert parsed.prose == "More:"


@pytest.mark.parametrize(
    "end",
    range(
        len("b.py\n<<<<<<< SEARCH\n"),
        len(fenced_block("b.py", "a\n", "b\n")) - len(">>> REPLACE\n```\n"),
    ),
)
def test_a_block_that_was_cut_off_is_reported_and_the_ones_before_it_stay(end: int) -> None:
    parsed = read_reply(BLOCK + fenced_block("b.py", "a\n", "b\n")[:end])
    assert parsed.edits == read_reply(BLOCK).edits
    assert "b.py" in parsed.problems[0]


def test_a_block_without_its_divider_is_reported() -> None:
    parsed = read_reply("a.py\n<<<<<<< SEARCH\na\nb\n>>>>>>> REPLACE\n")
    assert (parsed.edits, parsed.problems) == (
        (),
        (
            (
                "A search/replace block of a.py has no `=======` line between its two sides. Send"
                " it again, whole; if the file itself holds such lines, with markers of nine signs:"
                " `<<<<<<<<< SEARCH`, `=========`, `>>>>>>>>> REPLACE`."
            ),
        ),
    )


def test_a_block_that_runs_into_the_next_is_reported_and_the_next_is_read() -> None:
    parsed = read_reply("a.py\n<<<<<<< SEARCH\na\n=======\nb\n" + BLOCK)
    assert parsed.edits == read_reply(BLOCK).edits
    assert "no `>>>>>>> REPLACE`" in parsed.problems[0]


def test_a_block_of_no_file_is_reported() -> None:
    parsed = read_reply("Change this:\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n")
    assert (parsed.edits, len(parsed.problems)) == ((), 1)


def test_a_full_file_that_was_cut_off_is_reported() -> None:
    parsed = read_reply(f"{BLOCK}\nb.py\n```python\nx = 1\ny =")
    assert parsed.edits == read_reply(BLOCK).edits
    assert "b.py is not closed" in parsed.problems[0]


def test_a_full_file_whose_fences_do_not_come_out_even_is_reported() -> None:
    parsed = read_reply("a.md\n```\n# A\n```sh\nmake\n")
    assert (parsed.edits, len(parsed.problems)) == ((), 1)


def test_an_envelope_that_was_cut_off_loses_its_last_file_alone() -> None:
    parsed = read_reply("*** Begin Patch\n*** Delete File: a.py\n*** Update File: b.py\n@@\n-a\n+b")
    assert parsed.edits == (Edit("delete", "a.py"),)
    assert "b.py" in parsed.problems[0]


def test_a_diff_that_was_cut_off_loses_its_last_hunk_alone() -> None:
    parsed = read_reply(
        "```diff\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n@@ -5,3 +5,3 @@\n c\n-d\n"
    )
    assert [edit.search for edit in parsed.edits] == ["a\n"]
    assert "a.py may have been cut off" in parsed.problems[0]


@pytest.mark.parametrize(
    "lines",
    [
        "index 1..2\nBinary files a/a.png and b/a.png differ",
        "GIT binary patch\nliteral 1\nIc",
        "copy from a.png\ncopy to b.png",
        "old mode 100644\nnew mode 100755",
    ],
)
def test_what_is_not_supported_in_a_diff_is_reported(lines: str) -> None:
    parsed = read_reply(f"```diff\ndiff --git a/a.png b/a.png\n{lines}\n```\n")
    assert (parsed.edits, len(parsed.problems)) == ((), 1)


def test_a_reply_beyond_the_limit_is_not_read() -> None:
    parsed = read_reply(BLOCK * 3, max_chars=len(BLOCK))
    assert (parsed.edits, len(parsed.problems)) == ((), 1)


@pytest.mark.parametrize(
    "reply",
    [
        "[CONFIDENT]\nAll is well.",
        "[NO CHANGE] It works already.",
        "No changes are needed: it works already.",
        "There is nothing to change.\n```bash\nmake test\n```\n",
    ],
)
def test_words_that_no_change_is_needed_are_no_edit(reply: str) -> None:
    parsed = read_reply(reply)
    assert (parsed.edits, parsed.problems) == ((), ())


@pytest.mark.parametrize("reply", ["", "Done!", "I would do it like this:\n```\nx\n```\n"])
def test_a_reply_that_holds_nothing_is_asked_about(reply: str) -> None:
    assert read_reply(reply).problems == (NOTHING_SENT,)


def test_code_without_a_path_is_a_quote() -> None:
    parsed = read_reply(f"{BLOCK}\nIt works like this:\n```python\nprint(1)\n```\n")
    assert [(edit.action, edit.path) for edit in parsed.edits] == [
        ("replace", "a.py"),
        ("quote", ""),
    ]


@pytest.mark.parametrize(
    ("quote", "is_asked"),
    [
        ("It read:\n```python\ndef f(a):\n    return a\n```\n", False),
        ("Use it so:\n```python\nprint(f(1) + f(2))\n```\n", False),
        ("```bash\npytest\n```\n", False),
        ("Then:\n```python\ndef f(a):\n    return a or None\n```\n", True),
        ("Add to `src/app.py`:\n```python\nprint(1)\n```\n", True),
        ("```bash\nsed -i s/a/b/ src/app.py\n```\n", True),
        ("Also rename `src/app.py` to `src/main.py`.\n", True),
    ],
)
def test_a_quote_that_may_be_a_change_is_asked_about(quote: str, is_asked: bool) -> None:
    reply = fenced_block("src/app.py", "    return b\n", "    return 0\n") + "\n" + quote
    result = apply_reply({"src/app.py": APP}, reply)
    problems = read_reply(reply, known={"src/app.py"}).problems
    assert bool(result.rejected or problems) == is_asked
    assert result.changes["src/app.py"].content == APP.replace("return b", "return 0").encode()


def test_prose_is_what_is_left_beside_the_edits() -> None:
    parsed = read_reply(f"Fix it\n\nThe cause is x.\n\n{BLOCK}\nNow y.\n\n{BLOCK}\n[CONFIDENT]\n")
    assert parsed.prose == "Fix it\n\nThe cause is x.\n\nNow y.\n\n[CONFIDENT]"


def test_a_file_with_fences_is_read_from_a_longer_one() -> None:
    content = "# A\n\n```\nmake\n```\n\n````\n```\n````\n"
    assert read_reply(f"a.md\n`````\n{content}`````\n").edits == (
        Edit("write", "a.md", replace=content),
    )


def test_a_file_may_hold_fences_as_long_as_its_own_where_they_come_out_even() -> None:
    content = "# A\n```sh\nmake\n```\n\nThen:\n```sh\nmake\n```\nend\n"
    assert read_reply(f"a.md\n```markdown\n{content}```\nDone.\n").edits == (
        Edit("write", "a.md", replace=content),
    )


def test_a_fence_indented_as_code_closes_nothing() -> None:
    content = 'def f():\n    """\n    ```\n    x\n    ```\n    """\n'
    assert read_reply(f"a.py\n```python\n{content}```\n").edits == (
        Edit("write", "a.py", replace=content),
    )


def test_a_patch_file_may_be_written_whole() -> None:
    content = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    assert read_reply(f"fix.patch\n```diff\n{content}```\n").edits == (
        Edit("write", "fix.patch", replace=content),
    )


def test_a_diff_renames_adds_and_deletes() -> None:
    diff = (
        "diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to"
        " new.py\n--- a/old.py\n+++ b/new.py\n@@ -1 +1 @@ def f\n-a\n+b\ndiff --git a/x.py"
        " b/x.py\nnew file mode 100644\nindex 0000000..e69de29\ndiff --git a/y.py b/y.py\ndeleted"
        ' file mode 100644\nindex e69de29..0000000\ndiff --git "a/sp\\303\\244t \\"x\\".py"'
        ' "b/sp\\303\\244t \\"x\\".py"\n--- "a/sp\\303\\244t \\"x\\".py"\n+++ "b/sp\\303\\244t'
        ' \\"x\\".py"\n@@ -0,0 +1 @@\n+a\n'
    )
    assert read_reply(f"```diff\n{diff}```\n").edits == (
        Edit("move", "old.py", to="new.py"),
        Edit("replace", "new.py", "a\n", "b\n", line=1, anchors=("def f",)),
        Edit("replace", "x.py"),
        Edit("delete", "y.py"),
        Edit("replace", 'spät "x".py', "", "a\n", line=1),
    )


def test_a_timestamp_is_no_part_of_a_path() -> None:
    diff = (
        "--- a.py\t2026-01-01 10:00:00\n+++ a.py 2026-01-01 10:00:00.000 +0100\n@@ -1 +1"
        " @@\n-a\n+b\n"
    )
    assert read_reply(f"```diff\n{diff}```\n").edits[0].path == "a.py"


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("read a/b.py", Request("read", "a/b.py")),
        ("read a/b.py:3-9", Request("read", "a/b.py", 3, 9)),
        ("- `read a/b.py:9-3`", Request("read", "a/b.py", 3, 9)),
        ("READ: a/b.py lines 3-9", Request("read", "a/b.py", 3, 9)),
        ("read a/b.py#L3-L9", Request("read", "a/b.py", 3, 9)),
        ("read `a/b.py`:3", Request("read", "a/b.py", 3, 3)),
        ("search def \\w+\\(self", Request("search", "def \\w+\\(self")),
        ("search `a b`", Request("search", "a b")),
        ("list src/", Request("list", "src")),
        ("list", Request("list", "")),
        ("list .", Request("list", "")),
    ],
)
def test_a_request_line_is_read(line: str, request_: Request) -> None:
    assert read_reply(f"```request\n{line}\n```\n").requests == (request_,)


def test_a_request_line_that_is_none_is_kept_to_be_answered() -> None:
    parsed = read_reply("```request\nplease show me everything\nread a.py\n```\n")
    asked = (Request("unknown", "please show me everything"), Request("read", "a.py"))
    assert (parsed.requests, parsed.problems) == (asked, ())


@pytest.mark.parametrize(
    "line", ["@@@ -1,2 -1,2 +1,3 @@@", "@@@", "*** foo", "--- a", "+++ b", "index 1..2"]
)
@pytest.mark.parametrize(
    "head", ["*** Update File: a.py", "*** Add File: a.py", "*** Delete File: a.py"]
)
def test_any_line_in_an_envelope_is_passed(head: str, line: str) -> None:
    read_reply(f"*** Begin Patch\n{head}\n{line}\n+x\n*** End Patch\n")


@pytest.mark.parametrize("sign", ["\ud800", "\0"])
def test_a_path_in_quotes_may_hold_any_signs(sign: str) -> None:
    parsed = read_reply(f'```diff\ndiff --git a/a b/a\nrename from "a{sign}"\nrename to b\n```\n')
    assert [edit.action for edit in parsed.edits] == ["move"]
