"""The diff that a review shows: a true diff, each place once, with the definitions around it."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.change.review.diff import WideDiff, widen_diff, widen_difference
from bot.types.snapshot import Change, Changes, FileStat, Patch
from tests.change.scripted import diff_of
from tests.change.snapshots import view_of

HUNK = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@(?: in: (.*))?")
ROOM = 1_000_000


def changes_to(new: dict[str, str]) -> Changes:
    return {path: Change(path, text.encode()) for path, text in new.items()}


def widened(old: dict[str, str], new: dict[str, str], *, budget_tokens: int = ROOM) -> WideDiff:
    base = view_of({path: text.encode() for path, text in old.items()})
    changes = changes_to(new)
    return widen_diff(diff_of(base)(changes), changes, budget_tokens=budget_tokens)


def difference(old: dict[str, str], new: dict[str, str]) -> WideDiff:
    """From the first version of a change to the second; the base has neither."""
    return widen_difference(view_of({}), changes_to(old), changes_to(new), budget_tokens=ROOM)


def one(old: str, new: str, path: str = "a.py") -> tuple[int, int]:
    ((first, last),) = widened({path: old}, {path: new}).shown[path]
    return first, last


def function(name: str, lines: int, end: str = "") -> str:
    return f"def {name}():\n" + "".join(f"    {name}{number}\n" for number in range(lines)) + end


def applied(old: str, wide: str) -> str:
    """The old text with the diff's hunks applied, each at the lines that it names."""
    lines, result, at = old.splitlines(), list[str](), 0
    body = wide.split("\n")[:-1]
    number = next((i for i, line in enumerate(body) if line.startswith("@@ ")), len(body))
    while number < len(body):
        match = HUNK.match(body[number])
        assert match, body[number]
        start, old_count, new_start, new_count = (int(group) for group in match.groups()[:4])
        result += lines[at : start - 1]
        assert new_start == len(result) + 1
        number += 1
        hunk = []
        while number < len(body) and not body[number].startswith("@@ "):
            hunk.append(body[number])
            number += 1
        before = [line[1:] for line in hunk if line[0] in " -"]
        after = [line[1:] for line in hunk if line[0] in " +"]
        assert (len(before), len(after)) == (old_count, new_count)
        assert before == lines[start - 1 : start - 1 + old_count]
        result += after
        at = start - 1 + old_count
    return "".join(f"{line}\n" for line in [*result, *lines[at:]])


TEXT = st.lists(
    st.sampled_from(
        ["def f():", "    x = 1", "    y = 2", "", "class A:", "    def g(self):", "z"]
    ),
    max_size=60,
).map(lambda lines: "".join(f"{line}\n" for line in lines))


@given(TEXT, TEXT)
def test_it_leads_from_the_old_file_to_the_new_one(old: str, new: str) -> None:
    if old != new and old and new:
        assert applied(old, widened({"a.py": old}, {"a.py": new}).text) == new


@given(TEXT, TEXT)
def test_so_does_the_difference_of_two_versions(old: str, new: str) -> None:
    if old != new:
        assert applied(old, difference({"a.py": old}, {"a.py": new}).text) == new


@given(TEXT, TEXT)
def test_what_it_says_is_shown_are_the_lines_of_the_new_file(old: str, new: str) -> None:
    if old != new and old and new:
        wide = widened({"a.py": old}, {"a.py": new})
        spans = list(wide.shown["a.py"])
        shown = [line[1:] for line in wide.text.split("\n") if line[:1] in (" ", "+")][1:]
        lines = new.splitlines()
        assert shown == [line for first, last in spans for line in lines[first - 1 : last]]
        assert all(before[1] < after[0] for before, after in itertools.pairwise(spans))


@pytest.mark.parametrize("end", ["", "}\n"])
@pytest.mark.parametrize("at", [0, 30, 49])
def test_a_touched_function_is_shown_whole(at: int, end: str) -> None:
    old = function("f", 100) + function("g", 50, end) + function("h", 100)
    first, last = one(old, old.replace(f"    g{at}\n", "    new\n"))
    assert first <= 102
    assert last >= 152


def test_a_function_whose_first_line_is_touched_is_shown_whole() -> None:
    old = function("f", 100) + function("g", 50)
    assert one(old, old.replace("def g():", "def g(x):"))[1] == 152


