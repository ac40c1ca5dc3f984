"""Replies and files made to cost much: each is dealt with in time near-linear in its size.

The limits are a hundred times what the work takes where it is linear, and far below what it takes
where it is not.
"""

from __future__ import annotations

import pytest

from bot.change.edits import apply_edits, find_problems, read_reply
from bot.types.reply import Edit
from bot.types.snapshot import Change
from tests.change.snapshots import view_of

MEGABYTE = 1_000_000

pytestmark = pytest.mark.slow


def _repeated(text: str, chars: int = 200_000) -> str:
    return text * (chars // len(text))


@pytest.mark.parametrize(
    "unit",
    [
        "<", "<<<<<<< SEARCH\n", "<<<<<<< SEARCH\n=======\n", "a.py\n<<<<<<< SEARCH\n", "=======\n",
        ">>>>>>> REPLACE\n",
        "```\n", "```x\n", "a.py\n```x\n", "a.py\n```\n", "`" * 40 + "\n", "~~~x\n```y\n", " ```\n", "`", "* ",
        "**", "(", "[a](",
        "*** Begin Patch\n", "*** Update File: a\n", "*** Update File: a\n@@\n+b\n", "*** Add File: a\n+x\n-", "*** ",
        "--- a\n+++ b\n", "--- a/a\n+++ b/a\n@@ -1,9 +1,9 @@\n", "diff --git a/a b/a\n", "@@ -1 +1 @@\n", "--- \n",
        "```diff\n--- a/a\n+++ b/a\n", "```request\nread a:1-\n", "read a:1-\n", "a.py\n", "in in in ", "File: ", "./",
        "a/", "# ", "<think>", "\r\n", "\r", "\0", "\ud800", "\u200d", "....", "…",
    ],
)  # fmt: skip
def test_the_same_again_and_again_is_read_in_bounded_work(unit: str) -> None:
    read_reply(_repeated(unit))
    read_reply("```\n" + _repeated(unit) + "\n```\n")
    read_reply("a.py\n```diff\n" + _repeated(unit))
    read_reply("```request\n" + _repeated(unit))


@pytest.mark.parametrize(
    "line",
    [
        "<" * MEGABYTE,
        "<<<<<<< SEARCH" + " " * MEGABYTE + "x",
        "`" * MEGABYTE,
        "# " * 500_000,
        "@@" + " -1" * 300_000,
        "--- " + "a" * MEGABYTE,
    ],
)
def test_a_line_of_a_megabyte_is_read_in_bounded_work(line: str) -> None:
    read_reply(f"{line}\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n" * 3)
    read_reply(f"```diff\n--- a/a\n+++ b/a\n{line}\n+{line}\n```\n")


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["<<<<<<<", "<<<<<<< SEARCH\n", "```\n"])
def test_a_megabyte_of_markers_is_read_in_bounded_work(unit: str) -> None:
    read_reply(_repeated(unit, MEGABYTE))


def test_deep_fences_are_read_in_bounded_work() -> None:
    read_reply("".join(f"a.md\n{'`' * length}x\n" for length in range(3, 1400)))
    read_reply("".join(f"a.md\n{'`' * length}x\n" for length in range(1400, 3, -1)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    ["a\n" * 500_000, "ab" * 500_000, "\n" * MEGABYTE, "a\nb\n" * 250_000, " " * MEGABYTE],
)
@pytest.mark.parametrize(
    "search",
    ["a\n", "a\n" * 20_000 + "b\n", "\n\n\n", "ab" * 20_000, "a\n...\n" * 5_000, "x\n" * 10_000],
)
def test_edits_of_a_repetitive_megabyte_are_applied_in_bounded_work(
    content: str, search: str
) -> None:
    edits = [Edit("replace", "a.txt", search, f"{search}new {number}\n") for number in range(10)]
    apply_edits(view_of({"a.txt": content.encode()}), {}, edits)


@pytest.mark.slow
def test_a_thousand_edits_that_match_nothing_are_refused_in_bounded_work() -> None:
    content = "".join(f"line {number} of many\n" for number in range(100_000)).encode()
    edits = [
        Edit("replace", "a.txt", f"line {number} of few\n", "x\n", anchors=("many",) * 50)
        for number in range(1000)
    ]
    assert len(apply_edits(view_of({"a.txt": content}), {}, edits).rejected) == 1000


@pytest.mark.slow
def test_a_thousand_edits_of_one_large_file_are_applied_or_refused_in_bounded_work() -> None:
    content = "".join(f"line {number} of many\n" for number in range(100_000)).encode()
    edits = [
        Edit("replace", "a.txt", f"line {number} of many\n", f"{number}\n")
        for number in range(1000)
    ]
    applied = apply_edits(view_of({"a.txt": content}), {}, edits)
    assert len(applied.held) + len(applied.rejected) == 1000


def test_headings_that_stand_everywhere_are_followed_in_bounded_work() -> None:
    content = ("def f():\n" + "    x\n" * 3) * 20_000
    edits = [Edit("replace", "a.py", "    x\n", "    y\n", anchors=("def f():",) * 20)] * 3
    assert len(apply_edits(view_of({"a.py": content.encode()}), {}, edits).rejected) == 3


@pytest.mark.slow
def test_a_hundred_thousand_files_are_looked_over_in_bounded_work() -> None:
    files = {f"d{number % 997}/f{number}.py": b"" for number in range(100_000)}
    edits = [Edit("write", f"d{number}/new.py", replace="x\n") for number in range(300)]
    edits += [Edit("delete", f"nowhere/{number}.py") for number in range(100)]
    assert len(apply_edits(view_of(files), {}, edits).held) == 300


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.txt", "AKIA" * 200_000), ("a.txt", "token" * 200_000 + "='"),
        ("a.txt", "-----BEGIN " * 80_000), ("a.txt", "sk-" * 300_000), ("a.txt", "eyJ" * 300_000),
    ],
)  # fmt: skip
def test_hostile_content_is_checked_in_bounded_work(path: str, content: str) -> None:
    find_problems(view_of({}), {path: Change(path, content.encode())})
