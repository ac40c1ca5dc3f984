"""The scripted model as OpenAI's own client meets it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.doubles import model as said
from tests.doubles.model import ModelDouble

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]


@contextmanager
def client(model: ModelDouble, timeout_s: float = 5) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=model.url, api_key="k", max_retries=0, timeout=timeout_s) as client:
        yield client


def ask(model: ModelDouble, timeout_s: float = 5) -> str | None:
    with client(model, timeout_s) as asked:
        return asked.chat.completions.create(model="m", messages=HELLO).choices[0].message.content


def stream(model: ModelDouble) -> tuple[list[str], str | None, int | None]:
    """The pieces, the finish reason, and the tokens used."""
    pieces, finish, used = [], None, None
    with client(model) as asked:
        options: openai.types.chat.ChatCompletionStreamOptionsParam = {"include_usage": True}
        chunks = asked.chat.completions.create(
            model="m", messages=HELLO, stream=True, stream_options=options
        )
        for chunk in chunks:
            used = chunk.usage.total_tokens if chunk.usage else used
            for choice in chunk.choices:
                pieces += [choice.delta.content] if choice.delta.content else []
                finish = choice.finish_reason or finish
    return pieces, finish, used


def test_replies_are_said_in_turn_and_requests_are_kept() -> None:
    with ModelDouble(["one", "two"]) as model:
        assert [ask(model), ask(model)] == ["one", "two"]
        assert [asked.messages for asked in model.requests] == [HELLO, HELLO]
        assert model.requests[0].headers["authorization"] == "Bearer k"
        with client(model) as asked:
            assert [each.id for each in asked.models.list()] == ["double-1"]


def test_a_stream_comes_in_pieces_with_its_usage_last() -> None:
    with ModelDouble(["Hello, world.", "Hello, world."], piece=5) as model:
        assert stream(model) == (["Hello", ", wor", "ld."], "stop", 5)
    with ModelDouble(["Hello, world."], usage=False) as model:
        assert stream(model) == (["Hello, world."], "stop", None)


def test_a_callable_answers_by_what_was_said() -> None:
    with ModelDouble(lambda messages: f"You said {messages[-1]['content']!r}") as model:
        assert ask(model) == "You said 'Say hello.'"


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (said.rate_limited(3), openai.RateLimitError, "rate_limit_exceeded"),
        (said.out_of_quota(), openai.RateLimitError, "insufficient_quota"),
        (said.server_error(), openai.InternalServerError, None),
        (said.server_error(503), openai.InternalServerError, None),
        (said.too_long(), openai.BadRequestError, "context_length_exceeded"),
        (said.bad_key(), openai.AuthenticationError, "invalid_api_key"),
        (said.no_such_model(), openai.NotFoundError, "model_not_found"),
    ],
)
def test_an_error_is_the_one_that_openai_would_send(
    fault: said.Fault, error: type[openai.APIStatusError], code: str | None
) -> None:
    with ModelDouble([fault]) as model, pytest.raises(error) as raised:
        ask(model)
    assert raised.value.code == code
    assert raised.value.response.headers.get("Retry-After") == (
        "3" if "Retry-After" in fault.headers else None
    )


def test_a_stream_may_end_too_soon_in_silence_or_with_a_bang() -> None:
    with ModelDouble([said.cut("a" * 100), said.cut("a" * 100, drop=True)]) as model:
        assert stream(model) == (["a" * 16] * 2, None, None)
        with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
            stream(model)


def test_a_reply_may_end_oddly() -> None:
    with ModelDouble(
        [said.ended_by("length", "cut"), said.unfinished("all"), said.empty()]
    ) as model:
        assert [stream(model)[:2] for _ in range(3)] == [
            (["cut"], "length"),
            (["all"], None),
            ([], "stop"),
        ]


def test_a_reply_may_be_no_reply() -> None:
    with ModelDouble([said.error_in_200(), said.html(), said.not_json(), said.dropped()]) as model:
        with client(model) as asked:
            assert asked.chat.completions.create(model="m", messages=HELLO).choices is None
            assert isinstance(asked.chat.completions.create(model="m", messages=HELLO), str)
        with pytest.raises(json.JSONDecodeError):
            ask(model)
        with pytest.raises(openai.APIConnectionError):
            ask(model)


def test_a_hanging_reply_does_not_hold_up_the_end() -> None:
    with ModelDouble([said.hang(60)]) as model:
        with pytest.raises(openai.APITimeoutError):
            ask(model, timeout_s=0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_a_stream_that_the_client_closes_is_noticed() -> None:
    with ModelDouble(["word " * 100_000], piece=10) as model, client(model) as asked:
        chunks = asked.chat.completions.create(model="m", messages=HELLO, stream=True)
        next(chunks)
        assert not model.broken_off.is_set()
        chunks.close()
        assert model.broken_off.wait(5)


def test_a_request_beyond_the_script_fails_the_test() -> None:
    def too_many() -> None:
        with ModelDouble([]) as model, pytest.raises(openai.InternalServerError):
            ask(model)

    with pytest.raises(AssertionError, match="beyond the script"):
        too_many()
