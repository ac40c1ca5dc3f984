"""What an error of a model's server means: who must act next, and whether a retry may help.

Servers that speak OpenAI's protocol agree on status codes and little else, so the error's text is
searched too. It is quoted only if it holds neither the key nor a part of the prompt.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import JsonValue, TypeAdapter, ValidationError

from bot.adapters.http import clamp_wait_s, parse_number, parse_retry_after
from bot.errors import (
    ContextTooLong,
    ImagesRefused,
    OutsideError,
    SetupError,
    TinyGenError,
    Unworkable,
)

if TYPE_CHECKING:
    import httpx2

TRY_LATER = "Try again in a few minutes."

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_MAX_ERROR_BYTES = 64 * 1024
_MAX_LINE_CHARS = 4_000
_MAX_QUOTE_CHARS = 200
_MIN_ECHO_CHARS = 20
"""As many characters in a row that are in the prompt too count as a part of the prompt."""

_TOO_LONG = (
    "context_length_exceeded",  # OpenAI, Azure, vLLM
    "exceed_context_size",  # llama.cpp
    "context size",
    "context length",  # vLLM, SGLang, LM Studio, Ollama, Mistral
    "context limit",  # Bedrock
    "context window",
    "prompt is too long",
    "prompt too long",  # Ollama
    "input is too long",  # Bedrock
    "maximum prompt length",  # xAI
    "input token count",  # Gemini
    "`inputs` must have less",  # TGI
    "`max_new_tokens` must be",  # TGI
    "too many tokens",  # Cohere
    "reduce the length of the messages",  # Groq
    "request too large",  # OpenAI: more than the account's tokens per minute; waiting does not help
)
_NO_CREDIT = (
    "insufficient_quota",
    "billing_hard_limit",
    "billing_not_active",
    "insufficient credits",
)
_FILTERED = ("content_filter", "content_policy", "content management policy")
_IMAGES = ("image", "multimodal", "multi-modal", "vision")
_BAD_KEY = ("invalid_api_key", "invalid api key", "incorrect api key", "api key not valid")
_NO_MODEL = ("model_not_found", "invalid model", "model not found")
_TEMPORARY = frozenset({408, 409, 425, 429})


class RetryableError(Exception):
    """The same request may succeed later. `wait_s` is what the server asked for, 0 if it named no
    time."""

    def __init__(self, error: OutsideError) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = error.retry_in_s or 0.0


class ErrorAnswer(Exception):
    """The server answered with an error; `error_for` says what it means."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.status)
        self.error = error


@dataclass(frozen=True, slots=True)
class SentRequest:
    """The request that an error answers, to name it and to keep it out of quotes. `host` is the
    server's: an error may be shown in public, and does not say where the operator's model runs."""

    host: str
    model: str
    api_key: str | None = field(repr=False)
    prompt: str = field(repr=False)
    has_images: bool = False


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error of the server, sent as the answer's status, in its body, or within its stream."""

    status: int
    text: str
    """All of the error's text, with its codes, on one line."""
    message: str
    """The part of it that is meant for people."""
    wait_s: float | None = None

    @property
    def may_mean_images(self) -> bool:
        """Each server refuses images in its own way: it names them, or it does not understand the
        request."""
        if self.mentions(_FILTERED) or self.status in _TEMPORARY | {401, 402, 403}:
            return False
        if self.mentions(_IMAGES) or self.status == 413:
            return True
        return self.status in (400, 415, 422) and not self.is_too_long

    @property
    def is_too_long(self) -> bool:
        return self.status == 413 or self.mentions(_TOO_LONG)

    def mentions(self, phrases: tuple[str, ...]) -> bool:
        text = self.text.lower()
        return any(phrase in text for phrase in phrases)


CONTENT_FILTERED = ApiError(400, _FILTERED[0], "")
"""The error of a server that reports its content filter as the reason of a reply's end."""


async def check_response(response: httpx2.Response) -> None:
    """Raises ErrorAnswer unless the answer succeeded and is not compressed.

    No redirect is followed, since the key and the prompt are for this server only. Nothing is
    decompressed, since a few bytes may become gigabytes.
    """
    status = response.status_code
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise ErrorAnswer(ApiError(status, "", "", _parse_wait_s(response.headers)))
    if 300 <= status < 400:
        raise ErrorAnswer(ApiError(status, "", ""))
    if not response.is_success:
        raise ErrorAnswer(parse_error(status, await _read_start(response), response.headers))


async def _read_start(response: httpx2.Response) -> bytes:
    import httpx2

    body = b""
    with suppress(httpx2.HTTPError, OSError):  # the status alone says enough
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) >= _MAX_ERROR_BYTES:
                break
    return body


