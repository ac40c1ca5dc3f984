"""Suggestion blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.thread.suggestion import suggest
from bot.types import ReviewComment

LINES = st.lists(st.sampled_from(["a\n", "b\n", "\n", "  c\n"]), max_size=6)


def on(line: int | None, start: int | None = None, side: str = "RIGHT") -> ReviewComment:
    return ReviewComment(1, "a", "", line, start, side, "s", "")


@given(LINES, LINES.filter(bool), LINES, LINES)
def test_put_in_place_of_the_lines_it_makes_the_new_file(
    before: list[str], lines: list[str], after: list[str], new: list[str]
) -> None:
    comment = on(len(before) + len(lines), len(before) + 1)
    old_file, new_file = "".join(before + lines + after), "".join(before + new + after)
    assert suggest(comment, old_file.encode(), new_file.encode()) == "".join(new)


def test_one_line_needs_no_start() -> None:
    assert suggest(on(2), b"1\n2\n3\n", b"1\n2!\n2?\n3\n") == "2!\n2?\n"


def test_lines_are_counted_as_git_does() -> None:
    old = "a\x0cb\u2028c\u0085d\x1ce\n2\n3\n"
    new = old.replace("2", "two")
    assert suggest(on(2), old.encode(), new.encode()) == "two\n"


def test_there_is_none_for_what_a_block_cannot_say() -> None:
    assert suggest(on(2), b"1\n2\n3\n", b"1!\n2\n3\n") is None
    assert suggest(on(2), b"1\n2\n3\n", b"1\n2\n3!\n") is None
    assert suggest(on(None), b"1\n", b"2\n") is None
    assert suggest(on(1, side="LEFT"), b"1\n", b"2\n") is None
    assert suggest(on(9), b"1\n", b"2\n") is None
    assert suggest(on(1), b"1\r\n", b"2\r\n") is None
    assert suggest(on(1), b"\xff\n", b"2\n") is None
