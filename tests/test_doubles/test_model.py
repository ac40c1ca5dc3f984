"""The scripted model, called by OpenAI's own client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.doubles.model import (
    Fault,
    ModelDouble,
    bad_key,
    cut,
    dropped,
    empty,
    ended_by,
    error_in_200,
    hang,
    html,
    no_such_model,
    not_json,
    out_of_quota,
    rate_limited,
    server_error,
    too_long,
    unfinished,
)

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]


@contextmanager
def client(model: ModelDouble, timeout_s: float = 5) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=model.url, api_key="k", max_retries=0, timeout=timeout_s) as client:
        yield client


def ask(model: ModelDouble, timeout_s: float = 5) -> str | None:
    with client(model, timeout_s) as openai_client:
        return (
            openai_client.chat.completions.create(model="m", messages=HELLO)
            .choices[0]
            .message.content
        )


def stream(model: ModelDouble) -> tuple[list[str], str | None, int | None]:
    """The pieces, the finish reason, and the tokens used."""
    pieces, finish, used = [], None, None
    with client(model) as openai_client:
        options: openai.types.chat.ChatCompletionStreamOptionsParam = {"include_usage": True}
        chunks = openai_client.chat.completions.create(
            model="m", messages=HELLO, stream=True, stream_options=options
        )
        for chunk in chunks:
            used = chunk.usage.total_tokens if chunk.usage else used
            for choice in chunk.choices:
                pieces += [choice.delta.content] if choice.delta.content else []
                finish = choice.finish_reason or finish
    return pieces, finish, used


def test_replies_come_in_turn_and_requests_are_recorded() -> None:
    with ModelDouble(["one", "two"]) as model:
        assert [ask(model), ask(model)] == ["one", "two"]
        assert [request.messages for request in model.requests] == [HELLO, HELLO]
        assert model.requests[0].headers["authorization"] == "Bearer k"
        with client(model) as openai_client:
            assert [each.id for each in openai_client.models.list()] == ["double-1"]


def test_a_stream_comes_in_pieces_with_its_usage_last() -> None:
    with ModelDouble(["Hello, world.", "Hello, world."], piece=5) as model:
        assert stream(model) == (["Hello", ", wor", "ld."], "stop", 5)
    with ModelDouble(["Hello, world."], usage=False) as model:
        assert stream(model) == (["Hello, world."], "stop", None)


def test_a_callable_answers_by_the_messages() -> None:
    with ModelDouble(lambda messages: f"You said {messages[-1]['content']!r}") as model:
        assert ask(model) == "You said 'Say hello.'"


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (rate_limited(3), openai.RateLimitError, "rate_limit_exceeded"),
        (out_of_quota(), openai.RateLimitError, "insufficient_quota"),
        (server_error(), openai.InternalServerError, None),
        (server_error(503), openai.InternalServerError, None),
        (too_long(), openai.BadRequestError, "context_length_exceeded"),
        (bad_key(), openai.AuthenticationError, "invalid_api_key"),
        (no_such_model(), openai.NotFoundError, "model_not_found"),
    ],
)
def test_an_error_is_the_one_that_openai_would_send(
    fault: Fault, error: type[openai.APIStatusError], code: str | None
) -> None:
    with ModelDouble([fault]) as model, pytest.raises(error) as raised:
        ask(model)
    assert raised.value.code == code
    assert raised.value.response.headers.get("Retry-After") == (
        "3" if "Retry-After" in fault.headers else None
    )


def test_a_stream_may_end_early_with_the_connection_open_or_dropped() -> None:
    with ModelDouble([cut("a" * 100), cut("a" * 100, drop=True)]) as model:
        assert stream(model) == (["a" * 16] * 2, None, None)
        with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
            stream(model)


def test_a_reply_may_be_cut_unfinished_or_empty() -> None:
    with ModelDouble([ended_by("length", "cut"), unfinished("all"), empty()]) as model:
        assert [stream(model)[:2] for _ in range(3)] == [
            (["cut"], "length"),
            (["all"], None),
            ([], "stop"),
        ]


def test_a_response_may_be_no_completion() -> None:
    with ModelDouble([error_in_200(), html(), not_json(), dropped()]) as model:
        with client(model) as openai_client:
            assert openai_client.chat.completions.create(model="m", messages=HELLO).choices is None
            assert isinstance(openai_client.chat.completions.create(model="m", messages=HELLO), str)
        with pytest.raises(json.JSONDecodeError):
            ask(model)
        with pytest.raises(openai.APIConnectionError):
            ask(model)


def test_a_hanging_reply_does_not_delay_the_stop_of_the_double() -> None:
    with ModelDouble([hang(60)]) as model:
        with pytest.raises(openai.APITimeoutError):
            ask(model, timeout_s=0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_a_stream_that_the_client_closes_is_recorded() -> None:
    with ModelDouble(["word " * 100_000], piece=10) as model, client(model) as openai_client:
        chunks = openai_client.chat.completions.create(model="m", messages=HELLO, stream=True)
        next(chunks)
        assert not model.broken_off.is_set()
        chunks.close()
        assert model.broken_off.wait(5)


def test_a_request_beyond_the_script_fails_the_test() -> None:
    def ask_once_too_often() -> None:
        with ModelDouble([]) as model, pytest.raises(openai.InternalServerError):
            ask(model)

    with pytest.raises(AssertionError, match="beyond the script"):
        ask_once_too_often()
