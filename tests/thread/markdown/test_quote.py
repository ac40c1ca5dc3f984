"""Quoting: what is said again stays readable, and breaks out of nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.thread.markdown.quote import code_span, fence, neutralize, plain_words


@given(st.text(alphabet="`a\n", max_size=40))
def test_a_fence_holds_any_text(text: str) -> None:
    tokens = MarkdownIt().parse(fence(text, "diff"))
    assert [token.content.rstrip("\n") for token in tokens] == [text.rstrip("\n")] or text.strip(
        "\n"
    ) == ""


@given(st.text(max_size=40))
def test_code_stays_on_one_line(text: str) -> None:
    assert "\n" not in code_span(text)


def test_code_shows_what_a_reader_would_not_see() -> None:
    assert code_span("a\u202e\u200bb\n\x1b") == "`a\\u202e\\u200bb \\x1b`"


@pytest.mark.parametrize(
    "text",
    [
        "Run `pip install x[dev]` and see `@app.route('/')`, `#include`, `<b>`.",
        "- one\n- two\n\n1. three",
        "It is 5 > 3, a < b; see Note: this, at 50 %.",
    ],
)
def test_ordinary_words_lists_and_code_stay_as_they_are(text: str) -> None:
    assert neutralize(text) == text
    assert plain_words(text.replace("@", "")) == text.replace("@", "").replace("#i", "# i")


@given(st.text(alphabet="`\\@a \n-", max_size=30))
def test_a_mention_stays_only_within_what_is_code_on_the_page(text: str) -> None:
    """However backticks stand: a mention that was left as it is must be in code."""
    for token in MarkdownIt("commonmark").parse(f"Our words: {neutralize(text)}\n\nours"):
        for part in token.children or []:
            if part.type == "text":
                assert "@a" not in part.content
