from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.change.tokens import estimate_tokens


def test_an_empty_text_costs_nothing() -> None:
    assert estimate_tokens("") == 0


def test_indentation_costs_next_to_nothing() -> None:
    assert estimate_tokens("    " * 8 + "value = 1\n") <= estimate_tokens("value = 1\n") + 3


def test_other_alphabets_cost_more_than_letters() -> None:
    assert estimate_tokens("да" * 10) > 2 * estimate_tokens("da" * 10)


@pytest.mark.parametrize(
    ("text", "real_tokens"),
    [
        ("value = add(one, two)\n", 350),
        ("3.14159 ", 250),
        ("}])});\n", 150),
        ("\u0434\u0430 ", 51),
        ("aB3d" * 16 + "\n", 2500),
    ],
)
def test_the_safe_estimate_is_not_below_the_real_number(text: str, real_tokens: int) -> None:
    """The real number is that of cl100k_base, for the text fifty times. The plain estimate is too
    low for the second and the third."""
    assert estimate_tokens(text * 50, safe=True) >= real_tokens


@given(st.text(), st.text())
def test_lines_together_cost_no_more_than_apart(one: str, other: str) -> None:
    assert estimate_tokens(f"{one}\n{other}") <= estimate_tokens(f"{one}\n") + estimate_tokens(
        other
    )


def test_data_costs_more_than_words() -> None:
    assert estimate_tokens("aB3d" * 16) > 2 * estimate_tokens("aaaaaaa " * 8)


@given(st.text(st.characters(codec="utf-8")))
def test_no_text_costs_more_than_two_tokens_a_byte(text: str) -> None:
    assert estimate_tokens(text) <= 2 * len(text.encode())
