"""Each way in which a model's server fails: what the error says, and when it is asked again."""

from __future__ import annotations

import json

import pytest

from bot import errors
from bot.adapters.model.errors import SentRequest, quote_message
from bot.errors import ContextTooLong, OutsideError, SetupError, TinyGenError, Unworkable
from bot.types import Message, Prompt, Reply
from tests.adapters.model.exchange import KEY, Pauses, ask, error_answer
from tests.doubles import model as doubles
from tests.doubles.model import Fault, ModelDouble

SECRET = "the launch code is 0000-1111-2222"
PROMPT = Prompt(
    "generate", (Message("system", "You edit code."), Message("user", f"Fix it. {SECRET}."))
)


class Call:
    """One call, and what became of it."""

    def __init__(self, *answers: Fault | str, deadline_s: float = 120, key: str = KEY) -> None:
        self.pauses = Pauses()
        self.reply: Reply | None = None
        self.error: TinyGenError | None = None
        with ModelDouble(answers) as double:
            try:
                self.reply = ask(
                    double.url, key=key, prompt=PROMPT, deadline_s=deadline_s, pauses=self.pauses
                )
            except TinyGenError as error:
                self.error = error
        self.requests = len(double.requests)


@pytest.mark.parametrize(
    "fault",
    [
        doubles.rate_limited(),
        doubles.server_error(500),
        doubles.server_error(503),
        doubles.server_error(504),
        doubles.dropped(),
        doubles.error_in_200(),
        doubles.not_json(),
        doubles.empty(),
        doubles.cut("never seen", after=0),
        Fault(200, b""),
        Fault(200, b'data: {"error": {"message": "overloaded", "code": 503}}\n\n'),
        Fault(
            200, b'data: {"choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}\n\n'
        ),
        Fault(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"}),
    ],
    ids=lambda fault: f"{fault.status}-{(fault.body or b'')[:40]!r}",
)
def test_what_may_pass_is_asked_again(fault: Fault) -> None:
    call = Call(fault, fault, "fine")
    assert call.reply is not None
    assert call.reply.text == "fine"
    assert call.pauses.seconds == [1, 2]


def test_it_gives_up_after_five_tries() -> None:
    call = Call(*[doubles.server_error(500)] * 5)
    assert type(call.error) is OutsideError
    assert "answered 500 (The server had an error while processing your request)" in str(call.error)
    assert call.pauses.seconds == [1, 2, 4, 8]


def test_retry_after_is_honoured() -> None:
    assert Call(doubles.rate_limited(30), "fine").pauses.seconds == [30]


def test_a_later_retry_after_is_waited_for_exactly_and_not_as_long_as_the_next_try_would() -> None:
    limits = [doubles.rate_limited(wait_s) for wait_s in (1, 2, 3, 1)]
    assert Call(*limits, "fine").pauses.seconds == [1, 2, 3, 1]


def test_a_wait_beyond_the_deadline_is_not_waited() -> None:
    call = Call(doubles.rate_limited(3600))
    assert isinstance(call.error, OutsideError)
    assert call.error.retry_in_s == 3600
    assert (call.requests, call.pauses.seconds) == (1, [])


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after-ms": "2500", "retry-after": "9"}, 2.5),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 1),
        ({"retry-after": "soon"}, 1),
        ({"retry-after": "nan"}, 1),
        ({"retry-after": "-5"}, 1),
    ],
)
def test_every_form_of_retry_after_is_read(headers: dict[str, str], wait_s: float) -> None:
    assert Call(Fault(429, b"{}", headers), "fine").pauses.seconds == [wait_s]


