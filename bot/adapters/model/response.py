"""Reads the answer of a model's server, streamed or whole.

The bytes are read here and not by the client library: its parser ends a cut stream as if it were
complete, takes a web page for an answer, expects OpenAI's type in each field, and has no limit.
Here each number, name and text has a limit, and so has the work of reading them.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, field_validator

from bot.adapters.model.errors import ApiError, ErrorAnswer, parse_error

_MAX_REPLY_CHARS = 2_000_000
_MAX_REFUSAL_CHARS = 4_000
_MAX_NAME_CHARS = 100
_MAX_LINE_BYTES = 4_000_000
"""Of a stream's line, and of an answer that is not streamed. Parsed JSON may take 24 times that in
memory (measured with `[],[],[]`)."""
_MAX_STREAM_BYTES = 64_000_000
_MAX_STREAM_LINES = 1_000_000
"""A reply of 128,000 tokens after as many of reasoning is some 50 MB in 512,000 lines: each token
is an event of up to 200 bytes, followed by a blank line."""
_MAX_TOKENS = 10**9
_MAX_COST_USD = 10**6

_CUT = re.compile("length|max|limit|exceeded|resource|abort|cancel|timeout", re.IGNORECASE)
_FILTERED = re.compile(
    "content_?filter(?:ed)?|safety|recitation|blocklist|prohibited_content|spii|sensitive",
    re.IGNORECASE,
)


async def read_completion(chunks: AsyncIterator[bytes], *, usage_wait_s: float) -> Completion:
    """The answer, in whichever form it was sent. If the connection breaks after some text, that
    text is returned.

    `usage_wait_s` limits the wait for the usage after the end of the reply: some servers never send
    it, and keep the connection open.
    """
    import httpx2

    completion = Completion()
    try:
        async with asyncio.timeout(None) as timeout:
            async for line in _split_lines(chunks):
                if not completion.add_line(line):
                    break
                if completion.finish and timeout.when() is None:
                    timeout.reschedule(asyncio.get_running_loop().time() + usage_wait_s)
    except (httpx2.HTTPError, OSError):  # OSError: TimeoutError, and errors of TLS
        if not completion.text and not completion.finish:
            raise
    completion.parse_unstreamed()
    return completion


async def _split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines end at line feeds only: JSON may hold each other character that ends a line somewhere
    else. The lines end when a limit is passed."""
    rest = bytearray()
    left_bytes = _MAX_STREAM_BYTES
    left_lines = _MAX_STREAM_LINES
    async for chunk in chunks:
        *ends, start = chunk.split(b"\n")
        for end in ends:
            yield bytes(rest + end).rstrip(b"\r")
            rest.clear()
        rest += start
        left_bytes -= len(chunk)
        left_lines -= len(ends)
        if len(rest) > _MAX_LINE_BYTES or left_bytes < 0 or left_lines < 0:
            return
    yield bytes(rest)


