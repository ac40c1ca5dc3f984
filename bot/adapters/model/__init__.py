"""A model behind OpenAI's chat completions, as each compatible server speaks them: text in, text
out, streamed.

No tools, no JSON mode, no sampling options: OpenAI, Azure, Ollama, vLLM, llama.cpp and OpenRouter
agree on nothing beyond. Each call runs in an event loop of its own, because only there can a silent
server be left at once: cancelling the task closes its connection.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.adapters.http import encode_text
from bot.adapters.model.errors import (
    CONTENT_FILTERED,
    TRY_LATER,
    ApiError,
    ErrorAnswer,
    RetryableError,
    SentRequest,
    check_response,
    connection_error,
    error_for,
    quote_message,
)
from bot.adapters.model.response import Completion, Usage, read_completion
from bot.errors import Cancelled, OutsideError, SetupError, TimedOut, Unworkable
from bot.ports import NO_IMAGES, MetricsSink, NoMetrics, NoTracer, Tracer
from bot.types import Message, Prices, Prompt, Reply

if TYPE_CHECKING:
    import ssl

    from openai import AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"

_BACKOFF_S = (1.0, 2.0, 4.0, 8.0)
"""The pause after each failed attempt but the fifth, which is the last."""
_POLL_S = 0.5
_BYTES_PER_TOKEN = 3.5

_Messages = Any
"""The messages as JSON; the library's own type for them is a union of dozens."""


class OpenAIModel:
    """Implements `bot.ports.Model`. Usable from any thread that runs no event loop of its own.

    `base_url` None is OpenAI. `scout_model` is asked what the first request shows, whatever model a
    job names; None: the job's. `max_reply_tokens` None leaves the reply's length to the server.
    `prices` are by the model's name. `read_timeout_s` limits each wait for bytes: a large model on
    a small machine reads its prompt for minutes. `usage_wait_s` limits the wait for the usage after
    the reply. `max_limit_wait_s` is the longest rate limit that a call itself waits for; a longer
    one is raised at once, with its length. `retries` is how often a call may be sent again.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        model: str,
        *,
        scout_model: str | None = None,
        max_reply_tokens: int | None = None,
        prices: Mapping[str, Prices] = MappingProxyType({}),
        read_timeout_s: float = 600.0,
        usage_wait_s: float = 5.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        metrics: MetricsSink | None = None,
        tracer: Tracer | None = None,
        max_limit_wait_s: float = math.inf,
        retries: int = len(_BACKOFF_S),
        connect_timeout_s: float = 10.0,
    ) -> None:
        self._base_url = base_url or OPENAI_URL
        self._api_key = api_key or None
        self._model = model
        self._scout_model = scout_model
        self._max_reply_tokens = max_reply_tokens
        self._prices = prices
        self._read_timeout_s = read_timeout_s
        self._usage_wait_s = usage_wait_s
        self._sleep = sleep
        self._clock = clock
        self._metrics = metrics or NoMetrics()
        self._tracer = tracer or NoTracer()
        self._max_limit_wait_s = max_limit_wait_s
        self._pauses_s = _BACKOFF_S[:retries]
        self._connect_timeout_s = connect_timeout_s
        self._unsupported_options: set[str] = set()
        """Options that this server refused once."""

    def ask(
        self,
        prompt: Prompt,
        *,
        stop: Callable[[], bool],
        deadline_s: float,
        model: str | None = None,
        images: Mapping[str, bytes] = NO_IMAGES,
    ) -> Reply:
        """One reply; see `bot.ports.Model`. ContextTooLong if the prompt has too many tokens for
        the model."""
        self.check_key()
        if prompt.purpose == "choose":
            model = self._scout_model or model
        request = SentRequest(
            host=urlsplit(self._base_url).hostname or "",
            model=model or self._model,
            api_key=self._api_key,
            prompt="\n".join(message.text for message in prompt.messages),
            has_images=bool(images),
        )
        messages = _build_messages(prompt, images)
        with self._tracer.chat(request.model, self._base_url) as replied:
            reply = asyncio.run(self._ask_in_time(messages, request, stop, deadline_s))
            replied(reply)
        self._metrics.replied(reply)
        return reply

    def check_key(self) -> None:
        """SetupError if there is no key, or none that can be sent."""
        if self._api_key is None:
            if self._base_url == OPENAI_URL:
                step = "Set it in .env, or set OPENAI_BASE_URL to a server that wants no key."
                raise SetupError("OPENAI_API_KEY is not set.", next_step=step)
        elif not self._api_key.isascii() or not self._api_key.isprintable():
            step = "Copy the key again, without quotes, spaces or line ends."
            raise SetupError("OPENAI_API_KEY holds characters that no key has.", next_step=step)

    async def _ask_in_time(
        self, messages: _Messages, request: SentRequest, stop: Callable[[], bool], deadline_s: float
    ) -> Reply:
        """Cancels the call at the deadline, or within a second of `stop`."""
        ends = self._clock() + deadline_s
        call = asyncio.create_task(self._ask_with_retries(messages, request, ends))
        try:
            while not call.done():
                left_s = ends - self._clock()
                if stop():
                    raise Cancelled
                if left_s <= 0:
                    message = (
                        f"The model {request.model} did not answer within {deadline_s:.0f} seconds."
                    )
                    raise TimedOut(message, next_step="Try again, or ask for less at once.")
                await asyncio.wait({call}, timeout=min(_POLL_S, left_s))
            return call.result()
        finally:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

    async def _ask_with_retries(
        self, messages: _Messages, request: SentRequest, ends: float
    ) -> Reply:
        """Retries only if the wait for it ends before the deadline."""
        began = self._clock()
        for pause_s in (*self._pauses_s, None):
            try:
                completion = await self._request(messages, request)
                return self._build_reply(completion, request, self._clock() - began)
            except RetryableError as failure:
                if pause_s is None or failure.wait_s > self._max_limit_wait_s:
                    raise failure.error from None
                wait_s = failure.wait_s or pause_s
                if self._clock() + wait_s >= ends:
                    raise failure.error from None
            await self._sleep(wait_s)
            self._metrics.retried("model")
        raise AssertionError("the last pause is None")

    async def _request(self, messages: _Messages, request: SentRequest) -> Completion:
        """One answer; asks again without the options that the server refuses."""
        import httpx2
        import openai

        options = self._options()
        try:
            return await self._request_once(messages, request.model, options)
        except ErrorAnswer as answer:
            error = answer.error
        except (openai.OpenAIError, httpx2.HTTPError, OSError) as failure:
            raise connection_error(failure) from None
        if self._drop_refused_options(error, options):
            return await self._request(messages, request)
        raise error_for(error, request)

    async def _request_once(
        self, messages: _Messages, model: str, options: Mapping[str, Any]
    ) -> Completion:
        async with self._open_client() as client:
            completions = client.chat.completions.with_streaming_response
            streamed = completions.create(model=model, messages=messages, stream=True, **options)
            async with streamed as response:
                chunks = response.iter_bytes()
                return await read_completion(chunks, usage_wait_s=self._usage_wait_s)

    def _open_client(self) -> AsyncOpenAI:
        import httpx2
        import openai

        timeout = httpx2.Timeout(self._read_timeout_s, connect=self._connect_timeout_s)
        http_client = openai.DefaultAsyncHttpxClient(
            verify=self._tls,
            timeout=timeout,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [check_response]},
        )
        return openai.AsyncOpenAI(
            base_url=self._base_url,
            # Without a key the library would take one from the environment.
            api_key=self._api_key or "none",
            max_retries=0,
            timeout=timeout,
            http_client=http_client,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once: reading the machine's certificates takes longer than a request."""
        import httpx2

        return httpx2.create_ssl_context()

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"stream_options": {"include_usage": True}}
        if self._max_reply_tokens is not None:
            # OpenAI's newer name comes second: older servers ignore it, and set no limit.
            refused = "max_tokens" in self._unsupported_options
            name = "max_completion_tokens" if refused else "max_tokens"
            options[name] = self._max_reply_tokens
        return {
            name: value for name, value in options.items() if name not in self._unsupported_options
        }

    def _drop_refused_options(self, error: ApiError, options: Mapping[str, Any]) -> bool:
        """True if the server refused some of these options; they are left out from now on."""
        if error.status not in (400, 422) or error.is_too_long:
            return False
        refused = {name for name in options if name in error.text}
        self._unsupported_options |= refused
        return bool(refused)

    def _build_reply(self, completion: Completion, request: SentRequest, seconds: float) -> Reply:
        text = completion.text
        if not text.strip():
            raise _no_text_error(completion, request)
        if completion.is_filtered:
            raise error_for(CONTENT_FILTERED, request)
        usage = completion.usage or _estimate_usage(request.prompt, completion.text)
        cost = usage.cost
        if cost is None and request.model in self._prices:
            cost = self._prices[request.model].cost_usd(
                usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens
            )
        return Reply(
            text=text,
            finish="length" if completion.is_cut else "stop",
            model=completion.model or request.model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=seconds,
            cached_tokens=usage.cached_tokens,
            tokens_are_estimated=completion.usage is None,
            cost_usd=cost,
        )


