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
    "text", ["value = add(one, two)\n", "3.14159 ", "\u0434\u0430 ", "aB3d" * 16 + "\n"]
)
def test_the_safe_estimate_leaves_a_fifth_to_spare(text: str) -> None:
    assert estimate_tokens(text * 50, safe=True) * 0.8 >= estimate_tokens(text * 50) - 1


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
