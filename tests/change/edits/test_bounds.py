"""Replies made to be large: what is not read of them, and that this is said. How time grows with them
is measured in tests/benchmarks/growth."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from bot.change.edits import read_reply
from bot.change.edits.files import MAX_WORK_NS, EditRefused, Files
from bot.change.edits.lines import compose
from bot.change.edits.reply.parser import MAX_REPLY_LINES
from tests.change.snapshots import view_of


def test_a_reply_of_too_many_lines_is_not_read_and_that_is_reported() -> None:
    parsed = read_reply("\n" * MAX_REPLY_LINES)
    assert (parsed.edits, len(parsed.problems)) == ((), 1)
    assert "lines" in parsed.problems[0]


def test_of_many_problems_the_first_are_reported_and_how_many_more_there_are() -> None:
    reply = "".join(f"{number}.py\n<<<<<<< SEARCH\n" for number in range(1_000))
    problems = read_reply(reply).problems
    assert len(problems) == 51
    assert problems[-1].startswith("950 more")


def test_headings_that_lead_to_a_hunk_are_kept_as_far_as_anything_is_nested() -> None:
    headings = "".join(f"@@ f{number}\n" for number in range(1_000))
    (edit,) = read_reply(
        f"*** Begin Patch\n*** Update File: a\n{headings}-a\n+b\n*** End Patch\n"
    ).edits
    assert edit.anchors[-1] == "f999"
    assert len(edit.anchors) < 30


def test_all_edits_of_a_reply_share_one_bound_of_work() -> None:
    base = view_of({"a.py": b"a\n"})
    files = Files(base, {}, {}, max_files=1, max_file_bytes=1_000)
    files.read_lines("a.py")
    with pytest.raises(EditRefused, match="too much work"):
        files.charge(MAX_WORK_NS)
    with pytest.raises(EditRefused, match="too much work"):
        files.read_lines("a.py")


def test_marks_without_end_on_one_letter_are_compared_as_they_stand() -> None:
    """To normalize them would take time quadratic in their number."""
    assert compose("e\u0301") == "é"
    assert compose("a" + "\u0323\u0301" * 15) == normalize("NFC", "a" + "\u0323\u0301" * 15)
    long = "a" + "\u0301\u0323" * 16
    assert compose(long) == long
