"""Transcripts are read by people and replayed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.repository.transcript import read_transcript, render_transcript
from bot.errors import BadRequest
from bot.types import Image, Message, Prompt, Reply

FIRST = Prompt("generate", (Message("system", "Rules.\nMore."), Message("user", "Do it.")))
SECOND = Prompt("repair", (*FIRST.messages, Message("assistant", "a"), Message("user", "again")))


def reply(text: str) -> Reply:
    return Reply(text, "stop", "m", 10, 2, 0.5)


def test_it_shows_prompts_as_they_were_sent_and_each_once() -> None:
    text = render_transcript([(FIRST, reply("a")), (SECOND, reply("line\nline\n"))])
    assert "text: |-\n      Rules.\n      More.\n" in text
    assert text.count("Do it.") == 1
    assert "sent before: 2" in text
    assert "text: |\n      line\n      line\n" in text


def test_a_diffs_empty_context_lines_do_not_hide_its_lines() -> None:
    assert "text: |\n      -a\n       \n      +b\n" in render_transcript(
        [(FIRST, reply("-a\n \n+b\n"))]
    )


def test_of_an_image_it_has_the_digest() -> None:
    image = Image("https://github.com/user-attachments/assets/x", "image/png", "a" * 64, 1234)
    text = render_transcript(
        [(Prompt("generate", (Message("user", "Do it.", (image,)),)), reply("a"))]
    )
    assert f"- image/png, 1234 bytes, sha256 {'a' * 64}\n" in text
    assert read_transcript(text) == (reply("a"),)


def test_tabs_and_spaces_at_the_ends_of_lines_do_not_hide_them() -> None:
    assert "text: |\n      \tgo  \n      \t\n" in render_transcript(
        [(FIRST, reply("\tgo  \n\t\n"))]
    )


ODD = (
    "\x00\t\n\r\x1b\x7f\x85\xa0\u2028\u2029\ud83d\ude00\udcff\ufeff\ufffe\U0001f600"
    " -#:'\"|>%&*!?[{,"
)


@given(
    st.lists(
        st.text(alphabet=st.characters(), max_size=50)
        | st.text(alphabet=ODD, max_size=30)
        | st.text(alphabet=" \n\ta-#:", max_size=30),
        max_size=4,
    )
)
def test_its_replies_come_back_as_they_were(texts: list[str]) -> None:
    written = render_transcript([(FIRST, reply(text)) for text in texts])
    assert read_transcript(written.encode().decode()) == tuple(map(reply, texts))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "form", ["{0}", "{0}\n", "\n{0}", "a{0}b", "a\n{0}\nb", "a{0}\nb", "{0}{0}\n\n"]
)
def test_odd_signs_come_back_wherever_they_stand(odd: str, form: str) -> None:
    text = form.format(odd)
    assert read_transcript(render_transcript([(FIRST, reply(text))])) == (reply(text),)


@pytest.mark.parametrize(
    "text", ["", "- a", "x: [", "- reply: {}", "3", "- reply: 2020-99-99", "[" * 9999]
)
def test_what_is_no_transcript_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        read_transcript(text)
