"""What an error answer of GitHub means: who must act next, and how long to wait.

Pure functions of a response. GitHub's own message is quoted, shortened, because it often names the
cause. It never holds the token, since one that a proxy sends back is masked.
"""

from __future__ import annotations

import math

import httpx
from pydantic import BaseModel, ValidationError

from bot.adapters.http import clamp_wait_s, parse_http_date, parse_number, parse_retry_after
from bot.errors import BadRequest, NotFound, NotPermitted, OutsideError, SetupError, TinyGenError

TRY_LATER = "Try again in a few minutes; GitHub's status page tells of outages."

_CHECK_SETTINGS = (
    "Run `python -m bot doctor`: it checks GITHUB_APP_ID, GITHUB_PRIVATE_KEY, GITHUB_TOKEN and the"
    " clock."
)
_FIX_REQUEST = "Mend what GitHub names there, then ask again."
_CHECK_NAME = "Check the name, and that the App is installed on this repository and may see it."
_RATE_LIMIT_PHRASES = ("rate limit", "abuse detection")
_DEFAULT_LIMIT_S = 60.0
"""https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: "wait for at
least one minute"."""
_SEARCHED_BYTES = 2_000
_MAX_ERROR_BYTES = 64 * 1024
_MAX_QUOTE_CHARS = 300


class UnclearOutcome(OutsideError):
    """Whether GitHub did what was asked is unknown: check before asking again. It never leaves this
    adapter."""


def error_for(response: httpx.Response, purpose: str, token: str | None) -> TinyGenError:
    """The exception for an error answer. `purpose` completes "TinyGen could not ..."."""
    status = response.status_code
    text = _first_text(response)
    quote = quote_message(response, token)
    message = f"TinyGen could not {purpose}: GitHub answered {status} ({quote})."
    match status:
        case 401:
            return SetupError(message, next_step=_CHECK_SETTINGS)
        case 403:
            permissions = response.headers.get("x-accepted-github-permissions", "")
            return _forbidden_error(message, text, permissions)
        case 404 if "Integration not found" in text:
            return SetupError(message, next_step=_CHECK_SETTINGS)
        case 404 | 410 | 451:
            return NotFound(message, next_step=_CHECK_NAME)
        case 301 | 302 | 307 | 308:
            step = "It was renamed or moved: ask again where it is now."
            return NotFound(message, next_step=step)
        case 400 | 409 | 413 | 422:
            return BadRequest(message, next_step=_FIX_REQUEST)
        case _:
            return OutsideError(message, next_step=TRY_LATER)


def _forbidden_error(message: str, text: str, permissions: str) -> TinyGenError:
    """`permissions` are those that the request needs:
    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api"""
    if "not accessible by" in text:
        needed = f" ({permissions[:100]})" if permissions else ""
        step = (
            f"Give the App the permission it lacks{needed}, and accept the change on its"
            " installation."
        )
        return SetupError(message, next_step=step)
    if "suspended" in text:
        step = "Unsuspend the App's installation in the account's settings on GitHub."
        return SetupError(message, next_step=step)
    step = "Ask someone who administers the repository to lift what GitHub names."
    return NotPermitted(message, next_step=step)


def rate_limit_error(purpose: str, wait_s: float) -> OutsideError:
    message = f"TinyGen could not {purpose}: it met GitHub's rate limit."
    seconds = math.ceil(wait_s)
    minutes = math.ceil(wait_s / 60)
    wait = f"{seconds} seconds" if wait_s < 120 else f"{minutes} minutes"
    return OutsideError(message, next_step=f"Try again in {wait}.", retry_in_s=wait_s)


def certificate_error(purpose: str) -> SetupError:
    message = f"TinyGen could not {purpose}: GitHub's certificate is not trusted here."
    step = "Add the authority that signed it to the file that SSL_CERT_FILE names."
    return SetupError(message, next_step=step)


def rate_limit_wait_s(response: httpx.Response, now: float, *, failures: int = 0) -> float | None:
    """Seconds to wait if this answer is a primary or secondary rate limit, else None.

    If GitHub names no time, each of the call's earlier `failures` doubles the wait, as it asks of
    those who meet a limit again.
    """
    if response.status_code not in (403, 429):
        return None
    requested_s = retry_after_s(response, now)
    if requested_s is not None:
        return requested_s
    text = _first_text(response).lower()
    names_limit = any(phrase in text for phrase in _RATE_LIMIT_PHRASES)
    reset_s = parse_number(response.headers.get("x-ratelimit-reset", ""))
    is_used_up = response.headers.get("x-ratelimit-remaining") == "0"
    if names_limit and is_used_up and reset_s is not None:
        return clamp_wait_s(reset_s - server_time_s(response, now)) + 1
    if names_limit or response.status_code == 429:
        return _DEFAULT_LIMIT_S * 2.0**failures
    return None


def retry_after_s(response: httpx.Response, now: float) -> float | None:
    """See `parse_retry_after`; a date is compared with GitHub's clock."""
    return parse_retry_after(response.headers, server_time_s(response, now))


def server_time_s(response: httpx.Response, default: float) -> float:
    """GitHub's clock in seconds since 1970. Its times are compared with it, since ours may be
    wrong."""
    return parse_http_date(response.headers.get("date", "")) or default


class _ErrorBody(BaseModel):
    message: str = ""
    errors: list[object] = []


def quote_message(response: httpx.Response, token: str | None) -> str:
    """GitHub's message and its first five errors on one line; the status's name if it sent none."""
    try:
        body = _ErrorBody.model_validate_json(response.content[:_MAX_ERROR_BYTES])
    except ValidationError:
        body = _ErrorBody()
    parts = [body.message or response.reason_phrase]
    parts += [_describe(error) for error in body.errors[:5]]
    text = "; ".join(part for part in parts if part)
    printable = "".join(char if char.isprintable() else " " for char in text)
    text = " ".join(printable.split())
    if token:
        text = text.replace(token, "***")
    return text[:_MAX_QUOTE_CHARS].rstrip(" .")


def _describe(error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    if error.get("message"):
        return str(error["message"])
    return " ".join(str(error[name]) for name in ("field", "code") if error.get(name))


def _first_text(response: httpx.Response) -> str:
    """The first bytes of the body as text. `Response.text` would decode all of it, in any way that
    the answer names."""
    return response.content[:_SEARCHED_BYTES].decode("utf-8", "replace")
