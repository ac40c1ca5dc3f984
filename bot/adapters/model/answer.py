"""Reading what a model's server sends, streamed or whole.

The bytes are read here and not by the client library, which ends a cut stream as if it were complete, takes a web page
for an answer, and trusts every field to have OpenAI's type.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError, field_validator

from bot.adapters.model.faults import Refusal, Refused, read_refusal

_LONGEST_REPLY_CHARS = 2_000_000
_LONGEST_LINE_BYTES = 8_000_000


class _Words(BaseModel):
    """A delta or a whole message. Some servers send `content` as parts, the model's thinking among them."""

    content: str = ""
    refusal: str = ""

    @field_validator("content", "refusal", mode="before")
    @classmethod
    def _said(cls, value: object) -> str:
        if isinstance(value, list):
            parts = (part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text")
            return "".join(part for part in parts if isinstance(part, str))
        return value if isinstance(value, str) else ""


class _Choice(BaseModel):
    delta: _Words | None = None
    message: _Words | None = None
    finish_reason: str | None = None


class _Details(BaseModel):
    cached_tokens: int | None = None


class Usage(BaseModel):
    """`cost` is OpenRouter's, in US dollars."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None
    cost: float | None = None

    @property
    def cached_tokens(self) -> int:
        return (self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None) or 0


class _Event(BaseModel):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: Usage | None = None
    error: object | None = None


@dataclass(slots=True)
class Answer:
    """What was received. `finish` None: it ended without a reason, so `text` may be cut."""

    text: str = ""
    refusal: str = ""
    finish: str | None = None
    model: str | None = None
    usage: Usage | None = None
    is_stream: bool = False
    _other: list[bytes] = field(default_factory=list)
    """Lines that are no part of an event stream."""

    def take(self, line: bytes) -> bool:
        """False where nothing more is to be read."""
        if line.startswith(b"data:"):
            self.is_stream = True
            event = line[5:].strip()
            return not event or (event != b"[DONE]" and self._add(event))
        if not self.is_stream and not line.startswith((b":", b"event:", b"id:", b"retry:")):
            self._other.append(line)
        return len(self.text) < _LONGEST_REPLY_CHARS

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
            read = _Event.model_validate_json(event)
        except ValidationError:
            return False
        if read.error or (read.choices is None and read.usage is None and not self.is_stream):
            raise Refused(read_refusal(200, event))
        self.model = read.model or self.model
        self.usage = read.usage or self.usage
        for choice in (read.choices or ())[:1]:
            words = choice.delta or choice.message or _Words()
            self.text += words.content
            self.refusal += words.refusal
            self.finish = choice.finish_reason or self.finish
        if self.finish == "error":
            raise Refused(Refusal(502, "", "the model's provider failed while it answered"))
        return True


async def read_answer(pieces: AsyncIterator[bytes], *, usage_within_s: float) -> Answer:
    """The answer, however it was sent. A connection that breaks after some text cuts it, and is no error.

    `usage_within_s` is how long usage is waited for after the reply's end: some servers never send it, and keep the
    connection open.
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
    """Split at line feeds only: JSON may hold every other character that counts as a line's end somewhere."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r")
        if len(rest) > _LONGEST_LINE_BYTES:
            return
    yield rest