def test_a_function_that_is_too_long_is_shown_around_the_change_under_its_head() -> None:
    old = function("f", 200)
    wide = widened({"a.py": old}, {"a.py": old.replace("    f100\n", "    new\n")})
    assert wide.shown["a.py"] == [(94, 110)]
    assert "@@ -94,17 +94,17 @@ in: def f(): (line 1)\n" in wide.text


def test_of_tests_and_documentation_less_is_shown() -> None:
    old = function("test_f", 100)
    assert one(old, old.replace("    test_f50\n", "    new\n"), "tests/test_a.py") == (49, 55)
    words = "".join(f"{number}\n" for number in range(100))
    assert one(words, words.replace("\n50\n", "\nx\n"), "docs/a.md") == (48, 54)


def test_places_that_meet_are_one_and_others_stay_apart() -> None:
    old = "".join(f"{number}\n" for number in range(400))
    near = widened({"a.py": old}, {"a.py": old.replace("\n100\n", "\n").replace("\n110\n", "\n")})
    assert len(near.shown["a.py"]) == 1
    far = widened({"a.py": old}, {"a.py": old.replace("\n100\n", "\n").replace("\n300\n", "\n")})
    assert len(far.shown["a.py"]) == 2


def test_what_was_only_taken_away_is_shown_where_it_stood() -> None:
    old = function("f", 100) + function("g", 50)
    assert one(old, old.replace("    g25\n", "")) == (102, 151)


def test_a_file_that_goes_is_shown_by_its_first_lines() -> None:
    base = view_of({"a.py": function("f", 300).encode()})
    changes = {"a.py": Change("a.py", None)}
    wide = widen_diff(diff_of(base)(changes), changes, budget_tokens=ROOM)
    assert "-def f():\n-    f0\n" in wide.text
    assert wide.text.endswith("[241 more such lines]\n")
    assert wide.shown == {}


def test_a_binary_file_is_named_without_its_bytes() -> None:
    text = (
        "diff --git a/x.png b/x.png\nindex 1..2 100644\nGIT binary patch\nliteral 3\nKzzz\n\n"
        "diff --git a/b.py b/b.py\nold mode 100644\nnew mode 100755\n"
    )
    files = (FileStat("x.png", 0, 0, "modified"), FileStat("b.py", 0, 0, "modified"))
    changes = {"x.png": Change("x.png", b"\0"), "b.py": Change("b.py", b"b\n", "100755")}
    wide = widen_diff(Patch("s", text, files), changes, budget_tokens=ROOM)
    assert "literal" not in wide.text
    assert "x.png" in wide.text
    assert wide.text.endswith("new mode 100755\n")
    binary = widen_difference(
        view_of({"x.png": b"\0\1"}), {}, {"x.png": Change("x.png", b"\0\2")}, budget_tokens=ROOM
    )
    assert binary.text == "x.png (binary)\n"


def test_what_has_no_room_is_named() -> None:
    old = {f"{name}.py": function(name, 50) for name in "abc"}
    new = {path: text.replace("0\n", "0 = 1\n", 1) for path, text in old.items()}
    wide = widened(old, new, budget_tokens=400)
    assert list(wide.shown) == ["a.py"]
    assert wide.text.endswith("too long. They are in: b.py, c.py]\n")


def test_a_long_line_is_cut() -> None:
    wide = widened({"a.py": "x\n"}, {"a.py": "y" * 5_000 + "\n"})
    assert "\n+" + "y" * 999 + " [4001 more characters]\n" in wide.text


def test_two_versions_are_told_apart_by_the_given_signs() -> None:
    base = view_of({"a.py": b"one\ntwo\n", "b.py": b"same\n"})
    a, b = changes_to({"a.py": "one\nA2\n"}), changes_to({"a.py": "one\nB2\n", "b.py": "new\n"})
    wide = widen_difference(base, a, b, budget_tokens=ROOM, signs=("A ", "B "))
    assert "  one\nA two" not in wide.text
    assert "  one\nA A2\nB B2\n" in wide.text
    assert "b.py\n@@ -1,1 +1,1 @@\nA same\nB new\n" in wide.text
