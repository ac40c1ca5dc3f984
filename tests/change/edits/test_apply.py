"""What each edit does to the files, and when it is rejected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.change.edits import apply_edits, read_reply
from bot.types.reply import Edit
from bot.types.snapshot import Change
from tests.change.edits.samples import LONG, apply_reply, contents_after, rejection_of
from tests.change.snapshots import view_of
from tests.doubles.edit_blocks import fenced_block


@pytest.mark.parametrize("content", [b"a\r\nb\r\nc\r\n", b"a\r\nb\r\nc"])
def test_line_ends_of_the_file_are_kept(content: bytes) -> None:
    assert contents_after({"a.txt": content}, fenced_block("a.txt", "b\n", "B\nB2\n")) == {
        "a.txt": content.replace(b"b", b"B\r\nB2")
    }


def test_lines_that_end_as_on_old_macs_are_lines() -> None:
    assert contents_after({"a.txt": b"a\rb\rc\r"}, fenced_block("a.txt", "b\n", "B\nB2\n")) == {
        "a.txt": b"a\rB\rB2\rc\r"
    }


def test_a_full_file_takes_the_line_ends_mark_and_final_newline_of_the_old_one() -> None:
    old = b"\xef\xbb\xbfa\r\nb\r\nc"
    assert contents_after({"a.txt": old}, "a.txt\n```\na\nB\nc\n```\n") == {
        "a.txt": b"\xef\xbb\xbfa\r\nB\r\nc"
    }


def test_mixed_line_ends_stay_where_nothing_changes() -> None:
    assert contents_after(
        {"a.txt": b"a\r\nb\nc\r\nd\n"}, fenced_block("a.txt", "a\nb\nc\n", "a\nb\nX\nc\n")
    ) == {"a.txt": b"a\r\nb\nX\nc\r\nd\n"}


def test_line_ends_are_the_files_whatever_the_reply_has() -> None:
    diff = "```diff\n--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n-a\n+c\r\n b\n```\n"
    assert contents_after({"a.txt": b"a\nb\r\n"}, diff) == {"a.txt": b"c\nb\r\n"}
    rejection_of({"a.txt": b"a\r\nb\r\n"}, diff.replace("+c\r", "+a"))


@pytest.mark.parametrize("content", ["a\nb", "a\nb\n"])
def test_the_final_newline_stays_as_it_was(content: str) -> None:
    assert contents_after({"a.txt": content}, fenced_block("a.txt", "b\n", "b\nc\n")) == {
        "a.txt": content.replace("b", "b\nc").encode()
    }


def test_a_diff_may_add_and_take_away_the_final_newline() -> None:
    add = (
        "```diff\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n\\ No newline at end of"
        " file\n+a\n```\n"
    )
    assert contents_after({"a.txt": "a"}, add) == {"a.txt": b"a\n"}
    drop = (
        "```diff\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of"
        " file\n```\n"
    )
    assert contents_after({"a.txt": "a\n"}, drop) == {"a.txt": b"b"}


def test_a_byte_order_mark_stays() -> None:
    assert contents_after(
        {"a.txt": b"\xef\xbb\xbfa\nb\n"}, fenced_block("a.txt", "a\n", "A\n")
    ) == {"a.txt": b"\xef\xbb\xbfA\nb\n"}


def test_bytes_of_another_encoding_survive_an_edit_beside_them() -> None:
    assert contents_after({"a.txt": b"caf\xe9\nb\n"}, fenced_block("a.txt", "b\n", "c\n")) == {
        "a.txt": b"caf\xe9\nc\n"
    }


def test_no_second_encoding_is_mixed_into_a_file() -> None:
    assert "not UTF-8" in rejection_of(
        {"a.txt": b"caf\xe9\nb\n"}, fenced_block("a.txt", "b\n", "ü\n")
    )


def test_odd_line_breaks_inside_a_line_end_no_line() -> None:
    content = "a\x0cb\u2028c\u0085d\re\nf\n"
    assert contents_after({"a.txt": content}, fenced_block("a.txt", "f\n", "g\n")) == {
        "a.txt": content.replace("f", "g").encode()
    }


def test_a_place_that_is_not_the_only_one_is_refused_with_all_of_them() -> None:
    message = rejection_of({"a.txt": "x\ny\nx\ny\n"}, fenced_block("a.txt", "x\ny\n", "z\n"))
    assert "2 places (lines 1, 3)" in message


def test_a_looser_match_beside_an_exact_one_does_not_make_it_ambiguous() -> None:
    assert contents_after(
        {"a.txt": "  x = 1\nx = 1\n"}, fenced_block("a.txt", "x = 1\n", "x = 2\n")
    ) == {"a.txt": b"  x = 1\nx = 2\n"}


def test_the_line_number_of_a_diff_decides_between_equal_places() -> None:
    diff = "```diff\n--- a/a.txt\n+++ b/a.txt\n@@ -3 +3 @@\n-x\n+z\n```\n"
    assert contents_after({"a.txt": "x\ny\nx\ny\n"}, diff) == {"a.txt": b"x\ny\nz\ny\n"}


def test_line_numbers_are_not_followed_once_one_was_wrong() -> None:
    diff = "--- a/a.txt\n+++ b/a.txt\n@@ -4 +4 @@\n-once\n+one\n@@ -3 +3 @@\n-x\n+z\n"
    result = apply_reply({"a.txt": "x\ny\nx\ny\nonce\n"}, f"```diff\n{diff}```\n")
    assert [rejection.edit.search for rejection in result.rejected] == ["x\n"]


def test_a_heading_decides_between_equal_places() -> None:
    files = {"a.py": "def f():\n    return 1\n\ndef g():\n    return 1\n"}
    reply = (
        "*** Begin Patch\n*** Update File: a.py\n@@ def g():\n-    return 1\n+    return 2\n*** End"
        " Patch\n"
    )
    assert contents_after(files, reply) == {
        "a.py": b"def f():\n    return 1\n\ndef g():\n    return 2\n"
    }


def test_nested_headings_lead_from_outside_in() -> None:
    files = {
        "a.py": "class A:\n    def f(self):\n        x\nclass B:\n    def f(self):\n        x\n"
    }
    reply = (
        "*** Begin Patch\n*** Update File: a.py\n@@ class B:\n@@ def f(self):\n-        x\n+       "
        " y\n*** End Patch\n"
    )
    assert contents_after(files, reply) == {
        "a.py": b"class A:\n    def f(self):\n        x\nclass B:\n    def f(self):\n        y\n"
    }


def test_the_same_change_may_be_made_at_several_places_of_a_diff() -> None:
    diff = "```diff\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n x\n+z\n@@ -3 +4,2 @@\n x\n+z\n```\n"
    assert contents_after({"a.txt": "x\ny\nx\n"}, diff) == {"a.txt": b"x\nz\ny\nx\nz\n"}


@pytest.mark.parametrize("search", ["ompute(alpha)\n", "compute(alp\n", "x =\n"])
def test_part_of_a_word_or_too_little_of_a_line_is_refused(search: str) -> None:
    assert "not in the file" in rejection_of(
        {"a.py": "x = compute(alpha)\n"}, fenced_block("a.py", search, "y\n")
    )


def test_a_search_that_is_not_there_is_answered_with_the_nearest_lines() -> None:
    message = rejection_of(
        {"a.txt": LONG}, fenced_block("a.txt", "line 90 of the file\nline 91 of a file\n", "x\n")
    )
    assert "    91 | line 90 of the file\n    92 | line 91 of the file" in message
    assert "that begins with `line 90 of the file`" in message
    assert "copied exactly" in message


def test_indentation_that_fits_no_rule_is_refused() -> None:
    files = {"a.py": "if a:\n    if b:\n        c()\n"}
    assert "how deep the new lines belong cannot be told" in rejection_of(
        files, fenced_block("a.py", "if b:\nc()\n", "if b:\nd()\n")
    )


def test_a_heading_underlined_like_a_divider_is_part_of_the_search() -> None:
    files = {"a.rst": "Changes\n=======\n\nold\n"}
    reply = fenced_block("a.rst", "Changes\n=======\n\nold\n", "Changes\n=======\n\nnew\n")
    assert contents_after(files, reply) == {"a.rst": b"Changes\n=======\n\nnew\n"}


def test_an_underline_may_be_added() -> None:
    assert contents_after(
        {"a.rst": "Changes\n\nold\n"}, fenced_block("a.rst", "Changes\n", "Changes\n=======\n")
    ) == {"a.rst": b"Changes\n=======\n\nold\n"}


def test_a_block_that_may_be_divided_in_two_ways_is_refused_with_a_way_out() -> None:
    files = {"a.rst": "one\ntwo\n=======\n"}
    lines = "{} SEARCH\none\ntwo\n{}\n=======\none\ntwo\n{} REPLACE\n"
    assert "markers of nine signs" in rejection_of(
        files, "a.rst\n" + lines.format("<" * 7, "=" * 7, ">" * 7)
    )
    wanted = {"a.rst": b"=======\none\ntwo\n=======\n"}
    assert contents_after(files, "a.rst\n" + lines.format("<" * 9, "=" * 9, ">" * 9)) == wanted


def test_conflict_markers_of_a_file_may_be_resolved() -> None:
    conflict = "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> topic\n"
    assert contents_after(
        {"a.txt": f"x\n{conflict}y\n"}, fenced_block("a.txt", conflict, "a\n")
    ) == {"a.txt": b"x\na\ny\n"}


def test_fences_of_a_file_are_part_of_an_edit() -> None:
    files = {"a.md": "# A\n\n```sh\nmake\n```\n"}
    assert contents_after(
        files, fenced_block("a.md", "```sh\nmake\n```\n", "```sh\nmake all\n```\n")
    ) == {"a.md": b"# A\n\n```sh\nmake all\n```\n"}


def test_fences_behind_a_diffs_sign_do_not_end_it() -> None:
    diff = "```diff\n--- a/a.md\n+++ b/a.md\n@@ -1,3 +1,3 @@\n ```sh\n-make\n+make all\n ```\n```\n"
    assert contents_after({"a.md": "```sh\nmake\n```\n"}, diff) == {
        "a.md": b"```sh\nmake all\n```\n"
    }


def test_an_edit_sent_again_on_the_changed_file_counts_as_applied_and_changes_nothing() -> None:
    base = view_of({"a.py": b"import os\n"})
    edits = read_reply(fenced_block("a.py", "import os\n", "import os\nimport sys\n")).edits
    first = apply_edits(base, {}, edits)
    assert apply_edits(base, first.changes, edits, seen={}) == replace(first, applied=edits)


def test_edits_that_undo_each_other_are_asked_about() -> None:
    reply = fenced_block("a.py", "one = 1\n", "one = 2\n") + fenced_block(
        "a.py", "one = 2\n", "one = 1\n"
    )
    result = apply_reply({"a.py": "one = 1\n"}, reply)
    assert "undoes what your earlier edits" in result.rejected[0].message


def test_what_comes_back_to_the_base_is_no_change() -> None:
    base = view_of({"a.py": b"one = 1\n"})
    now = {"a.py": Change("a.py", b"one = 2\n")}
    back = read_reply(fenced_block("a.py", "one = 2\n", "one = 1\n")).edits
    assert apply_edits(base, now, back).changes == {}


def test_a_delete_of_a_file_that_never_was_is_refused_with_the_nearest_name() -> None:
    message = rejection_of(
        {"src/app.py": "x\n"}, "*** Begin Patch\n*** Delete File: app.py\n*** End Patch\n"
    )
    assert "Did you mean src/app.py?" in message


def test_a_delete_that_was_made_before_counts_as_applied() -> None:
    reply = "*** Begin Patch\n*** Delete File: a.py\n*** End Patch\n"
    result = apply_reply({"a.py": "x\n"}, reply, current={"a.py": Change("a.py", None)})
    assert result.applied
    assert result.changes == {"a.py": Change("a.py", None)}


def test_a_move_onto_a_file_is_refused() -> None:
    reply = "*** Begin Patch\n*** Update File: a.py\n*** Move to: b.py\n*** End Patch\n"
    assert "that file exists" in rejection_of({"a.py": "x\n", "b.py": "y\n"}, reply)


def test_a_moved_file_keeps_its_mode_and_may_be_edited() -> None:
    reply = (
        "*** Begin Patch\n*** Update File: run.sh\n*** Move to: bin/run.sh\n@@\n-a\n+b\n*** End"
        " Patch\n"
    )
    result = apply_reply({"run.sh": "a\n"}, reply, modes={"run.sh": "100755"})
    assert result.changes["bin/run.sh"] == Change("bin/run.sh", b"b\n", "100755")


def test_an_executable_file_stays_one_and_a_new_one_is_not() -> None:
    result = apply_reply(
        {"run.sh": "a\n"},
        fenced_block("run.sh", "a\n", "b\n") + fenced_block("new.sh", "", "x\n"),
        modes={"run.sh": "100755"},
    )
    assert {path: change.mode for path, change in result.changes.items()} == {
        "run.sh": "100755",
        "new.sh": "100644",
    }


def test_each_edit_is_applied_or_rejected_by_itself() -> None:
    result = apply_reply(
        {"a.py": "a = 1\nb = 2\n"},
        fenced_block("a.py", "a = 1\n", "a = 9\n") + fenced_block("a.py", "c = 3\n", "c = 9\n"),
    )
    assert result.changes["a.py"].content == b"a = 9\nb = 2\n"
    assert [edit.search for edit in result.applied] == ["a = 1\n"]
    assert [rejection.edit.search for rejection in result.rejected] == ["c = 3\n"]


def test_too_many_files_are_refused_one_by_one() -> None:
    edits = [Edit("write", f"{number}.txt", replace="x\n") for number in range(5)]
    result = apply_edits(view_of({}), {}, edits, max_files=3)
    assert len(result.changes) == 3
    assert "more than 3 files" in result.rejected[0].message


def test_a_file_that_is_or_grows_too_large_is_refused() -> None:
    edits = [Edit("replace", "big.txt", "a\n", "b\n"), Edit("write", "new.txt", replace="x" * 101)]
    result = apply_edits(view_of({"big.txt": b"a\n" * 60}), {}, edits, max_file_bytes=100)
    assert ["larger than 100 bytes" in rejection.message for rejection in result.rejected] == [
        True,
        True,
    ]


def test_more_edits_than_the_limit_are_refused() -> None:
    edits = [Edit("write", "a.txt", replace="x\n"), Edit("write", "b.txt", replace="x\n")]
    result = apply_edits(view_of({}), {}, edits, max_edits=1)
    assert list(result.changes) == ["a.txt"]
    assert "more than 1 edits" in result.rejected[0].message


def test_equal_sides_are_asked_about() -> None:
    assert "the same" in rejection_of(
        {"a.py": "x = 1\n"}, fenced_block("a.py", "x = 1\n", "x = 1\n")
    )


TWICE = "def f():\n    return a - b\n\n\ndef g():\n    return a - b\n"
FIRST = fenced_block("a.py", "def f():\n    return a - b\n", "def f():\n    return a + b\n")


@pytest.mark.parametrize(
    "again",
    [
        fenced_block("a.py", "    return a - b\n", "    return a + b\n"),
        "```diff\n-    return a - b\n+    return a + b\n```\n",
        "*** Begin Patch\n*** Update File: a.py\n@@ def f():\n-    return a - b\n+    return a + b\n*** End Patch\n",
        f"a.py\n```\n{TWICE.replace('-', '+', 1)}```\n",
        "Now it reads:\n```python\ndef f():\n    return a + b\n```\n",
    ],
    ids=["shorter", "diff", "envelope", "whole file", "quote"],
)
def test_what_is_said_twice_is_applied_once_and_nowhere_else(again: str) -> None:
    assert contents_after({"a.py": TWICE}, f"{FIRST}\n{again}") == {
        "a.py": TWICE.replace("-", "+", 1).encode()
    }


def test_a_hunk_that_is_sent_twice_is_applied_once_where_all_lines_are_alike() -> None:
    hunk = "@@ -2,3 +2,4 @@\n alpha\n alpha\n alpha\n+alpha\n"
    text = f"```diff\n--- a/a.txt\n+++ b/a.txt\n{hunk}{hunk}```\n"
    assert contents_after({"a.txt": "alpha\n" * 4}, text) == {"a.txt": b"alpha\n" * 5}


def test_a_block_with_several_dividing_lines_that_is_sent_twice_is_divided_once() -> None:
    old, new = "alpha\nbeta\n=======\nalpha\n", "alpha\nbeta\nbeta\n=======\nalpha\n"
    assert contents_after({"a.txt": old}, 2 * fenced_block("a.txt", old, new)) == {
        "a.txt": new.encode()
    }


def test_a_place_that_is_one_of_several_as_the_model_saw_them_is_asked_about() -> None:
    """Another change of the place that the first edit left is no evidence that it is meant."""
    result = apply_reply(
        {"a.py": TWICE}, FIRST + fenced_block("a.py", "    return a - b\n", "    return 0\n")
    )
    assert result.changes["a.py"].content == TWICE.replace("-", "+", 1).encode()
    assert "stands at 2 places" in result.rejected[0].message


def test_an_edit_said_again_in_a_later_reply_is_done() -> None:
    base = view_of({"a.py": TWICE.encode()})
    first = apply_edits(base, {}, read_reply(FIRST).edits)
    again = read_reply(fenced_block("a.py", "    return a - b\n", "    return a + b\n")).edits
    assert apply_edits(base, first.changes, again, seen={}).changes == first.changes


def test_an_edit_whose_lines_around_it_were_changed_before_is_asked_about() -> None:
    """It may be meant beside the first edit, or in its place."""
    reply = fenced_block("a.txt", "a\nb\nc\n", "A\nb\nc\n") + fenced_block(
        "a.txt", "a\nb\nc\nd\n", "a\nb\nc\nD\n"
    )
    result = apply_reply({"a.txt": "a\nb\nc\nd\n"}, reply)
    assert result.changes["a.txt"].content == b"A\nb\nc\nd\n"
    assert "not in the file" in result.rejected[0].message


def test_a_heading_that_contradicts_its_number_is_asked_about() -> None:
    hunk = "--- a/a.py\n+++ b/a.py\n@@ -2 +2 @@ def {}():\n-    return a - b\n+    return a + b\n"
    assert "2 places" in rejection_of({"a.py": TWICE}, f"```diff\n{hunk.format('g')}```\n")
    assert contents_after({"a.py": TWICE}, f"```diff\n{hunk.format('f')}```\n") == {
        "a.py": TWICE.replace("-", "+", 1).encode()
    }


def test_an_edit_that_was_made_before_the_model_saw_the_file_is_done() -> None:
    """As in a further request of a thread, which goes on from the change so far."""
    base = view_of({"a.py": TWICE.encode()})
    edits = read_reply(FIRST).edits
    first = apply_edits(base, {}, edits)
    assert apply_edits(base, first.changes, edits) == replace(first, applied=edits)
