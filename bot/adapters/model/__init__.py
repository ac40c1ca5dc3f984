"""A model behind OpenAI's chat completions, as every compatible server speaks them.

Text in, text out, streamed. No tools, no JSON mode, no sampling options: OpenAI, Azure, Ollama,
vLLM, llama.cpp and OpenRouter differ on everything beyond. Each call runs in an event loop of its
own, because only there can a silent server be left at once: cancelling the task closes its
connection.

A prompt as it is sent.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.adapters.model.errors import (
    FILTERED,
    TRY_LATER,
    Asked,
    MayPass,
    Refusal,
    Refused,
    check_head,
    fault_of,
    quoted,
    unreachable,
)
from bot.adapters.model.response import Answer, Usage, read_answer
from bot.errors import Cancelled, OutsideError, SetupError, TimedOut, Unworkable
from bot.ports import NO_IMAGES, MetricsSink, NoMetrics
from bot.types import Message, Prompt, Reply

if TYPE_CHECKING:
    import ssl

    from openai import AsyncOpenAI

Messages = Any
"""As they are sent; the library's own type for them is a union of dozens."""


def messages_of(prompt: Prompt, images: Mapping[str, bytes]) -> Messages:
    """`images` by their digests."""
    return [{"role": each.role, "content": _content(each, images)} for each in prompt.messages]


def text_of(prompt: Prompt) -> str:
    return "\n".join(message.text for message in prompt.messages)


def _content(message: Message, images: Mapping[str, bytes]) -> str | list[dict[str, Any]]:
    """A message without images stays plain text, which every server takes.
    https://platform.openai.com/docs/guides/images-vision"""
    text = _encodable(message.text)
    urls = [
        f"data:{image.media_type};base64,{base64.b64encode(images[image.sha256]).decode()}"
        for image in message.images
        if image.sha256 in images
    ]
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"type": "text", "text": text}, *shown] if shown else text


def _encodable(text: str) -> str:
    """Paths that are not UTF-8 hold surrogates, which no request can."""
    return text.encode("utf-8", "replace").decode()


OPENAI_URL = "https://api.openai.com/v1"