@dataclass(frozen=True, slots=True)
class Usage:
    """`cost` is in US dollars; only OpenRouter sends it. `cached_tokens` are among the
    `prompt_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cost: float | None = None


@dataclass(slots=True)
class Completion:
    """What was received. `finish` is the server's reason; without one, the text may be cut."""

    refusal: str = ""
    finish: str | None = None
    model: str | None = None
    usage: Usage | None = None
    is_stream: bool = False
    has_reasoning: bool = False
    """Whether the server sent reasoning beside the text."""
    has_tool_calls: bool = False
    _texts: list[str] = field(default_factory=list)
    _left_chars: int = _MAX_REPLY_CHARS
    _unstreamed: list[bytes] = field(default_factory=list)
    """Lines that belong to no event stream."""
    _left_bytes: int = _MAX_LINE_BYTES

    @property
    def is_cut(self) -> bool:
        """Whether the reply ended before its end. Servers name the reasons in many ways: `length`,
        `MAX_TOKENS`, `model_context_window_exceeded`, `insufficient_system_resource`, `abort`."""
        return self.finish is None or _CUT.search(self.finish) is not None

    @property
    def is_filtered(self) -> bool:
        return self.finish is not None and _FILTERED.fullmatch(self.finish) is not None

    @property
    def text(self) -> str:
        """Servers that cut between bytes send a surrogate pair in two halves. They are joined here;
        a single half becomes U+FFFD."""
        text = "".join(self._texts)[:_MAX_REPLY_CHARS]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def add_line(self, line: bytes) -> bool:
        """False if nothing more is to be read."""
        if line.startswith(b"data:"):
            self.is_stream = True
            event = line[5:].strip()
            if not event:
                return True
            return event != b"[DONE]" and self._add_event(event)
        if not self.is_stream and not line.startswith((b":", b"event:", b"id:", b"retry:")):
            self._unstreamed.append(line)
            self._left_bytes -= len(line)
        return self._left_chars > 0 and self._left_bytes >= 0

    def parse_unstreamed(self) -> None:
        """Reads an answer that was no stream: a whole reply, or an error although the status was
        200."""
        body = b"\n".join(self._unstreamed).strip()
        if self.is_stream or not body:
            return
        if body.startswith(b"<"):
            raise ErrorAnswer(ApiError(404, "", "it answered with a web page"))
        if not self._add_event(body):
            raise ErrorAnswer(ApiError(502, "", "it answered with something unreadable"))

    def _add_event(self, body: bytes) -> bool:
        """False if the event cannot be read: what follows would be out of order. What is no object,
        such as `ping`, is no event of a reply."""
        if self.is_stream and not body.startswith(b"{"):
            return True
        try:
            event = _Event.model_validate(json.loads(body))
        except (ValueError, RecursionError):  # errors of pydantic and of UTF-8 are ValueErrors
            return False
        is_empty = event.choices is None and event.usage is None
        if event.error or (is_empty and not self.is_stream):
            raise ErrorAnswer(parse_error(200, body))
        self.model = event.model or self.model
        self.usage = event.usage or self.usage
        for choice in event.choices or ():
            self._add_choice(choice)
        if self.finish == "error":
            raise ErrorAnswer(ApiError(502, "", "the model's provider failed while it answered"))
        return True

    def _add_choice(self, choice: _Choice) -> None:
        message = choice.delta or choice.message or _Message()
        self._texts.append(message.content)
        self._left_chars -= len(message.content)
        self.has_reasoning = self.has_reasoning or message.has_reasoning
        self.has_tool_calls = self.has_tool_calls or bool(message.tool_calls)
        refusal = self.refusal + message.refusal[:_MAX_REFUSAL_CHARS]
        self.refusal = refusal[:_MAX_REFUSAL_CHARS]
        self.finish = choice.finish_reason or self.finish


def _parse_usage(value: object) -> Usage | None:
    """None if it holds no counts, or impossible ones."""
    if not isinstance(value, dict):
        return None
    prompt_tokens = _parse_count(value.get("prompt_tokens"))
    completion_tokens = _parse_count(value.get("completion_tokens"))
    if not prompt_tokens or completion_tokens is None:
        return None
    details = value.get("prompt_tokens_details")
    cached_tokens = _parse_count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return Usage(
        prompt_tokens,
        completion_tokens,
        min(cached_tokens or 0, prompt_tokens),
        _parse_cost(value.get("cost")),
    )


def _parse_count(value: object) -> int | None:
    """Some servers count in floats; a bool is no count."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _MAX_TOKENS and value == int(value) else None


def _parse_cost(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MAX_COST_USD else None  # None for NaN too


def _parse_name(value: object) -> str | None:
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value if 0 < len(value) <= _MAX_NAME_CHARS else None


def _first_item(value: object) -> object:
    """One choice was asked for: others are not even checked."""
    return value[:1] if isinstance(value, list) else value


_Name = Annotated[str | None, BeforeValidator(_parse_name)]


class _Message(BaseModel):
    """A whole message, or a piece of one."""

    content: str = ""
    refusal: str = ""
    reasoning_content: object = None
    reasoning: object = None
    tool_calls: object = None

    @property
    def has_reasoning(self) -> bool:
        return bool(self.reasoning_content or self.reasoning)

    @field_validator("content", "refusal", mode="before")
    @classmethod
    def _join_text(cls, value: object) -> str:
        """Some servers send `content` as a list of parts; only those of text belong to the reply,
        others hold the reasoning."""
        if isinstance(value, str):
            return value
        if not isinstance(value, list):
            return ""
        texts: list[str] = []
        for part in value:
            if isinstance(part, dict) and part.get("type") == "text":
                text = part.get("text")
                if isinstance(text, str):
                    texts.append(text)
        return "".join(texts)


class _Choice(BaseModel):
    """`delta` in a stream, else `message`."""

    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: _Name = None


class _Event(BaseModel):
    model: _Name = None
    choices: Annotated[list[_Choice] | None, BeforeValidator(_first_item)] = None
    usage: Annotated[Usage | None, BeforeValidator(_parse_usage)] = None
    error: object | None = None
