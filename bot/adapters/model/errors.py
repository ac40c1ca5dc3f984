"""What a model's server means by refusing: who acts next, and whether asking again may help.

Servers that speak OpenAI's protocol agree on status codes and little else, so the words of an error
are looked at too. They are quoted only where they hold neither the key nor anything of the prompt.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pydantic import JsonValue, TypeAdapter, ValidationError

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

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_LONGEST_ERROR_BYTES = 64 * 1024
_LONGEST_LINE_CHARS = 4_000
_LONGEST_WAIT_S = 86_400.0
_QUOTED_CHARS = 200
_ECHO_CHARS = 20
"""So many characters in a row that the prompt holds too are taken for a piece of the prompt."""

_TOO_LONG = (
    "context_length_exceeded",  # OpenAI, Azure, vLLM
    "exceed_context_size",  # llama.cpp
    "available context size",
    "maximum context length",
    "context window",
    "prompt is too long",
    "request too large",  # OpenAI: more than the account's tokens per minute, so waiting does not help
)
_NO_CREDIT = (
    "insufficient_quota",
    "billing_hard_limit",
    "billing_not_active",
    "insufficient credits",
)
_FILTERED = ("content_filter", "content_policy", "content management policy")
_IMAGES = ("image", "multimodal", "multi-modal", "vision")
_PASSING = frozenset({408, 409, 425, 429})


class MayPass(Exception):
    """The same request may succeed later. `wait_s` is what the server asked for, 0 where it did not
    say."""

    def __init__(self, error: OutsideError) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = error.retry_in_s or 0.0


class Refused(Exception):
    """An error in place of an answer, not yet judged."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Asked:
    """What the words of an error are checked against. `server` is its host and port."""

    server: str
    model: str
    api_key: str | None = field(repr=False)
    prompt: str = field(repr=False)
    has_images: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer, in whichever form: a status of its own, within a body, or within a
    stream."""

    status: int
    words: str
    """All of the error's text, codes included, on one line."""
    message: str
    """The part of it that is meant for people."""
    wait_s: float | None = None

    @property
    def may_mean_images(self) -> bool:
        """Servers say it in as many ways as there are servers: what they name, or a request they do
        not understand."""
        if self.says(_FILTERED) or self.status in _PASSING or self.status in (401, 402, 403):
            return False
        return (
            self.says(_IMAGES)
            or self.status == 413
            or (self.status in (400, 415, 422) and not self.is_too_long)
        )

    @property
    def is_too_long(self) -> bool:
        return self.status == 413 or self.says(_TOO_LONG)

    def says(self, signs: tuple[str, ...]) -> bool:
        return any(sign in self.words.lower() for sign in signs)


