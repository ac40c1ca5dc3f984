from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.context.pattern import Pattern
from bot.core.context.pattern_parser import BadPattern

_ATOM = st.sampled_from(
    ["a", "b", "c", ".", r"\w", r"\d", r"\.", "[ab]", "[^a]", "[a-c]", r"\b", "^", "$", r"[\d_]", "x{"]
)
_PATTERN = st.recursive(
    _ATOM,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
        inner.map(lambda each: f"(?:{each})"),
    ),
    max_leaves=8,
)


@given(_PATTERN, st.text("abc1_. x{", max_size=12))
def test_a_pattern_finds_what_pythons_own_finds(pattern: str, line: str) -> None:
    assert Pattern(pattern).search(line) == bool(re.search(pattern, line))


@given(_PATTERN, st.text("abc1_. x{", max_size=12))
def test_a_line_that_matches_holds_one_of_the_literals(pattern: str, line: str) -> None:
    known = Pattern(pattern)
    if known.literals and re.search(pattern, line):
        assert any(literal in line for literal in known.literals)


@given(st.text(max_size=60))
def test_any_text_is_a_pattern_or_is_refused(text: str) -> None:
    with suppress(BadPattern):
        Pattern(text).search("some line")


def test_a_pattern_may_ignore_case() -> None:
    assert Pattern("(?i)CLASS Foo").search("class FOO(Bar):")


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "a(?=b)", "a(?<!b)", "(" * 200, "((a{99}){99}){99}", "[a", "*a", "b-)", "[z-a]", "a" * 600]
)
def test_what_cannot_be_searched_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        Pattern(pattern)


def test_patterns_that_make_backtracking_explode_cost_one_step_a_character() -> None:
    pattern = Pattern("(a+)+$")
    assert not pattern.search("a" * 100_000 + "!")
    assert pattern.effort < 1_000