def _build_messages(prompt: Prompt, images: Mapping[str, bytes]) -> _Messages:
    """`images` are the bytes by their digests."""
    return [
        {"role": message.role, "content": _build_content(message, images)}
        for message in prompt.messages
    ]


def _build_content(message: Message, images: Mapping[str, bytes]) -> str | list[dict[str, Any]]:
    """A message without images stays plain text, which every server takes.
    https://platform.openai.com/docs/guides/images-vision"""
    text = encode_text(message.text).decode()
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    for image in message.images:
        if image.sha256 in images:
            encoded = base64.b64encode(images[image.sha256]).decode()
            url = f"data:{image.media_type};base64,{encoded}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
    return parts if len(parts) > 1 else text


def _no_text_error(completion: Completion, request: SentRequest) -> Exception:
    """The exception to raise for a completion without text."""
    model = request.model
    if completion.refusal:
        return Unworkable(
            f"The model {model} refused{quote_message(completion.refusal, request)}.",
            next_step="Put the request in other words.",
        )
    if completion.is_filtered:
        return error_for(CONTENT_FILTERED, request)
    if completion.finish and completion.is_cut:
        return OutsideError(
            f"The model {model} used up the length of its reply before it said anything.",
            next_step="Let the operator raise TINYGEN_MAX_REPLY_TOKENS, or the server's own limit,"
            " or use another model.",
        )
    if completion.has_tool_calls or completion.finish == "tool_calls":
        return OutsideError(
            f"The model {model} called tools, though it was offered none.",
            next_step="Let the operator turn that off at the server, or use another model.",
        )
    if completion.has_reasoning:
        return OutsideError(
            f"The model {model} reasoned, and then answered nothing.",
            next_step="Try again; if it stays so, let the operator raise TINYGEN_MAX_REPLY_TOKENS,"
            " or use another model.",
        )
    return RetryableError(OutsideError(f"The model {model} answered nothing.", next_step=TRY_LATER))


def _estimate_usage(prompt: str, reply: str) -> Usage:
    return Usage(prompt_tokens=_estimate_tokens(prompt), completion_tokens=_estimate_tokens(reply))


def _estimate_tokens(text: str) -> int:
    return math.ceil(len(encode_text(text)) / _BYTES_PER_TOKEN)