CALLS = Fault(
    200,
    b'data: {"choices": [{"delta": {"tool_calls": [{"id": "1"}]}, "finish_reason":'
    b' "tool_calls"}]}\n\n',
)


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (doubles.bad_key(), SetupError, "OPENAI_API_KEY"),
        (doubles.no_such_model(), SetupError, "OPENAI_MODEL"),
        (
            error_answer(404, 'model "m-1" not found, try pulling it first'),
            SetupError,
            "try pulling it first",
        ),
        (
            error_answer(400, "The model is unknown", code="model_not_found"),
            SetupError,
            "OPENAI_MODEL",
        ),
        (error_answer(403, "Project has no access to it"), SetupError, "OPENAI_MODEL"),
        (doubles.html(), SetupError, "OPENAI_BASE_URL"),
        (Fault(404, b"404 page not found"), SetupError, "OPENAI_BASE_URL"),
        (doubles.out_of_quota(), SetupError, "no credit"),
        (error_answer(402, "Insufficient credits"), SetupError, "no credit"),
        (doubles.too_long(), ContextTooLong, "TINYGEN_CONTEXT_TOKENS"),
        (
            error_answer(400, "", type="exceed_context_size_error", code=400),
            ContextTooLong,
            "longer",
        ),
        (
            error_answer(429, "Request too large for m-1 on tokens per min (TPM): Limit 30000"),
            ContextTooLong,
            "longer",
        ),
        (Fault(413, b"too big"), ContextTooLong, "longer"),
        (
            Fault(400, b'{"object":"error","message":"maximum context length is 4096","code":400}'),
            ContextTooLong,
            "",
        ),
        *(
            (error_answer(400, said), ContextTooLong, "longer")
            for said in (
                "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
                "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
                "Trying to keep the first 9000 tokens when context the overflows. However, the"
                " model is loaded with context length of only 4096 tokens",
                "The input (9000 tokens) is longer than the model's context length (4096 tokens).",
                "This model's maximum prompt length is 131072 but the request contains 537812.",
                "The input token count (1200000) exceeds the maximum number of tokens allowed.",
                "Input is too long for requested model.",
                "input length and `max_tokens` exceed context limit: 199000 + 8000 > 200000",
                "prompt too long; exceeded max context length by 100 tokens",
                "the input length exceeds the context length",
                "too many tokens: total number of tokens in the prompt exceeds the limit",
                "Please reduce the length of the messages or completion.",
            )
        ),
        (
            Fault(400, b'[{"error": {"code": 400, "message": "API key not valid."}}]'),
            SetupError,
            "OPENAI_API_KEY",
        ),
        (
            Fault(
                404, b'[{"error": {"code": 404, "message": "models/m-1 is not found for v1main"}}]'
            ),
            SetupError,
            "models/m-1 is not found",
        ),
        (doubles.ended_by("SAFETY", ""), Unworkable, "content filter"),
        (error_answer(400, "Filtered", code="content_filter"), Unworkable, "content filter"),
        (doubles.ended_by("content_filter", "some text"), Unworkable, "content filter"),
        (doubles.ended_by("content_filter", ""), Unworkable, "content filter"),
        (doubles.ended_by("length", ""), OutsideError, "before it said anything"),
        (CALLS, OutsideError, "called tools, though it was offered none"),
        (
            error_answer(400, "Bad temperature"),
            OutsideError,
            "refused the request with 400 (Bad temperature)",
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_what_will_not_pass_says_at_once_who_must_act(
    fault: Fault, kind: type[TinyGenError], says: str
) -> None:
    call = Call(fault)
    assert type(call.error) is kind is getattr(errors, kind.__name__)
    assert says in str(call.error)
    assert (call.requests, call.pauses.seconds) == (1, [])


def test_a_refusal_is_the_models_own_words() -> None:
    said = (
        b'data: {"choices": [{"delta": {"refusal": "I cannot help with that."}, "finish_reason":'
        b' "stop"}]}\n\n'
    )
    call = Call(Fault(200, said))
    assert type(call.error) is Unworkable
    assert "I cannot help with that" in str(call.error)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_without_an_answer_is_asked_for_once(name: str) -> None:
    thoughts = json.dumps({"choices": [{"delta": {name: "hm"}, "finish_reason": "stop"}]})
    call = Call(Fault(200, f"data: {thoughts}\n\n".encode()))
    assert "reasoned, and then answered nothing" in str(call.error)
    assert (call.requests, call.pauses.seconds) == (1, [])


def test_thoughts_alone_are_no_reply() -> None:
    thoughts = (
        b'data: {"choices": [{"delta": {"reasoning_content": "hm"}, "finish_reason":'
        b' "length"}]}\n\n'
    )
    assert "before it said anything" in str(Call(Fault(200, thoughts)).error)


def test_a_key_with_a_line_end_is_refused_before_it_is_sent() -> None:
    for key in ("sk-1\n", "“sk-1”", "sk-1\x00"):
        call = Call(key=key)
        assert isinstance(call.error, SetupError)
        assert key not in str(call.error)


def test_a_server_that_is_not_there_is_named() -> None:
    pauses = Pauses()
    with pytest.raises(OutsideError, match=r"The model.s server did not answer") as caught:
        ask("http://user:hidden@127.0.0.1:9/v1", pauses=pauses)
    assert "hidden" not in str(caught.value)
    assert "OPENAI_BASE_URL" in str(caught.value)
    assert pauses.seconds == [1, 2, 4, 8]


@pytest.mark.parametrize("status", [400, 403, 404, 500])
@pytest.mark.parametrize(
    "leak", [KEY, SECRET, "noise " + SECRET.upper().lower() + " noise", "  ".join(SECRET.split())]
)
def test_no_error_holds_the_key_or_the_prompt(status: int, leak: str) -> None:
    call = Call(
        *[error_answer(status, f"Bad input: {leak}", code=leak)] * (5 if status == 500 else 1)
    )
    assert call.error is not None
    for text in (
        str(call.error),
        repr(call.error),
        repr(call.error.__cause__),
        repr(call.error.__context__),
    ):
        assert KEY not in text
        assert "0000-1111" not in text


@pytest.mark.parametrize(
    "said", ["FIX THE PARSER OF DATES", "fix the\nparser  of dates", "fixtheparserofdates"]
)
def test_a_piece_of_the_prompt_is_not_quoted_however_it_is_written(said: str) -> None:
    asked = SentRequest("host", "m", "sk-Key-0123456789", "Please fix the parser of dates, soon.")
    assert quote_message(said, asked) == ""
    assert quote_message("bad key SK-KEY-01234 56789", asked) == ""
    assert quote_message("The quota of this account is used up", asked)


def test_a_model_that_is_asked_once_is_not_asked_again() -> None:
    pauses = Pauses()
    with pytest.raises(OutsideError, match="did not answer"):
        ask("http://127.0.0.1:9/v1", pauses=pauses, retries=0)
    assert pauses.seconds == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("No route to https://10.0.0.5:8000/v1/x, sorry", "No route to … sorry"),
        ("Connect to 10.0.0.5:8000 failed", "Connect to … failed"),
        ("LLM.internal.example is busy", "… is busy"),
        ("llm.internal.example:8000 is busy", "… is busy"),
    ],
)
def test_where_the_operators_model_runs_is_not_quoted(said: str, shown: str) -> None:
    asked = SentRequest("llm.internal.example", "m", None, "Fix it.")
    assert quote_message(said, asked) == f" ({shown})"


def test_a_host_that_is_a_word_is_one() -> None:
    asked = SentRequest("model", "m", None, "Fix it.")
    assert quote_message("no such model at model:8000", asked) == " (no such model at …)"


@pytest.mark.parametrize("status", [302, 400, 401, 402, 403, 404, 429, 500])
def test_no_error_says_where_the_operators_model_runs(status: int) -> None:
    call = Call(*[error_answer(status, "No.")] * 5)
    assert call.error is not None
    assert "127.0.0.1" not in str(call.error)
