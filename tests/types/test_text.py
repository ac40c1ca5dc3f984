"""Which bytes are text (bot/types/text.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.types.text import read_text

LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12\n"
)


@pytest.mark.parametrize("content", [b"", b"a\n", b"a\r\nb", "Grüße\u2028\n".encode()])
def test_utf8_text_is_given_as_it_stands(content: bytes) -> None:
    assert read_text(content) == content.decode()


def test_a_byte_order_mark_is_left_out() -> None:
    assert read_text(b"\xef\xbb\xbfa = 1\n") == "a = 1\n"


@pytest.mark.parametrize(
    "content", [b"a\0b", b"\xff\xfea\0", b"caf\xe9\n", LFS_POINTER, b"x" * 9000 + b"\0"]
)
def test_what_cannot_be_shown_is_none(content: bytes) -> None:
    assert read_text(content) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_none(content: bytes) -> None:
    text = read_text(content)
    assert text is None or content.removeprefix(b"\xef\xbb\xbf") == text.encode()