_TRIES = 5
_BACKOFF_S = (1.0, 2.0, 4.0, 8.0)
_POLL_S = 0.5
_CONNECT_S = 10.0
_BYTES_PER_TOKEN = 3.5


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens. `cached` is for prompt tokens that the server had in its
    cache."""

    prompt: float
    completion: float
    cached: float | None = None

    def cost_usd(self, usage: Usage) -> float:
        cached = self.prompt if self.cached is None else self.cached
        fresh_tokens = usage.prompt_tokens - usage.cached_tokens
        spent = (
            fresh_tokens * self.prompt
            + usage.cached_tokens * cached
            + usage.completion_tokens * self.completion
        )
        return spent / 1_000_000


class OpenAIModel:
    """Implements `bot.ports.Model`. Usable from any thread that runs no event loop of its own.

    `base_url` None is OpenAI. `max_reply_tokens` None leaves the reply's length to the server.
    `silence_s` is how long a server may send nothing: a large model on a small machine reads its
    prompt for minutes. `usage_within_s` is how long its usage is waited for after the reply.
    `other_prices` are those of models that a call may name. `limit_patience_s` is what a call
    itself waits for a limit; a longer one is raised at once, with how long it is.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        model: str,
        *,
        max_reply_tokens: int | None = None,
        prices: Prices | None = None,
        other_prices: Mapping[str, Prices] = MappingProxyType({}),
        silence_s: float = 600.0,
        usage_within_s: float = 5.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        watch: MetricsSink | None = None,
        limit_patience_s: float = math.inf,
    ) -> None:
        self._limit_patience_s = limit_patience_s
        self._base_url = base_url or OPENAI_URL
        self._api_key = api_key or None
        self._model = model
        self._max_reply_tokens = max_reply_tokens
        self._prices = {**other_prices, **({model: prices} if prices else {})}
        self._silence_s = silence_s
        self._usage_within_s = usage_within_s
        self._sleep = sleep
        self._clock = clock
        self._watch = watch or NoMetrics()
        self._refused: set[str] = set()
        """Options that this server is known not to take."""

    def ask(
        self,
        prompt: Prompt,
        *,
        stop: Callable[[], bool],
        deadline_s: float,
        model: str | None = None,
        images: Mapping[str, bytes] = NO_IMAGES,
    ) -> Reply:
        """One reply; see `bot.ports.Model`. ContextTooLong where the prompt has too many tokens for
        the model."""
        if self._base_url == OPENAI_URL and not self._api_key:
            step = "Set it in .env, or set OPENAI_BASE_URL to a server that wants no key."
            raise SetupError("OPENAI_API_KEY is not set.", next_step=step)
        if self._api_key and not (self._api_key.isascii() and self._api_key.isprintable()):
            step = "Copy the key again, without quotes, spaces or line ends."
            raise SetupError("OPENAI_API_KEY holds characters that no key has.", next_step=step)
        asked = Asked(
            _server(self._base_url),
            model or self._model,
            self._api_key,
            text_of(prompt),
            has_images=bool(images),
        )
        reply = asyncio.run(self._ask(messages_of(prompt, images), asked, stop, deadline_s))
        self._watch.replied(reply)
        return reply

    async def _ask(
        self, messages: Messages, asked: Asked, stop: Callable[[], bool], deadline_s: float
    ) -> Reply:
        """Watches over the call: whatever the server does, this ends in time."""
        began = self._clock()
        call = asyncio.create_task(self._answered(messages, asked, began, began + deadline_s))
        try:
            while not call.done():
                left_s = began + deadline_s - self._clock()
                if stop():
                    raise Cancelled
                if left_s <= 0:
                    message = (
                        f"The model {asked.model} did not answer within {deadline_s:.0f} seconds."
                    )
                    raise TimedOut(message, next_step="Try again, or ask for less at once.")
                await asyncio.wait({call}, timeout=min(_POLL_S, left_s))
            return call.result()
        finally:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

    async def _answered(self, messages: Messages, asked: Asked, began: float, ends: float) -> Reply:
        """Tries again where that may help, as long as the deadline is not passed by waiting."""
        for pause_s in (*_BACKOFF_S, None):
            try:
                answer = await self._attempt(messages, asked)
                return self._reply(answer, asked, self._clock() - began)
            except MayPass as fault:
                wait_s = fault.wait_s or pause_s or 0.0
                too_long = fault.wait_s > self._limit_patience_s or self._clock() + wait_s >= ends
                if pause_s is None or too_long:
                    raise fault.error from None
            await self._sleep(wait_s)
            self._watch.retried("model")
        raise AssertionError("the last pause is None")

    async def _attempt(self, messages: Messages, asked: Asked) -> Answer:
        import httpx2
        import openai

        options = self._options()
        try:
            return await self._exchange(messages, asked.model, options)
        except Refused as error:
            refusal = error.refusal
        except (openai.OpenAIError, httpx2.HTTPError, OSError) as error:
            raise unreachable(error, asked) from None
        if self._learns(refusal, options):
            return await self._attempt(messages, asked)
        raise fault_of(refusal, asked)

    async def _exchange(self, messages: Messages, model: str, options: Mapping[str, Any]) -> Answer:
        async with self._client() as client:
            completions = client.chat.completions.with_streaming_response
            wanted = completions.create(model=model, messages=messages, stream=True, **options)
            async with wanted as response:
                return await read_answer(response.iter_bytes(), usage_within_s=self._usage_within_s)

    def _client(self) -> AsyncOpenAI:
        import httpx2
        import openai

        timeout = httpx2.Timeout(self._silence_s, connect=_CONNECT_S)
        http = openai.DefaultAsyncHttpxClient(
            verify=self._tls,
            timeout=timeout,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [check_head]},
        )
        # without a key the library would look for one in the environment; local servers want none
        key = self._api_key or "none"
        return openai.AsyncOpenAI(
            base_url=self._base_url, api_key=key, max_retries=0, timeout=timeout, http_client=http
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once: reading the machine's certificates takes longer than a request."""
        import httpx2

        return httpx2.create_ssl_context()

    def _options(self) -> dict[str, Any]:
        """`max_completion_tokens` is OpenAI's newer name; older servers take it for nothing and set
        no limit."""
        options: dict[str, Any] = {"stream_options": {"include_usage": True}}
        if self._max_reply_tokens is not None:
            name = "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens"
            options[name] = self._max_reply_tokens
        return {name: value for name, value in options.items() if name not in self._refused}

    def _learns(self, refusal: Refusal, sent: Iterable[str]) -> bool:
        """Whether the server refused an option that was sent, which is left out from now on."""
        if refusal.status not in (400, 422) or refusal.is_too_long:
            return False
        refused = {name for name in sent if name in refusal.words}
        self._refused |= refused
        return bool(refused)

    def _reply(self, answer: Answer, asked: Asked, seconds: float) -> Reply:
        text = _without_thinking(answer.text)
        if not text.strip():
            raise _empty(answer, asked)
        if answer.finish == "content_filter":
            raise fault_of(FILTERED, asked)
        usage = answer.usage or _estimated(asked.prompt, answer.text)
        cost = usage.cost
        if cost is None and asked.model in self._prices:
            cost = self._prices[asked.model].cost_usd(usage)
        return Reply(
            text=text,
            finish="length" if answer.finish in (None, "length") else "stop",
            model=answer.model or asked.model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=seconds,
            cached_tokens=usage.cached_tokens,
            tokens_are_estimated=answer.usage is None,
            cost_usd=cost,
        )


def _empty(answer: Answer, asked: Asked) -> Exception:
    """Why there is no text."""
    if answer.refusal:
        message = f"The model {asked.model} refused{quoted(answer.refusal, asked)}."
        return Unworkable(message, next_step="Put the request in other words.")
    if answer.finish == "content_filter":
        return fault_of(FILTERED, asked)
    if answer.finish == "length":
        message = (
            f"The model {asked.model} used up the length of its reply before it said anything."
        )
        step = (
            "Let the operator raise TINYGEN_MAX_REPLY_TOKENS, or the server's own limit, or use"
            " another model."
        )
        return OutsideError(message, next_step=step)
    if answer.finish == "tool_calls":
        message = f"The model {asked.model} called tools, though it was offered none."
        return OutsideError(
            message, next_step="Let the operator turn that off at the server, or use another model."
        )
    return MayPass(OutsideError(f"The model {asked.model} answered nothing.", next_step=TRY_LATER))


def _without_thinking(text: str) -> str:
    """Some servers leave a reasoning model's thoughts in front of its reply; edits in them were not
    meant."""
    if not text.lstrip().startswith("<think>"):
        return text
    return text.partition("</think>")[2].lstrip()


def _estimated(prompt: str, reply: str) -> Usage:
    tokens = [
        math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)
        for text in (prompt, reply)
    ]
    return Usage(prompt_tokens=tokens[0], completion_tokens=tokens[1])


def _server(base_url: str) -> str:
    """Host and port: what else a URL may hold is not for the public."""
    url = urlsplit(base_url)
    return f"{url.hostname}:{url.port}" if url.port else str(url.hostname)
