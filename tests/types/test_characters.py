"""Characters that nobody sees: no other such character makes one of them look needed
(bot/types/characters.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.types.characters import find_unseen, remove_unseen

_UNSEEN = "\u061c\u17b4\u180b\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2800\ufe0f\ufeff\U000e0067"
_SEEN = "a1# é\r\n" + "\u0628\u05d0\u0915\u1780\u0e01\u1820\u28ff" + "❤👩🏽🏴"


@pytest.mark.parametrize(
    "text",
    [
        "a\u200f\u200fb", "a\u200e\u061cb", "a\u2800\u2800b", "a\u180b\u180bb", "a\u17b4\u200db",
        "\u17b4\u200b\u17b4",
    ],
)  # fmt: skip
def test_unseen_characters_do_not_excuse_each_other(text: str) -> None:
    assert [character for _, character in find_unseen(text)] == [
        character for character in text if not character.isascii()
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\u05e9\u05dc\u05d5\u05dd\u200f!", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u2800\u2800\u28ff\u2800", "\u1820\u180b", "\u1820\u180b\u200d", "1\ufe0f\u20e3",
        "👩🏽\u200d💻", "❤\ufe0f\u200d🔥", "\ufeffa\r\n",
    ],
)  # fmt: skip
def test_what_writing_needs_is_not_named(text: str) -> None:
    assert list(find_unseen(text)) == []


@given(st.text(st.sampled_from(_UNSEEN + _SEEN), max_size=12))
def test_once_removed_no_unseen_character_is_left(text: str) -> None:
    removed = remove_unseen(text)
    assert list(find_unseen(removed)) == []
    assert len(removed) == len(text) - len(list(find_unseen(text)))
