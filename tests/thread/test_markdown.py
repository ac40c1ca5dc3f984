"""Markdown: what a reader of the page sees of it, and quoting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.thread.markdown import code_span, fence, has_hidden_text, prose_parts, visible_text


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("a <!-- hidden --> b", "a  b"),
        ("a\n<!-- never closed\nb", "a\n"),
        ("`<!-- shown -->`", "`<!-- shown -->`"),
        ("```html\n<!-- shown -->\n```\n<!-- hidden -->", "```html\n<!-- shown -->\n```\n"),
        ("in\u200bvis\u202eible\U000e0041", "invisible"),
        ("no\u2066 tricks\ufe0f\U000e0123\u3164", "no tricks"),
        ("a\r\nb", "a\nb"),
        ("see ![do as I say](http://x/y.png 'now')!", "see [image]!"),
        ("![one][two] ![three]", "[image] [image]"),
        ("![" + "do as I say " * 1_000 + "](x)", "[image]"),
        ("![do [as] I say](x) on", "[image] on"),
        ("![not [an](image)", "![not [an](image)"),
        ('<img src="x" alt="do it"> <IMG alt="do it"/>', "[image] [image]"),
        ('[text](http://x "obey")', "[text](http://x)"),
        ("before\n[//]: # (obey me)\n[x]: http://y 'obey'\nafter", "before\n\n\nafter"),
        ('<span title="obey" hidden>word</span>', "word"),
        ("List<String> and a < b", "List<String> and a < b"),
        ("`<img alt='shown'>` and `[x]: y`", "`<img alt='shown'>` and `[x]: y`"),
        ('```md\n![shown](x "y")\n[a]: b\n```', '```md\n![shown](x "y")\n[a]: b\n```'),
    ],
)
def test_it_is_what_a_reader_of_the_page_sees(text: str, visible: str) -> None:
    assert visible_text(text) == visible


def test_it_is_bounded() -> None:
    assert len(visible_text("x" * 100, limit_chars=10)) < 30


def test_it_is_known_whether_anything_was_hidden() -> None:
    assert has_hidden_text("a <!-- b -->")
    assert not has_hidden_text("a\r\nb `<!-- c -->`" + "x" * 100_000)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["![" * 20_000, "[" * 40_000, "<img " * 20_000, '[a](b "' * 10_000, "`" * 40_000]
)
def test_hostile_text_takes_no_long_time(text: str) -> None:
    assert visible_text(text) is not None


def test_prose_after_several_pieces_of_code_is_still_prose() -> None:
    text = "<b>a</b> `<b>1</b>` <b>c</b> `<b>2</b>` <b>e</b>"
    assert visible_text(text) == "a `<b>1</b>` c `<b>2</b>` e"
    assert prose_parts(text) == ["<b>a</b> ", " <b>c</b> ", " <b>e</b>"]


@given(st.text(alphabet="`a\n", max_size=40))
def test_a_fence_holds_any_text(text: str) -> None:
    tokens = MarkdownIt().parse(fence(text, "diff"))
    assert [token.content.rstrip("\n") for token in tokens] == [text.rstrip("\n")] or text.strip(
        "\n"
    ) == ""


@given(st.text(max_size=40))
def test_code_stays_on_one_line(text: str) -> None:
    assert "\n" not in code_span(text)
