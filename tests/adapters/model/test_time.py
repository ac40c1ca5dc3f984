"""A call to the model ends in time: when it is cancelled, when its deadline comes, whatever the
server does."""

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bot.adapters.model import OpenAIModel
from bot.errors import Cancelled, TimedOut
from bot.types import Message, Prompt
from tests.adapters.model.exchange import KEY, ask, piece
from tests.doubles import model as doubles
from tests.doubles.model import Fault, ModelDouble
from tests.doubles.server import Request, Response, Server


def test_stop_ends_a_call_while_the_server_says_nothing() -> None:
    asked = threading.Event()

    def stop() -> bool:
        return asked.is_set()

    def hang(_: object) -> Fault:
        asked.set()
        return doubles.hang(30)

    with ModelDouble(hang) as double, pytest.raises(Cancelled):
        ask(double.url, stop=stop)


def test_stop_closes_a_running_stream() -> None:
    with ModelDouble(["x" * 16_000], wait_s=0.01) as double:
        with pytest.raises(Cancelled):
            ask(double.url, stop=lambda: bool(double.requests))
        noticed = threading.Event()
        while not double.broken_off:  # the server notices at its next piece
            noticed.wait(0.01)


def test_stop_before_the_start_sends_nothing() -> None:
    with ModelDouble([]) as double, pytest.raises(Cancelled):
        ask(double.url, stop=lambda: True)
    assert double.requests == []


def test_the_deadline_bounds_a_call_whose_stream_never_stops() -> None:
    with (
        ModelDouble(["x" * 16_000], wait_s=0.01) as double,
        pytest.raises(TimedOut, match="within 0 seconds"),
    ):
        ask(double.url, deadline_s=0.2)


def test_the_deadline_bounds_a_silent_server() -> None:
    with ModelDouble([doubles.hang(30)]) as double, pytest.raises(TimedOut):
        ask(double.url, deadline_s=0.2)


def test_a_server_that_is_silent_for_too_long_is_asked_again() -> None:
    with ModelDouble([doubles.hang(30), "late"]) as double:
        assert ask(double.url, read_timeout_s=0.2).text == "late"


def test_a_server_that_keeps_the_connection_after_the_reply_delays_nothing() -> None:
    def answer(_: Request) -> Response:
        return Response(200, pieces(), {"Content-Type": "text/event-stream"})

    def pieces() -> Generator[bytes, None, None]:
        yield piece("all of it", "stop")
        server.stopping.wait(60)

    with Server(answer) as server:
        reply = ask(server.url, usage_wait_s=0.1)
    assert (reply.text, reply.finish, reply.tokens_are_estimated) == ("all of it", "stop", True)


def test_calls_from_many_threads_do_not_meet() -> None:
    def echo(messages: list[dict[str, Any]]) -> str:
        return f"to {messages[-1]['content']}"

    with ModelDouble(echo) as double, ThreadPoolExecutor(8) as threads:
        model = OpenAIModel(double.url, KEY, "m-1")

        def one(number: int) -> str:
            prompt = Prompt("generate", (Message("user", str(number)),))
            return model.ask(prompt, stop=lambda: False, deadline_s=60).text

        assert list(threads.map(one, range(40))) == [f"to {number}" for number in range(40)]
