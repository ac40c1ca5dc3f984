"""A scripted model behind OpenAI's chat-completions API, with its replies and faults.

    with ModelDouble(["first reply", out_of_quota(), "second reply"]) as model:
        OpenAI(base_url=model.url, api_key="any")

Replies are taken in turn, one for each request; a callable is asked anew for each request and may
answer by content. A request beyond the script is an error of the test: it is answered 500 and
raised when the `with` ends.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.doubles.server import Dropped, Request, Response, Server

Json = dict[str, Any]
Messages = list[Json]
"""As sent: `{"role", "content"}` each."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How a call goes wrong. `status` with `body` is answered as it is; else `text` is said and the
    rest applies.

    hang_s: nothing is said for so long. drop: the connection closes unanswered. cut_after: the
    stream ends without its end after so many pieces, the connection closed if `drop`. finish: None
    leaves the finish reason out. prompt_tokens: what the usage says, if not what was sent;
    cached_tokens: how many of them came from a cache.
    """

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    hang_s: float = 0.0
    drop: bool = False
    cut_after: int | None = None
    finish: str | None = "stop"
    prompt_tokens: int | None = None
    cached_tokens: int = 0


Reply = str | Fault
Replies = Iterable[Reply] | Callable[[Messages], Reply]


def _error(
    status: int, message: str, kind: str, code: str | None, headers: Mapping[str, str] | None = None
) -> Fault:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Fault(status, json.dumps({"error": error}).encode(), headers or {})


def rate_limited(retry_after_s: float | None = None) -> Fault:
    headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
    return _error(
        429, "Rate limit reached for requests.", "requests", "rate_limit_exceeded", headers
    )


def out_of_quota() -> Fault:
    return _error(
        429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota"
    )


def server_error(status: int = 500) -> Fault:
    return _error(
        status, "The server had an error while processing your request.", "server_error", None
    )


def too_long() -> Fault:
    message = "This model's maximum context length is 8192 tokens."
    return _error(400, message, "invalid_request_error", "context_length_exceeded")


def bad_key() -> Fault:
    return _error(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key")


def no_such_model() -> Fault:
    return _error(
        404,
        "The model does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
    )


def error_in_200() -> Fault:
    """As some gateways answer: the status says all is well, the body does not."""
    error = {"error": {"message": "Provider returned error", "code": 502}}
    return Fault(200, json.dumps(error).encode())


def html() -> Fault:
    return Fault(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"})


def not_json() -> Fault:
    return Fault(200, b'{"id": "chatcmpl-1", "choi')


def empty() -> Fault:
    """A reply that says nothing."""
    return Fault(text="")


def hang(seconds: float) -> Fault:
    return Fault(hang_s=seconds, text="Late.")


def dropped() -> Fault:
    return Fault(drop=True)


def cut(text: str, *, after: int = 2, drop: bool = False) -> Fault:
    """The stream ends after so many pieces of `text`, in silence or (`drop`) with the connection
    broken off."""
    return Fault(text=text, cut_after=after, drop=drop)


def ended_by(finish: str, text: str) -> Fault:
    return Fault(text=text, finish=finish)


def unfinished(text: str) -> Fault:
    """All of the text and a proper end of the stream, but no finish reason."""
    return Fault(text=text, finish=None)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its JSON body and its headers in lower case."""

    body: Json
    headers: Mapping[str, str]

    @property
    def messages(self) -> Messages:
        messages: Messages = self.body["messages"]
        return messages


