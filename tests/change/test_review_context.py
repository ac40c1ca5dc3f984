"""What is looked at again of a change."""

from __future__ import annotations

import difflib

import pytest

from bot.change.review_context import AROUND_LINES, MAX_BLOCK_LINES, changed_places
from bot.types.reply import Request
from bot.types.snapshot import Change, FileStat, Patch


def places(**files: tuple[str, str]) -> tuple[Request, ...]:
    text = ""
    for path, (old, new) in files.items():
        lines = list(
            difflib.unified_diff(
                old.splitlines(True), new.splitlines(True), f"a/{path}", f"b/{path}"
            )
        )
        text += f"diff --git a/{path} b/{path}\n" + "".join(lines)
    stats = tuple(FileStat(path, 1, 1, "modified") for path in files)
    changes = {path: Change(path, new.encode()) for path, (_, new) in files.items()}
    return changed_places(Patch("s", text, stats), changes)


def function(name: str, lines: int, end: str = "") -> str:
    return f"def {name}():\n" + "".join(f"    {name}{number}\n" for number in range(lines)) + end


@pytest.mark.parametrize("end", ["", "}\n"])
@pytest.mark.parametrize("at", [0, 60, 99])
def test_a_touched_function_is_shown_whole(at: int, end: str) -> None:
    old = function("f", 100) + function("g", 100, end) + function("h", 100)
    (place,) = places(a=(old, old.replace(f"    g{at}\n", "    new\n")))
    assert (place.start or 0) <= 102
    assert (place.end or 0) >= 202


def test_a_function_whose_first_line_is_touched_is_shown_whole() -> None:
    old = function("f", 100) + function("g", 100)
    (place,) = places(a=(old, old.replace("def g():", "def g(x):")))
    assert (place.end or 0) >= 202


def test_a_function_that_is_too_long_is_shown_around_the_change() -> None:
    old = function("f", 2 * MAX_BLOCK_LINES)
    (place,) = places(a=(old, old.replace("    f200\n", "    new\n")))
    assert (place.start, place.end) == (202 - AROUND_LINES, 202 + AROUND_LINES)


def test_places_that_meet_are_one_and_others_stay_apart() -> None:
    old = "".join(f"{number}\n" for number in range(400))
    near = places(a=(old, old.replace("\n100\n", "\nx\n").replace("\n120\n", "\nx\n")))
    assert [(place.start, place.end) for place in near] == [
        (101 - AROUND_LINES, 121 + AROUND_LINES)
    ]
    assert len(places(a=(old, old.replace("\n100\n", "\nx\n").replace("\n300\n", "\nx\n")))) == 2


def test_each_place_is_of_its_own_file() -> None:
    found = places(a=("1\n", "2\n"), b=("1\n-- x\n", "2\n"))
    assert [(place.argument, place.start) for place in found] == [("a", 1), ("b", 1)]


def test_what_was_only_taken_away_is_looked_at_where_it_stood() -> None:
    old = function("f", 100) + function("g", 100)
    (place,) = places(a=(old, old.replace("    g50\n", "")))
    assert ((place.start or 0) <= 102, (place.end or 0) >= 201) == (True, True)


def test_a_file_that_goes_has_no_place() -> None:
    assert places(a=("1\n", "")) == ()
