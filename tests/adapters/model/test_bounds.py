"""A model's server may send anything, of any length and form: the call and its result stay
small."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import OutsideError, SetupError, TinyGenError
from bot.types import Prices
from tests.adapters.model.exchange import DONE, Pauses, ask, event, piece, reply_to, stream
from tests.doubles.model import Fault, ModelDouble
from tests.doubles.server import Request, Response, Server
from tests.strategies import JSON

MB = 1_000_000
DAY_S = 86_400


def error_of(*answers: Fault, **more: Any) -> TinyGenError:
    with ModelDouble(answers) as double, pytest.raises(TinyGenError) as caught:
        ask(double.url, **more)
    return caught.value


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize(
    "place", ["/v1/elsewhere", "http://{trap}/latest/meta-data", "//{trap}/", "file:///etc/passwd"]
)
def test_no_redirect_is_followed_and_none_is_told(status: int, place: str) -> None:
    led: list[Request] = []

    def trapped(request: Request) -> Response:
        led.append(request)
        return Response(200, b'{"error": {"message": "an internal secret"}}')

    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.path)
        body = b'{"error": {"message": "an internal secret"}}'
        return Response(
            status, body, {"Location": place.format(trap=trap.url.removeprefix("http://"))}
        )

    with Server(trapped) as trap, Server(answer) as server, pytest.raises(SetupError) as caught:
        ask(server.url)
    assert (led, len(asked)) == ([], 1)
    assert "OPENAI_BASE_URL" in str(caught.value)
    assert not any(
        word in str(caught.value) for word in ("elsewhere/", "latest", "passwd", "secret", trap.url)
    )


def test_an_answer_is_asked_for_as_it_is() -> None:
    with ModelDouble(["x"]) as double:
        ask(double.url)
    assert double.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "encoding", ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, gzip", "x", "identity, gzip"]
)
def test_what_is_packed_all_the_same_is_refused_and_not_unpacked(encoding: str) -> None:
    body = gzip.compress(piece("x", "stop") + DONE)
    error = error_of(Fault(200, body, {"Content-Encoding": encoding}))
    assert isinstance(error, SetupError)
    assert "compressed" in str(error)


def test_an_answer_that_says_that_it_is_as_it_is_is_read() -> None:
    assert (
        reply_to(Fault(200, piece("x", "stop") + DONE, {"Content-Encoding": "identity"})).text
        == "x"
    )


def test_what_a_packed_error_means_is_known_by_its_status() -> None:
    packed = Fault(
        429, gzip.compress(b"x" * 9_000_000), {"Content-Encoding": "gzip", "Retry-After": "7"}
    )
    pauses = Pauses()
    with ModelDouble([packed, "fine"]) as double:
        assert ask(double.url, pauses=pauses).text == "fine"
    assert pauses.seconds == [7]


def endless(begin: bytes, *pieces: bytes, each: int = 60_000) -> Callable[[Request], Response]:
    """A server that sends `pieces` again and again."""
    again = b"".join(pieces)
    block = again * max(1, each // len(again))

    def body() -> Iterator[bytes]:
        yield begin
        while True:
            yield block

    return lambda _request: Response(200, body(), {"Content-Type": "text/event-stream"})  # type: ignore[arg-type]


LONG = event(choices=[{"delta": {"reasoning_content": "hm" * 5_000}}])
SHORT = b'data: {"choices": []}\n\n'


@pytest.mark.parametrize(
    "pieces",
    [
        [SHORT],
        [LONG],
        [b": still there\n"],
        [b":\n"],
        [b"\n"],
        [b"data:\n"],
        [b"x"],
        [b"data: [["],
        [b"event: x\r\n"],
    ],
    ids=lambda pieces: repr(pieces[0][:24]),
)
def test_a_stream_without_end_is_cut(pieces: Sequence[bytes]) -> None:
    with Server(endless(piece("so far"), *pieces)) as server:
        reply = ask(server.url)
    assert (reply.text, reply.finish) == ("so far", "length")


@pytest.mark.parametrize("pieces", [[b": still there\n"], [b"x"], [b"x\n"], [b"\n"]], ids=repr)
def test_a_stream_that_never_says_anything_is_left(pieces: Sequence[bytes]) -> None:
    with Server(endless(b"", *pieces)) as server, pytest.raises(OutsideError):
        ask(server.url)


@pytest.mark.parametrize(
    "line",
    [
        b"data: " + b"[" * 3_900_000,
        b"data: [" + b"[]," * 1_300_000 + b"[]]",
        b'data: {"choices": [' + b"{}," * 1_300_000 + b"{}]}",
        b'data: {"choices": [{"delta": {"content": [' + b"[]," * 1_200_000 + b"[]]}}]}",
        b'data: {"usage": ' + b"9" * 3_900_000 + b"}",
        b'data: {"a": ' * 300_000,
    ],
    ids=lambda line: repr(line[:24]),
)
def test_an_event_costs_no_more_than_its_size_allows(line: bytes) -> None:
    tracemalloc.start()
    try:
        reply = reply_to(stream(piece("so far"), line + b"\n\n", DONE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reply.text == "so far"
    assert peak < 200 * MB


def test_a_stream_in_tiny_pieces_is_read_in_time() -> None:
    """Which a buffer that is copied at each of them would not be."""

    def body() -> Iterator[bytes]:
        yield b'data: {"choices": [{"delta": {"content": "'
        for _ in range(50_000):
            yield b"x"
        yield b'"}, "finish_reason": "stop"}]}\n\n'

    answer = Response(200, body(), {"Content-Type": "text/event-stream"})  # type: ignore[arg-type]
    with Server(lambda _request: answer) as server:
        assert len(ask(server.url).text) == 50_000


def test_a_reply_in_as_many_events_as_characters_is_read_in_time() -> None:
    body = piece("x") * 200_000 + piece("", "stop")
    assert len(reply_to(stream(body)).text) == 200_000


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_of_an_error_only_the_beginning_is_read(status: int) -> None:
    sent = [0]

    def body() -> Iterator[bytes]:
        while True:
            sent[0] += 10_000
            yield b"x" * 10_000

    def answer(_request: Request) -> Response:
        return Response(status, body(), {})  # type: ignore[arg-type]

    with Server(answer) as server, pytest.raises(TinyGenError) as caught:
        ask(server.url)
    assert len(str(caught.value)) < 600
    assert sent[0] < 100 * MB


def test_the_words_of_an_error_are_few_and_print() -> None:
    words = "a\x1b[31mb\x00c\u202ed\u2028e\r\nf\x85g\ud800h" + "i" * 100_000
    for body in ({"error": {"message": words, "code": words}}, {"detail": words}, words):
        error = error_of(Fault(400, json.dumps(body).encode()))
        assert str(error).isprintable()
        assert len(str(error)) < 600
    refusal = {"choices": [{"delta": {"refusal": words}, "finish_reason": "stop"}]}
    error = error_of(stream(event(**refusal) * 50))
    assert str(error).isprintable()
    assert len(str(error)) < 600


NO_COUNTS = [
    -1,
    -(10**9),
    10**9 + 1,
    10**30,
    1.5,
    float("nan"),
    float("inf"),
    "5",
    True,
    None,
    [],
    {},
    [5],
]


def used(**usage: Any) -> Fault:
    return stream(piece("x" * 35, "stop"), event(choices=[], usage=usage), DONE)


@pytest.mark.parametrize("count", NO_COUNTS)
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_a_usage_that_cannot_be_true_counts_as_none(name: str, count: object) -> None:
    reply = reply_to(used(**{"prompt_tokens": 5, "completion_tokens": 5, name: count}))
    assert reply.tokens_are_estimated
    assert (reply.prompt_tokens, reply.completion_tokens) == (9, 10)


@pytest.mark.parametrize("usage", ["5", 5, [5], {}, {"prompt_tokens": 5}, {"total_tokens": 5}])
def test_a_usage_of_another_form_counts_as_none(usage: object) -> None:
    reply = reply_to(stream(piece("x" * 35, "stop"), event(choices=[], usage=usage), DONE))
    assert (reply.tokens_are_estimated, reply.completion_tokens) == (True, 10)


@pytest.mark.parametrize(
    "details", [*({"cached_tokens": count} for count in NO_COUNTS), 5, "x", None, []]
)
def test_cached_tokens_that_cannot_be_true_are_none(details: object) -> None:
    reply = reply_to(
        used(prompt_tokens=5, completion_tokens=5, prompt_tokens_details=details),
        prices={"m-1": Prices(1, 1, 0)},
    )
    assert (reply.tokens_are_estimated, reply.cached_tokens, reply.cost_usd) == (
        False,
        0,
        10 / 1_000_000,
    )


def test_no_more_tokens_are_cached_than_there_are() -> None:
    details = {"cached_tokens": 10**9}
    reply = reply_to(
        used(prompt_tokens=5, completion_tokens=0, prompt_tokens_details=details),
        prices={"m-1": Prices(1, 1, 0)},
    )
    assert (reply.cached_tokens, reply.cost_usd) == (5, 0)


@pytest.mark.parametrize(
    "cost", [-1, -0.01, 10**6 + 1, 10**400, float("nan"), float("inf"), "0.25", True, [], {}]
)
def test_a_cost_that_cannot_be_true_is_none(cost: object) -> None:
    reply = reply_to(used(prompt_tokens=5, completion_tokens=5, cost=cost))
    assert (reply.tokens_are_estimated, reply.cost_usd) == (False, None)


@pytest.mark.parametrize(
    "name",
    ["m" * 101, "m" * 70_000, "", "a\nb", "a\x1b[31m", "a\u202eb", "\ud800", 5, [], {}, None],
)
def test_a_name_that_is_none_is_the_one_that_was_asked_for(name: object) -> None:
    assert reply_to(stream(piece("x", "stop", model=name), DONE)).model == "m-1"


@pytest.mark.parametrize("finish", [5, [], {}, "s" * 100_000, "a\x00", True])
def test_a_reason_that_is_none_leaves_the_reply_as_if_it_were_cut(finish: object) -> None:
    reply = reply_to(stream(piece("x", finish), DONE))
    assert (reply.text, reply.finish) == ("x", "length")


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a\ud83d", "\ude00b"], "a\U0001f600b"),
        (["a\ud83d", "b"], "a\ufffdb"),
        (["\ude00"], "\ufffd"),
        (["a\ude00\ud83d"], "a\ufffd\ufffd"),
    ],
)
def test_halves_of_a_character_are_joined_and_never_stay_alone(
    pieces: Sequence[str], text: str
) -> None:
    reply = reply_to(stream(*map(piece, pieces), piece("", "stop"), DONE))
    assert (reply.text, reply.finish) == (text, "stop")


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "1" * 4000}, 1),
        ({"Retry-After": "9" * 300}, DAY_S),
        ({"Retry-After": "1e300"}, DAY_S),
        ({"Retry-After": "1e999"}, 1),
        ({"Retry-After": "86401"}, DAY_S),
        ({"retry-after-ms": "1e300"}, DAY_S),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, DAY_S),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 -9959"}, 1),
        ({"Retry-After": "Mon, 01 Jan 0001 00:00:00 +9959"}, 1),
        ({"Retry-After": "Mon, 01 Jan " + "9" * 5000 + " 00:00:00 GMT"}, 1),
    ],
)
def test_a_wait_is_a_day_at_most(headers: dict[str, str], wait_s: float) -> None:
    pauses = Pauses()
    with ModelDouble([Fault(429, b"{}", headers), "fine"]) as double:
        assert ask(double.url, pauses=pauses, deadline_s=2 * DAY_S).text == "fine"
    assert pauses.seconds == [wait_s]


FIELDS = st.sampled_from(["model", "choices", "usage", "error", "id"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(FIELDS, JSON, max_size=4),
    st.dictionaries(st.sampled_from(["finish_reason", "message", "delta"]), JSON),
)
def test_whatever_it_says_ends_as_a_reply_within_bounds_or_as_an_error_of_ours(
    fields: Any, choice: Any
) -> None:
    answers = [stream(piece("x"), event(**fields), event(choices=[choice]), DONE)] * 5
    said, reply = "", None
    with ModelDouble(answers) as double:
        try:
            reply = ask(double.url)
        except TinyGenError as error:
            said = str(error)
    assert said.isprintable()
    if reply is None:
        return
    reply.text.encode()
    assert reply.model.isprintable()
    assert 0 < len(reply.model) <= 100
    assert 0 <= reply.prompt_tokens <= 10**9
    assert 0 <= reply.completion_tokens <= 10**9
    assert 0 <= reply.cached_tokens <= reply.prompt_tokens
    assert reply.cost_usd is None or 0 <= reply.cost_usd <= 10**6