class ModelDouble:
    """`url` is the base URL for clients (it ends in `/v1`), `requests` what was asked, in order.

    `broken_off` is set when a client has closed a stream before its end.

    `piece` is the number of characters in each piece of a stream, and `wait_s` the pause before
    each. Usage counts a token for every four characters; `usage=False` is a server that does not
    report it.
    """

    def __init__(
        self,
        replies: Replies,
        *,
        model: str = "double-1",
        piece: int = 16,
        wait_s: float = 0.0,
        usage: bool = True,
        port: int = 0,
    ) -> None:
        self.requests: list[Asked] = []
        self.broken_off = threading.Event()
        self.model = model
        self._piece, self._wait_s, self._usage = piece, wait_s, usage
        self._reply = replies if callable(replies) else None
        self._script = iter(()) if callable(replies) else iter(replies)
        self._lock = threading.Lock()
        self._server = Server(self._answer, port=port)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, at)

    @property
    def url(self) -> str:
        return f"{self._server.url}/v1"

    def _answer(self, request: Request) -> Response:
        if request.path == "/v1/models":
            one = {"id": self.model, "object": "model", "created": 0, "owned_by": "double"}
            return _json({"object": "list", "data": [one]})
        if (request.method, request.path) != ("POST", "/v1/chat/completions"):
            return _json({"error": {"message": f"Unknown request URL: {request.path}"}}, 404)
        body = json.loads(request.body)
        with self._lock:
            self.requests.append(
                Asked(body, {name.lower(): value for name, value in request.headers.items()})
            )
            number = len(self.requests)
            reply = (
                next(self._script, None) if self._reply is None else self._reply(body["messages"])
            )
        if reply is None:
            self._server.failures.append(AssertionError(f"request {number} is beyond the script"))
            return _json({"error": {"message": "The script is over."}}, 500)
        return self._say(Fault(text=reply) if isinstance(reply, str) else reply, body, number)

    def _say(self, how: Fault, body: Json, number: int) -> Response:
        if how.hang_s:
            self._pause(how.hang_s)
        if how.drop and how.cut_after is None:
            raise Dropped
        if how.body is not None:
            return Response(
                how.status, how.body, {"Content-Type": "application/json", **how.headers}
            )
        head = {"id": f"chatcmpl-{number}", "created": 0, "model": body.get("model", self.model)}
        used = _usage(body["messages"], how) if self._usage else None
        if body.get("stream"):
            wanted = used if (body.get("stream_options") or {}).get("include_usage") else None
            return Response(
                200, self._stream(head, how, wanted), {"Content-Type": "text/event-stream"}
            )
        message = {"role": "assistant", "content": how.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": how.finish}
        whole = {**head, "object": "chat.completion", "choices": [choice]}
        return _json({**whole, "usage": used} if used else whole)

    def _stream(self, head: Json, how: Fault, used: Json | None) -> Generator[bytes, None, None]:
        chunk = {**head, "object": "chat.completion.chunk", **({"usage": None} if used else {})}
        try:
            yield _event(chunk, {"role": "assistant", "content": ""})
            yield from self._pieces(chunk, how)
            if how.cut_after is not None:
                return
            if how.finish:
                yield _event(chunk, {}, how.finish)
            if used:
                yield (
                    b"data: "
                    + json.dumps({**chunk, "choices": [], "usage": used}).encode()
                    + b"\n\n"
                )
            yield b"data: [DONE]\n\n"
        except GeneratorExit:
            if not self._server.stopping.is_set():
                self.broken_off.set()
            raise

    def _pieces(self, chunk: Json, how: Fault) -> Generator[bytes, None, None]:
        starts = range(0, len(how.text), self._piece)
        for start in starts if how.cut_after is None else starts[: how.cut_after]:
            self._pause(self._wait_s)
            yield _event(chunk, {"content": how.text[start : start + self._piece]})
        if how.cut_after is not None and how.drop:
            raise Dropped

    def _pause(self, seconds: float) -> None:
        """Ends early, with the connection dropped, when the double is stopped."""
        if seconds and self._server.stopping.wait(seconds):
            raise Dropped


def _event(chunk: Json, delta: Json, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return b"data: " + json.dumps({**chunk, "choices": [choice]}).encode() + b"\n\n"


def _usage(messages: Messages, how: Fault) -> Json:
    asked = how.prompt_tokens
    if asked is None:
        asked = sum(len(str(message["content"])) for message in messages) // 4
    said = len(how.text) // 4
    cached = {"cached_tokens": how.cached_tokens}
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": cached,
    }


def _json(value: Json, status: int = 200) -> Response:
    return Response(status, json.dumps(value).encode(), {"Content-Type": "application/json"})
