from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.core.tokens import estimate_tokens, tokens_of_bytes


def test_an_empty_text_costs_nothing() -> None:
    assert estimate_tokens("") == 0


def test_the_estimate_counts_utf8_bytes_not_characters() -> None:
    assert estimate_tokens("é" * 7) == 4


@given(st.text())
def test_the_safe_estimate_is_never_the_smaller_one(text: str) -> None:
    assert estimate_tokens(text, safe=True) >= estimate_tokens(text)


@given(st.text(), st.text())
def test_two_texts_together_cost_no_more_than_apart(one: str, other: str) -> None:
    assert estimate_tokens(one + other) <= estimate_tokens(one) + estimate_tokens(other)


@given(st.integers(0, 10**9))
def test_the_estimate_rounds_up(size_bytes: int) -> None:
    assert tokens_of_bytes(size_bytes) * 3.5 >= size_bytes
