"""Reading what a model's server sends, streamed or whole.

The bytes are read here and not by the client library, which ends a cut stream as if it were
complete, takes a web page for an answer, and trusts every field to have OpenAI's type. Nothing of
it is believed to be short or true: each number, name and text has a bound, and so has the work of
reading them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, field_validator

from bot.adapters.model.errors import Refusal, Refused, read_refusal

_LONGEST_REPLY_CHARS = 2_000_000
_LONGEST_REFUSAL_CHARS = 4_000
_LONGEST_NAME_CHARS = 100
_LONGEST_LINE_BYTES = 4_000_000
"""Of a stream, and of an answer that is none. JSON may take 24 times that in memory (measured with
`[],[],[]`)."""
_MOST_BYTES = 64_000_000
_MOST_LINES = 1_000_000
"""Of a whole stream. A reply of 128,000 tokens after as many of thoughts is some 50 MB in 512,000
lines: there is one event for each token, of up to 200 bytes, and a blank line after it."""
_MOST_TOKENS = 10**9
_MOST_USD = 10**6


@dataclass(frozen=True, slots=True)
class Usage:
    """`cost` is OpenRouter's, in US dollars. The cached tokens are among those of the prompt."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cost: float | None = None


def _read_usage(given: object) -> Usage | None:
    """None where it holds no counts, or none that can be true."""
    if not isinstance(given, dict):
        return None
    prompt, completion = _count(given.get("prompt_tokens")), _count(given.get("completion_tokens"))
    if not prompt or completion is None:
        return None
    details = given.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(prompt, completion, min(cached or 0, prompt), _cost(given.get("cost")))


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None


def _cost(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MOST_USD else None  # which no NaN is


def _name(value: object) -> str | None:
    is_name = (
        isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME_CHARS and value.isprintable()
    )
    return str(value) if is_name else None


def _first(value: object) -> object:
    """One choice was asked for: others are not even looked at."""
    return value[:1] if isinstance(value, list) else value


Name = Annotated[str | None, BeforeValidator(_name)]


class _Words(BaseModel):
    """A delta or a whole message. Some servers send `content` as parts, the model's thinking among
    them."""

    content: str = ""
    refusal: str = ""

    @field_validator("content", "refusal", mode="before")
    @classmethod
    def _said(cls, value: object) -> str:
        if isinstance(value, list):
            parts = (
                part.get("text")
                for part in value
                if isinstance(part, dict) and part.get("type") == "text"
            )
            return "".join(part for part in parts if isinstance(part, str))
        return value if isinstance(value, str) else ""


class _Choice(BaseModel):
    delta: _Words | None = None
    message: _Words | None = None
    finish_reason: Name = None


class _Event(BaseModel):
    model: Name = None
    choices: Annotated[list[_Choice] | None, BeforeValidator(_first)] = None
    usage: Annotated[Usage | None, BeforeValidator(_read_usage)] = None
    error: object | None = None


@dataclass(slots=True)
class Answer:
    """What was received. `finish` None: it ended without a reason, so `text` may be cut."""

    refusal: str = ""
    finish: str | None = None
    model: str | None = None
    usage: Usage | None = None
    is_stream: bool = False
    _said: list[str] = field(default_factory=list)
    _left_chars: int = _LONGEST_REPLY_CHARS
    _other: list[bytes] = field(default_factory=list)
    """Lines that are no part of an event stream."""
    _left_bytes: int = _LONGEST_LINE_BYTES

    @property
    def text(self) -> str:
        """Servers that cut between bytes send a surrogate pair in two halves: these are joined, and
        one that stays alone becomes U+FFFD."""
        text = "".join(self._said)[:_LONGEST_REPLY_CHARS]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def take(self, line: bytes) -> bool:
        """False where nothing more is to be read."""
        if line.startswith(b"data:"):
            self.is_stream = True
            event = line[5:].strip()
            return not event or (event != b"[DONE]" and self._add(event))
        if not self.is_stream and not line.startswith((b":", b"event:", b"id:", b"retry:")):
            self._other.append(line)
            self._left_bytes -= len(line)
        return self._left_chars > 0 and self._left_bytes >= 0

    def end(self) -> None:
        """Reads what was no stream: a whole reply, or an error although the status was 200."""
        body = b"\n".join(self._other).strip()
        if self.is_stream or not body:
            return
        if body.startswith(b"<"):
            raise Refused(Refusal(404, "", "it answered with a web page"))
        if not self._add(body):
            raise Refused(Refusal(502, "", "it answered with something unreadable"))

    def _add(self, event: bytes) -> bool:
        """False where the event cannot be read: what follows belongs to nothing."""
        try:
            read = _Event.model_validate(json.loads(event))
        except (
            ValueError,
            RecursionError,
        ):  # pydantic's error is a ValueError, and so is one of UTF-8
            return False
        if read.error or (read.choices is None and read.usage is None and not self.is_stream):
            raise Refused(read_refusal(200, event))
        self.model = read.model or self.model
        self.usage = read.usage or self.usage
        for choice in read.choices or ():
            words = choice.delta or choice.message or _Words()
            self._said.append(words.content)
            self._left_chars -= len(words.content)
            self.refusal = (self.refusal + words.refusal[:_LONGEST_REFUSAL_CHARS])[
                :_LONGEST_REFUSAL_CHARS
            ]
            self.finish = choice.finish_reason or self.finish
        if self.finish == "error":
            raise Refused(Refusal(502, "", "the model's provider failed while it answered"))
        return True


async def read_answer(pieces: AsyncIterator[bytes], *, usage_within_s: float) -> Answer:
    """The answer, however it was sent. A connection that breaks after some text cuts it, and is no
    error.

    `usage_within_s` is how long usage is waited for after the reply's end: some servers never send
    it, and keep the connection open.
    """
    import httpx2

    answer = Answer()
    try:
        async with asyncio.timeout(None) as patience:
            async for line in _lines(pieces):
                if not answer.take(line):
                    break
                if answer.finish and patience.when() is None:
                    patience.reschedule(asyncio.get_running_loop().time() + usage_within_s)
    except (httpx2.HTTPError, OSError):  # OSError: TimeoutError, and what TLS raises as it is
        if not answer.text and not answer.finish:
            raise
    answer.end()
    return answer


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Split at line feeds only: JSON may hold every other character that counts as a line's end
    somewhere."""
    rest, left_bytes, left_lines = bytearray(), _MOST_BYTES, _MOST_LINES
    async for piece in pieces:
        *ends, begin = piece.split(b"\n")
        for end in ends:
            yield bytes(rest + end).rstrip(b"\r")
            rest.clear()
        rest += begin
        left_bytes -= len(piece)
        left_lines -= len(ends)
        if len(rest) > _LONGEST_LINE_BYTES or left_bytes < 0 or left_lines < 0:
            return
    yield bytes(rest)
