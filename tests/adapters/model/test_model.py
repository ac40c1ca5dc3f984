"""The model behind OpenAI's protocol: what a reply is made of, and how a call ends in time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.adapters.model import OpenAIModel
from bot.app import build_model
from bot.config import load_config
from bot.errors import OutsideError
from bot.types import Message, Prices, Prompt
from tests.adapters.model.exchange import DONE, KEY, PROMPT, ask, event, piece, reply_to, stream
from tests.doubles import model as doubles
from tests.doubles.model import Fault, ModelDouble


def whole(content: object, **more: Any) -> Fault:
    message = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}], **more}
    return Fault(200, json.dumps(message).encode())


def test_a_streamed_reply_comes_back_whole_with_the_usage_that_the_server_reports() -> None:
    with ModelDouble(["a reply in several pieces, each sent alone"]) as double:
        reply = ask(double.url)
    assert reply.text == "a reply in several pieces, each sent alone"
    assert (reply.finish, reply.model, reply.tokens_are_estimated) == ("stop", "m-1", False)
    assert reply.prompt_tokens == len("You edit code.Fix the parser.") // 4
    assert reply.completion_tokens == 10
    assert reply.cost_usd is None
    assert reply.seconds > 0


def test_what_is_sent_is_what_every_server_speaks() -> None:
    with ModelDouble(["x"]) as double:
        ask(double.url)
    sent = double.requests[0]
    assert sent.body == {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "You edit code."},
            {"role": "user", "content": "Fix the parser."},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert sent.headers["authorization"] == f"Bearer {KEY}"


def test_a_server_without_keys_gets_a_word_that_is_none() -> None:
    with ModelDouble(["x"]) as double:
        ask(double.url, key=None)
    assert double.requests[0].headers["authorization"] == "Bearer none"


def test_a_key_in_the_environment_is_not_for_this_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-someone-else")
    with ModelDouble(["x"]) as double:
        ask(double.url, key=None)
    assert "someone" not in str(double.requests[0].headers)


def test_usage_is_estimated_where_the_server_reports_none() -> None:
    with ModelDouble(["x" * 35], usage=False) as double:
        reply = ask(double.url)
    assert reply.tokens_are_estimated
    assert (reply.prompt_tokens, reply.completion_tokens) == (9, 10)


def test_cached_tokens_and_the_servers_own_cost_are_kept() -> None:
    used = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 64},
        "cost": 0.25,
    }
    reply = reply_to(
        stream(piece("x", "stop"), event(choices=[], usage=used), DONE),
        prices={"m-1": Prices(1, 1)},
    )
    assert (reply.cached_tokens, reply.cost_usd) == (64, 0.25)


def test_prices_make_a_cost_in_which_cached_tokens_cost_less() -> None:
    used = {
        "prompt_tokens": 1_000_000,
        "completion_tokens": 500_000,
        "prompt_tokens_details": {"cached_tokens": 400_000},
    }
    reply = reply_to(
        stream(piece("x", "stop"), event(choices=[], usage=used), DONE),
        prices={"m-1": Prices(2.0, 8.0, cached=0.5)},
    )
    assert reply.cost_usd == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)


def test_usage_in_every_chunk_counts_once() -> None:
    used = [{"prompt_tokens": 5, "completion_tokens": n} for n in (1, 2)]
    reply = reply_to(
        stream(
            event(choices=[{"delta": {"content": "a"}}], usage=used[0]),
            piece("b", "stop"),
            event(choices=[], usage=used[1]),
            DONE,
        )
    )
    assert (reply.text, reply.completion_tokens) == ("ab", 2)


def test_a_server_that_does_not_stream_is_understood() -> None:
    reply = reply_to(
        whole("all at once", model="llama", usage={"prompt_tokens": 3, "completion_tokens": 2})
    )
    assert (reply.text, reply.model, reply.prompt_tokens) == ("all at once", "llama", 3)


def test_line_ends_of_unicode_do_not_break_the_stream() -> None:
    text = "a\u2028b\u0085c\x0bd\x1ce\r\nf"
    choice = {"delta": {"content": text}, "finish_reason": "stop"}
    line = f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}\n\n"
    assert reply_to(stream(line.encode(), DONE)).text == text


def test_comments_event_names_and_carriage_returns_in_the_stream_are_no_text() -> None:
    lines = b": OPENROUTER PROCESSING\n\ndata:\n\nevent: message\r\ndata:" + piece("x", "stop")[
        5:
    ].replace(b"\n", b"\r\n")
    assert reply_to(stream(lines, DONE)).text == "x"


def test_a_reply_with_a_reason_is_whole_without_the_streams_own_end() -> None:
    assert reply_to(stream(piece("x"), piece("", "end_turn"))).finish == "stop"


def test_tool_calls_and_reasoning_beside_the_text_are_left_out() -> None:
    calls = [{"index": 0, "id": "1", "function": {"name": "edit", "arguments": "{}"}}]
    pieces = (
        piece(None, delta={"reasoning_content": "hm"}),
        piece("x", delta={"role": "assistant"}),
        piece(None, "tool_calls", delta={"tool_calls": calls}),
    )
    assert reply_to(stream(*pieces, DONE)).text == "x"


def test_content_in_parts_is_joined_and_thinking_left_out() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "ok"},
    ]
    assert reply_to(stream(piece(parts), piece(None, "stop"), DONE)).text == "ok"


def test_reasoning_in_the_text_is_left_to_whoever_reads_it() -> None:
    text = "\n<think>SEARCH this?</think>\n\nThe reply."
    assert reply_to(stream(piece(text, "stop"), DONE)).text == text


@pytest.mark.parametrize(
    "stray", [b"ping", b"null", b"[]", b'"x"', b"", b"{}", b'{"type": "ping"}']
)
def test_a_stray_event_is_no_end_of_the_reply(stray: bytes) -> None:
    events = (piece("so "), b"data: " + stray + b"\n\n", piece("far", "stop"), DONE)
    reply = reply_to(stream(*events))
    assert (reply.text, reply.finish) == ("so far", "stop")


@pytest.mark.parametrize(
    "reason",
    ["length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded",
     "max_output_tokens", "insufficient_system_resource", "abort"],
)  # fmt: skip
def test_each_name_of_a_cut_means_that_the_reply_is_cut(reason: str) -> None:
    assert reply_to(stream(piece("x", reason), DONE)).finish == "length"


@pytest.mark.parametrize(
    "reason",
    ["stop", "STOP", "end_turn", "eos", "eos_token", "stop_sequence", "COMPLETE", "tool_calls"],
)
def test_each_name_of_an_end_means_that_the_reply_is_whole(reason: str) -> None:
    assert reply_to(stream(piece("x", reason), DONE)).finish == "stop"


@pytest.mark.parametrize(
    "usage", [None, 5.0, "5", {"prompt_tokens": 5.0, "completion_tokens": 5.0}]
)
@pytest.mark.parametrize("cost", [None, "0.1", {"total": 0.1}])
def test_an_odd_usage_or_cost_leaves_the_text(usage: object, cost: object) -> None:
    if isinstance(usage, dict):
        usage = {**usage, "cost": cost}
    reply = reply_to(stream(piece("x", "stop", usage=usage, cost=cost), DONE))
    assert (reply.text, reply.finish, reply.cost_usd) == ("x", "stop", None)
    assert reply.tokens_are_estimated == (not isinstance(usage, dict))


def test_fields_of_odd_types_end_the_reply_and_nothing_else() -> None:
    reply = reply_to(stream(piece("so far"), b'data: {"choices": "none"}\n\n', piece("lost"), DONE))
    assert (reply.text, reply.finish) == ("so far", "length")


def test_paths_that_are_not_utf8_can_be_sent() -> None:
    prompt = Prompt("generate", (Message("user", "caf\udce9.py"),))
    with ModelDouble(["x"], usage=False) as double:
        reply = ask(double.url, prompt=prompt)
    assert double.requests[0].messages[0]["content"] == "caf?.py"
    assert reply.prompt_tokens == 2


@pytest.mark.parametrize(
    "answer",
    [
        doubles.cut("0123456789abcdef0123456789abcdef", after=1),
        doubles.cut("0123456789abcdef0123456789abcdef", after=1, drop=True),
        doubles.unfinished("0123456789abcdef"),
        doubles.ended_by("length", "0123456789abcdef"),
    ],
    ids=["silently", "by a lost connection", "without a reason", "by the limit"],
)
def test_a_cut_reply_is_given_as_far_as_it_came_and_says_so(answer: Fault) -> None:
    reply = reply_to(answer)
    assert (reply.text, reply.finish) == ("0123456789abcdef", "length")


def test_a_reply_without_end_is_cut() -> None:
    long = "x" * 1_000_000
    reply = reply_to(stream(*[piece(long)] * 3, piece("", "stop"), DONE))
    assert (len(reply.text), reply.finish) == (2_000_000, "length")


def test_a_server_that_refuses_stream_options_is_asked_without_and_remembered() -> None:
    refusal = Fault(
        422,
        b'{"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not'
        b' permitted"}]}',
    )
    with ModelDouble([refusal, "one", "two"]) as double:
        model = OpenAIModel(double.url, "sk-test", "m-1")
        texts = [model.ask(PROMPT, stop=lambda: False, deadline_s=20).text for _ in range(2)]
    assert texts == ["one", "two"]
    assert ["stream_options" in request.body for request in double.requests] == [True, False, False]


def test_the_replys_limit_takes_the_name_that_the_server_knows() -> None:
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
        " 'max_completion_tokens' instead."
    )
    refusal = Fault(
        400, json.dumps({"error": {"message": message, "param": "max_tokens"}}).encode()
    )
    with ModelDouble([refusal, "one"]) as double:
        ask(double.url, max_reply_tokens=500)
    limits = [
        {name: body[name] for name in body if name.startswith("max_")} for body in bodies(double)
    ]
    assert limits == [{"max_tokens": 500}, {"max_completion_tokens": 500}]


def test_the_replys_limit_is_a_setting() -> None:
    with ModelDouble(["one", "two"]) as double:
        for more in ({}, {"TINYGEN_MAX_REPLY_TOKENS": "500"}):
            model = build_model(
                load_config({"OPENAI_BASE_URL": double.url, "OPENAI_API_KEY": "k", **more}, None)
            )
            model.ask(PROMPT, stop=lambda: False, deadline_s=20)
    assert [body.get("max_tokens") for body in bodies(double)] == [None, 500]


def test_an_option_refused_twice_is_an_error_and_no_endless_loop() -> None:
    refusal = Fault(400, b'{"error": {"message": "stream_options and more are wrong"}}')
    with (
        ModelDouble([refusal, refusal]) as double,
        pytest.raises(OutsideError, match="refused the request with 400"),
    ):
        ask(double.url)
    assert len(double.requests) == 2


def bodies(double: ModelDouble) -> list[dict[str, Any]]:
    return [request.body for request in double.requests]


def test_what_is_shown_first_is_asked_of_the_model_for_that() -> None:
    settings = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_MODEL": "large",
        "TINYGEN_SCOUT_MODEL": "small=0.1/0.4",
    }
    choice = Prompt("choose", PROMPT.messages)
    with ModelDouble(["x"] * 4) as double:
        model = build_model(load_config({**settings, "OPENAI_BASE_URL": double.url}, None))
        for prompt, named in ((choice, None), (choice, "other"), (PROMPT, None), (PROMPT, "other")):
            model.ask(prompt, stop=lambda: False, deadline_s=10.0, model=named)
    asked = [request.body["model"] for request in double.requests]
    assert asked == ["small", "small", "large", "other"]
