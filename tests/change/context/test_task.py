"""Reading a task's text as sections and as a query."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.change.context.ranking.task import read_task, split_sections


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "line",
    [
        "\t" * 48_000,
        "  " * 20_000 + "z",
        "fixes" + " " * 40_000 + "z",
        "fixes " + "#1, " * 10_000 + "z",
        "see " + "GHSA-a" * 5_000 + " z",
        "E" * 48_000,
        "<!--" * 12_000,
        "x" + " " * 40_000 + ";z",
        "#*- " * 12_000,
    ],
)
def test_a_line_made_to_be_slow_is_read_in_a_moment(line: str) -> None:
    assert split_sections(f"A title\n{line}\nThe end.").title == "A title"


def test_what_is_pasted_is_separated_from_prose() -> None:
    sections = split_sections(
        "Parsing fails\n\nIt stops here, see `parse`:\n\n```\nTraceback (most recent call last):\n "
        ' File "a/b.py", line 3, in parse\n    go()\nE   ValueError: odd\n```\n\nFixes #12,'
        " GHSA-a1, CVE-2.\n- OS: Linux\n"
    )
    assert sections.prose.strip() == "It stops here, see `parse`:"
    assert sections.trace == '  File "a/b.py", line 3, in parse\n    go()'
    assert sections.error == "E   ValueError: odd"
    assert sections.code_spans == "parse"


@pytest.mark.parametrize(
    "trailer", ["fixes CVE-2024-1234, #3", "fixes CVE-2024-1234 ", "Refs: GHSA-ab12-cd34-ef56 "]
)
def test_a_trailer_that_names_an_advisory_is_left_out(trailer: str) -> None:
    assert (
        split_sections(f"Title\n\nIt fails.\n{trailer}\nAlways.").prose.strip()
        == "It fails.\nAlways."
    )
    assert read_task(f"Title\n{trailer}").terms.keys() == read_task("Title").terms.keys()


@given(
    st.lists(st.sampled_from(["<!--", "-->", "<!-", "->", "a", "\n", "-", ">"]), max_size=20).map(
        "".join
    )
)
def test_a_comment_is_left_out_where_it_is_closed(text: str) -> None:
    left = re.sub(r"(?s)<!--.*?-->", "", text)
    assume(not re.search(r"(?s)<!--.*?-->", left))  # what was around a comment may make another one
    assert split_sections(f"Title\nb {text}") == split_sections(f"Title\nb {left}")


def test_a_comment_that_is_much_too_long_is_none() -> None:
    for length, is_left_out in ((5_000, True), (5_001, False)):
        prose = split_sections(f"Title\n<!--{'a' * length}--> and <!-- this --> word").prose
        assert prose.startswith(" and") is is_left_out
        assert prose.endswith(" and  word")