def parse_error(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> ApiError:
    """The error in the body. A body of the status 200 may hold another status; without one it
    counts as 502."""
    error = _parse_error_value(body)
    wait_s = _parse_wait_s(headers or {})
    if isinstance(error, dict):
        code = error.get("code")
        if status == 200:
            status = code if isinstance(code, int) and 400 <= code < 600 else 502
        names = ("code", "type", "param", "message", "detail")
        text = " ".join(str(error[name]) for name in names if error.get(name))
        message = error.get("message") or error.get("detail")
        if not isinstance(message, str):
            message = ""
        return ApiError(status, _one_line(text), _one_line(message), wait_s)
    if status == 200:
        status = 502
    if isinstance(error, str):
        return ApiError(status, _one_line(error), _one_line(error), wait_s)
    text = body[:_MAX_LINE_CHARS].decode(errors="replace")
    return ApiError(status, _one_line(text), "", wait_s)


def _parse_error_value(body: bytes) -> JsonValue:
    """What the body says of the error; None if it is no JSON."""
    try:
        value = _JSON.validate_json(body[:_MAX_ERROR_BYTES])
    except ValidationError:
        return None
    if isinstance(value, list) and value:  # Gemini answers with a list of one
        value = value[0]
    return value.get("error") or value if isinstance(value, dict) else value


def _parse_wait_s(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms` is OpenAI's own header, and more exact than `Retry-After`."""
    milliseconds = parse_number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return clamp_wait_s(milliseconds * 0.001)
    return parse_retry_after(headers, time.time())


_ADDRESS = re.compile(r"\b(?:[a-z]{2,10}://\S+|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b)", re.IGNORECASE)
"""Of servers, in what a server says: a proxy names those behind it."""
_HOST = re.compile(r"(?P<name>[\w-]++(?:\.[\w-]++)*+)(?P<port>:\d{1,5}\b)?")
"""What may be the name of a host."""


def _one_line(text: str) -> str:
    """At most 4,000 characters, all of them printable, with single spaces."""
    printable = (char if char.isprintable() else " " for char in text[:_MAX_LINE_CHARS])
    return " ".join("".join(printable).split())


def error_for(error: ApiError, request: SentRequest) -> TinyGenError | RetryableError:
    """The exception to raise for an error of the server."""
    model = request.model
    quote = quote_message(error.message, request)
    if error.mentions(_NO_CREDIT) or error.status == 402:
        return SetupError(
            "The account at the model's server has no credit left.",
            next_step="Add credit to that account, or set OPENAI_API_KEY and OPENAI_BASE_URL to"
            " another one.",
        )
    if request.has_images and error.may_mean_images:
        return ImagesRefused(
            f"The model {model} takes no images, or not these{quote}.",
            next_step="Leave the model out of TINYGEN_VISION.",
        )
    if error.is_too_long:
        return ContextTooLong(
            f"The request is longer than the model {model} can take.",
            next_step="Show it less, or lower TINYGEN_CONTEXT_TOKENS.",
        )
    if error.mentions(_FILTERED):
        return Unworkable(
            "The content filter of the model's server refused this request.",
            next_step="Put the request in other words, or ask the operator for another model.",
        )
    if error.status in _TEMPORARY or error.status >= 500:
        message = f"The model's server answered {error.status}{quote}."
        return RetryableError(OutsideError(message, next_step=TRY_LATER, retry_in_s=error.wait_s))
    return _final_error(error, request, quote)


def _final_error(error: ApiError, request: SentRequest, quote: str) -> TinyGenError:
    """The exception if no retry helps and little but the status tells the cause."""
    model = request.model
    if error.status < 300:
        return SetupError(
            "The model's server compressed its answer, though it was asked not to.",
            next_step="Turn compression off there, or in the proxy before it, or set"
            " OPENAI_BASE_URL to another server.",
        )
    if error.status < 400:
        return SetupError(
            f"The model's server answered {error.status}: it leads elsewhere, where the"
            " key may not go.",
            next_step="Set OPENAI_BASE_URL to the address of the server itself.",
        )
    if error.status == 401 or error.mentions(_BAD_KEY):
        return SetupError(
            "The model's server does not accept the API key.",
            next_step="Set OPENAI_API_KEY to a valid key for it.",
        )
    if error.status == 403:
        return SetupError(
            f"The model's server does not let this key use the model {model}{quote}.",
            next_step="Check what the key may use, or set OPENAI_MODEL to a model that it may.",
        )
    if error.status == 404 or error.mentions(_NO_MODEL):
        return SetupError(
            f"The model's server knows no model {model} at that address{quote}.",
            next_step="Check OPENAI_MODEL against the server's list of models, and"
            " OPENAI_BASE_URL (it mostly ends in /v1).",
        )
    return OutsideError(
        f"The model's server refused the request with {error.status}{quote}.",
        next_step="The operator may have to check OPENAI_BASE_URL and OPENAI_MODEL.",
    )


def connection_error(error: BaseException) -> TinyGenError | RetryableError:
    """The exception to raise for a connection that failed. Its first cause decides."""
    cause = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return SetupError(
            "The certificate of the model's server is not trusted here.",
            next_step="Add the authority that signed it to the file that SSL_CERT_FILE names.",
        )
    message = f"The model's server did not answer ({type(cause).__name__})."
    step = "Try again in a few minutes; if it stays so, check OPENAI_BASE_URL."
    return RetryableError(OutsideError(message, next_step=step))


def quote_message(text: str, request: SentRequest) -> str:
    """The text in brackets, shortened and without addresses; "" if it holds the key or a part of the
    prompt."""
    message = _one_line(text)[:_MAX_QUOTE_CHARS].rstrip(" .")
    message = _HOST.sub(
        lambda found: "…" if _is_host(found, request.host) else found[0],
        _ADDRESS.sub("…", message),
    )
    quoted = _normalize(message)
    if not quoted:
        return ""
    if request.api_key and _normalize(request.api_key) in _normalize(text):
        return ""
    prompt = _normalize(request.prompt)
    for start in range(max(1, len(quoted) - _MIN_ECHO_CHARS + 1)):
        if quoted[start : start + _MIN_ECHO_CHARS] in prompt:
            return ""
    return f" ({message})"


def _is_host(found: re.Match[str], host: str) -> bool:
    """A name without a dot or a port, as `model`, may be a word."""
    is_address = "." in found["name"] or found["port"] is not None
    return is_address and found["name"].lower() == host.lower()


def _normalize(text: str) -> str:
    """The text without case and white space: an echo may differ in them."""
    return "".join(text.casefold().split())
