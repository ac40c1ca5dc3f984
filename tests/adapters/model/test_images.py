"""Images on their way to a model, and servers that take none."""

from __future__ import annotations

import pytest

from bot.adapters.model import OpenAIModel
from bot.errors import (
    ContextTooLong,
    ImagesRefused,
    OutsideError,
    SetupError,
    TinyGenError,
    Unworkable,
)
from bot.types import Image, Message, Prompt
from tests.adapters.model.exchange import KEY, error_answer
from tests.doubles.model import Fault, ModelDouble

SHOT = Image("https://github.com/user-attachments/assets/x", "image/png", "a" * 64, 3)
GONE = Image("https://github.com/user-attachments/assets/y", "image/png", "b" * 64, 3)
PROMPT = Prompt("generate", (Message("system", "Rules."), Message("user", "Do it.", (SHOT, GONE))))


def ask(double: ModelDouble, images: dict[str, bytes]) -> str:
    return (
        OpenAIModel(double.url, KEY, "m-1")
        .ask(PROMPT, stop=lambda: False, deadline_s=20, images=images)
        .text
    )


def test_an_image_follows_the_text_of_its_message_in_the_address_itself() -> None:
    with ModelDouble(["x"]) as double:
        ask(double, {SHOT.sha256: b"abc"})
    rules, asked = double.requests[0].messages
    assert rules == {"role": "system", "content": "Rules."}
    assert asked["content"] == [
        {"type": "text", "text": "Do it."},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj"}},
    ]


def test_without_its_bytes_a_message_is_plain_text() -> None:
    with ModelDouble(["x"]) as double:
        ask(double, {})
    assert double.requests[0].messages[1]["content"] == "Do it."


@pytest.mark.parametrize(
    "answer",
    [
        error_answer(400, "Invalid content type. image_url is only supported by certain models."),
        error_answer(400, "m-1 is not a multimodal model"),
        error_answer(404, "No endpoints found that support image input"),
        error_answer(
            500, "image input is not supported - hint: you may need to provide the mmproj"
        ),
        error_answer(400, "'messages[1].content' must be a string"),
        error_answer(422),
        error_answer(413),
    ],
)
def test_a_server_that_takes_none_is_known_by_its_refusal(answer: Fault) -> None:
    with ModelDouble([answer] * 5) as double, pytest.raises(ImagesRefused):
        ask(double, {SHOT.sha256: b"abc"})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (error_answer(401, "Bad key for the vision API"), SetupError),
        (error_answer(400, "maximum context length is 8192 tokens"), ContextTooLong),
        (error_answer(400, "The image was refused by content_policy"), Unworkable),
        (error_answer(404, "no such model"), SetupError),
    ],
)
def test_what_has_another_cause_keeps_it(answer: Fault, error: type[TinyGenError]) -> None:
    with ModelDouble([answer]) as double, pytest.raises(error) as raised:
        ask(double, {SHOT.sha256: b"abc"})
    assert not isinstance(raised.value, ImagesRefused)


def test_where_none_was_sent_none_was_error_answer() -> None:
    with (
        ModelDouble([error_answer(400, "image_url is not supported")]) as double,
        pytest.raises(OutsideError) as raised,
    ):
        ask(double, {})
    assert not isinstance(raised.value, ImagesRefused)