def read_refusal(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Refusal:
    """`status` 200: the body is an error all the same, and may hold a status of its own."""
    try:
        error = _JSON.validate_json(body[:_LONGEST_ERROR_BYTES])
    except ValidationError:
        error = None
    if isinstance(error, dict):
        error = error.get("error") or error
    wait_s = _wait_s(headers or {})
    if isinstance(error, dict):
        inner = error.get("code")
        if status == 200:
            status = inner if isinstance(inner, int) and 400 <= inner < 600 else 502
        named = [
            str(error[name])
            for name in ("code", "type", "param", "message", "detail")
            if error.get(name)
        ]
        message = error.get("message") or error.get("detail")
        return Refusal(
            status,
            _line(" ".join(named)),
            _line(message if isinstance(message, str) else ""),
            wait_s,
        )
    words = error if isinstance(error, str) else body[:_LONGEST_LINE_CHARS].decode(errors="replace")
    message = error if isinstance(error, str) else ""
    return Refusal(502 if status == 200 else status, _line(words), _line(message), wait_s)


async def check_head(response: httpx2.Response) -> None:
    """Raises Refused for all but an answer that can be read as it comes: no redirect is followed,
    since the key and the prompt are for this server alone, and nothing is unpacked, since a few
    bytes may become gigabytes."""
    status = response.status_code
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise Refused(Refusal(status, "", "", _wait_s(response.headers)))
    if 300 <= status < 400:
        raise Refused(Refusal(status, "", ""))
    if not response.is_success:
        raise Refused(read_refusal(status, await _beginning(response), response.headers))


async def _beginning(response: httpx2.Response) -> bytes:
    """As much of an error as is read."""
    import httpx2

    body = b""
    with suppress(httpx2.HTTPError, OSError):  # its status says enough
        async for piece in response.aiter_raw():
            body += piece
            if len(body) >= _LONGEST_ERROR_BYTES:
                break
    return body


def _line(text: str) -> str:
    """One line, in which every character prints."""
    return " ".join(
        "".join(sign if sign.isprintable() else " " for sign in text[:_LONGEST_LINE_CHARS]).split()
    )


def _wait_s(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms` is OpenAI's own; `Retry-After` is seconds or a date. More than a day counts
    as one."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "")
        try:
            seconds = float(text) * unit_s
        except ValueError:
            continue
        if math.isfinite(seconds):
            return min(max(seconds, 0.0), _LONGEST_WAIT_S)
    try:
        seconds = parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time()
        return min(max(seconds, 0.0), _LONGEST_WAIT_S)
    except (ValueError, OverflowError):
        return None


def fault_of(refusal: Refusal, asked: Asked) -> TinyGenError | MayPass:
    """What to raise."""
    said = quoted(refusal.message, asked)
    model, server = asked.model, asked.server
    if refusal.says(_NO_CREDIT) or refusal.status == 402:
        step = (
            "Add credit to that account, or set OPENAI_API_KEY and OPENAI_BASE_URL to another one."
        )
        return SetupError(
            f"The account at {server} has no credit left for the model.", next_step=step
        )
    if asked.has_images and refusal.may_mean_images:
        message = f"The model {model} takes no images, or not these{said}."
        return ImagesRefused(message, next_step="Leave the model out of TINYGEN_VISION.")
    if refusal.is_too_long:
        step = "Show it less, or lower TINYGEN_CONTEXT_TOKENS."
        return ContextTooLong(
            f"The request is longer than the model {model} can take.", next_step=step
        )
    if refusal.says(_FILTERED):
        message = f"The content filter at {server} refused this request."
        return Unworkable(
            message,
            next_step="Put the request in other words, or ask the operator for another model.",
        )
    if refusal.status in _PASSING or refusal.status >= 500:
        message = f"The model's server {server} answered {refusal.status}{said}."
        return MayPass(OutsideError(message, next_step=TRY_LATER, retry_in_s=refusal.wait_s))
    return _final(refusal, asked, said)


def unreachable(error: BaseException, asked: Asked) -> TinyGenError | MayPass:
    """What to raise where the connection failed. `error` is looked through to its first cause."""
    first: BaseException = error
    while first.__cause__ or first.__context__:
        first = first.__cause__ or first.__context__ or first
    if isinstance(first, ssl.SSLCertVerificationError):
        message = f"The certificate of the model's server {asked.server} is not trusted here."
        return SetupError(
            message,
            next_step="Add the authority that signed it to the file that SSL_CERT_FILE names.",
        )
    message = f"The model's server {asked.server} did not answer ({type(first).__name__})."
    return MayPass(OutsideError(message, next_step=TRY_LATER))


def _final(refusal: Refusal, asked: Asked, said: str) -> TinyGenError:
    server, model = asked.server, asked.model
    if refusal.status < 300:
        message = f"The model's server {server} compressed its answer, though it was asked not to."
        step = (
            "Turn compression off there, or in the proxy before it, or set OPENAI_BASE_URL to"
            " another server."
        )
        return SetupError(message, next_step=step)
    if refusal.status < 400:
        message = (
            f"The model's server {server} answered {refusal.status}: it leads elsewhere, where the"
            " key may not go."
        )
        return SetupError(
            message, next_step="Set OPENAI_BASE_URL to the address of the server itself."
        )
    if refusal.status == 401:
        return SetupError(
            f"{server} does not accept the API key.",
            next_step="Set OPENAI_API_KEY to a valid key for it.",
        )
    if refusal.status == 403:
        step = "Check what the key may use, or set OPENAI_MODEL to a model that it may."
        return SetupError(
            f"{server} does not let this key use the model {model}{said}.", next_step=step
        )
    if refusal.status == 404 or refusal.says(
        ("model_not_found", "invalid model", "model not found")
    ):
        step = (
            "Check OPENAI_MODEL against the server's list of models, and OPENAI_BASE_URL (it mostly"
            " ends in /v1)."
        )
        return SetupError(f"{server} knows no model {model} at that address{said}.", next_step=step)
    message = f"The model's server {server} refused the request with {refusal.status}{said}."
    return OutsideError(
        message, next_step="The operator may have to check OPENAI_BASE_URL and OPENAI_MODEL."
    )


def quoted(text: str, asked: Asked) -> str:
    """The text in brackets, shortened; nothing where it holds the key or a piece of the prompt."""
    message = _line(text)[:_QUOTED_CHARS].rstrip(" .")
    said = _letters(message)
    if not said or (asked.api_key and _letters(asked.api_key) in _letters(text)):
        return ""
    windows = {said[at : at + _ECHO_CHARS] for at in range(max(1, len(said) - _ECHO_CHARS + 1))}
    prompt = _letters(asked.prompt)
    return "" if any(window in prompt for window in windows) else f" ({message})"


def _letters(text: str) -> str:
    """What makes no difference to a reader is left out: case, and white space."""
    return "".join(text.casefold().split())


FILTERED = Refusal(400, _FILTERED[0], "")
TRY_LATER = "Try again in a few minutes."
