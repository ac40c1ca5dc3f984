"""What of a thread the model is shown."""

from __future__ import annotations

import pytest

from bot.core.material import clean_material


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("a <!-- hidden --> b", "a  b"),
        ("a\n<!-- never closed\nb", "a\n"),
        ("`<!-- shown -->`", "`<!-- shown -->`"),
        ("```html\n<!-- shown -->\n```\n<!-- hidden -->", "```html\n<!-- shown -->\n```\n"),
        ("in\u200bvis\u202eible\U000e0041", "invisible"),
        ("a\r\nb", "a\nb"),
    ],
)
def test_it_is_what_a_reader_of_the_page_sees(text: str, visible: str) -> None:
    assert clean_material(text) == visible


def test_it_is_bounded() -> None:
    assert len(clean_material("x" * 100, limit_chars=10)) < 30
