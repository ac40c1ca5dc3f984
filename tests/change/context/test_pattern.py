"""Searching with a pattern that a model wrote."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.change.context.answers.pattern import BadPattern, Pattern, literal_pattern

_ATOM = st.sampled_from(
    [
        "a",
        "b",
        "c",
        ".",
        r"\w",
        r"\d",
        r"\.",
        "[ab]",
        "[^a]",
        "[a-c]",
        r"\b",
        "^",
        "$",
        r"[\d_]",
        "x{",
    ]
)
_PATTERN = st.recursive(
    _ATOM,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(
            inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?"])
        ).map(lambda pair: f"({pair[0]}){pair[1]}"),
        inner.map(lambda each: f"(?:{each})"),
    ),
    max_leaves=8,
)


_TEXT = st.text("abc1_. x{\n", max_size=30)


@given(_PATTERN, _TEXT)
def test_a_pattern_finds_the_lines_that_pythons_re_finds(pattern: str, text: str) -> None:
    expected = [(n, line) for n, line in enumerate(text.split("\n"), 1) if re.search(pattern, line)]
    assert list(Pattern(pattern).find_lines(text)) == expected


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_a_pattern_or_is_refused(pattern: str, text: str) -> None:
    with suppress(BadPattern):
        for _, line in Pattern(pattern).find_lines(text):
            assert line in text.replace("\r\n", "\n")


@given(
    st.text(
        st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]),
        min_size=1,
        max_size=300,
    )
)
def test_a_literal_finds_the_text_itself(text: str) -> None:
    assert (2, text) in literal_pattern(text).find_lines(f"before\n{text}\n")


def test_half_of_a_surrogate_pair_is_searched_without_an_error() -> None:
    assert not list(literal_pattern("\udcff").find_lines("a?\n"))
    assert not list(Pattern("\udcff").find_lines("a?\n"))


def test_a_pattern_may_ignore_case() -> None:
    assert list(Pattern("(?i)CLASS Foo").find_lines("x\nclass FOO(Bar):\n")) == [
        (2, "class FOO(Bar):")
    ]


def test_a_line_may_end_as_on_windows() -> None:
    assert list(Pattern("b$").find_lines("ab\r\nbc\r\n")) == [(1, "ab")]


@pytest.mark.parametrize(
    "pattern",
    [r"(a)\1", "a(?=b)", "a(?<!b)", "((a{99}){99}){99}", "[a", "*a", "b-)", "[z-a]", "a" * 600],
)
def test_what_cannot_be_searched_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        Pattern(pattern)


def test_a_pattern_has_a_few_thousand_instructions_at_most() -> None:
    assert Pattern("(a+)+$").instructions < 100
    assert Pattern(r"(\w.{200}){2}z").instructions < 10_000


@pytest.mark.parametrize("sign", ["a", "(", "\0", "\x7f", "é", "\u2028"])
def test_a_text_of_any_signs_and_length_is_a_pattern(sign: str) -> None:
    found = literal_pattern(f"b{sign}").find_lines(f"a\nb{sign}\n")
    assert [number for number, _line in found] == [2]
    literal_pattern(sign * 1_000)
