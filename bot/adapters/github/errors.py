"""What an answer of GitHub that is no success means: who acts next, and how long to wait.

Pure functions of a response. GitHub's own words are quoted, shortened, because they often name the
cause; a token never is part of them, and one that a proxy echoes is taken out.
"""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

import httpx
from pydantic import BaseModel, ValidationError

from bot.errors import BadRequest, NotFound, NotPermitted, OutsideError, SetupError, TinyGenError

_LIMIT_WORDS = ("rate limit", "abuse detection")
_UNNAMED_LIMIT_S = 60.0
"""https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: "wait for at
least one minute"."""
_QUOTED_CHARS = 300
_READ_BYTES = 64 * 1024
"""Of an error: what is longer is no reason that could be told."""
_LONGEST_WAIT_S = 86_400.0


class UnclearOutcome(OutsideError):
    """Whether GitHub did what was asked is unknown: look before asking again. It stays within this
    adapter."""


class _Fault(BaseModel):
    message: str = ""
    errors: list[object] = []


def server_time(response: httpx.Response, default: float) -> float:
    """GitHub's clock in seconds since 1970: its times are compared with it, since ours may be
    wrong."""
    return _date(response.headers.get("date", "")) or default


def retry_after_s(response: httpx.Response, now: float) -> float | None:
    """What `Retry-After` asks for, in either of its forms, a day at most; None where it is absent
    or nonsense."""
    text = response.headers.get("retry-after", "").strip()
    if (seconds := _number(text)) is not None:
        return _within_a_day(seconds)
    if (date := _date(text)) is not None:
        return _within_a_day(date - server_time(response, now))
    return None


def limit_wait_s(response: httpx.Response, now: float, *, met_before: int = 0) -> float | None:
    """Seconds to wait where this answer is a primary or secondary rate limit, else None. Where
    GitHub says how long, it is just so long; else longer each time, as it asks of those who meet a
    limit again."""
    if response.status_code not in (403, 429):
        return None
    if (asked := retry_after_s(response, now)) is not None:
        return asked
    says_limit = any(word in _beginning(response).lower() for word in _LIMIT_WORDS)
    reset = _number(response.headers.get("x-ratelimit-reset", ""))
    if says_limit and reset is not None and response.headers.get("x-ratelimit-remaining") == "0":
        return _within_a_day(reset - server_time(response, now)) + 1
    return _UNNAMED_LIMIT_S * 2**met_before if says_limit or response.status_code == 429 else None


def _within_a_day(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)


def _beginning(response: httpx.Response) -> str:
    """Of the body. `Response.text` would decode all of it, in whatever way the answer names."""
    return response.content[:2000].decode("utf-8", "replace")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def quoted_message(response: httpx.Response, token: str | None) -> str:
    """GitHub's reason on one line, its list of errors included; the status's name where it gave
    none."""
    try:
        fault = _Fault.model_validate_json(response.content[:_READ_BYTES])
    except ValidationError:
        fault = _Fault()
    parts = [
        fault.message or response.reason_phrase,
        *(_detail(error) for error in fault.errors[:5]),
    ]
    text = "; ".join(part for part in parts if part)
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if token:
        text = text.replace(token, "***")
    return text[:_QUOTED_CHARS].rstrip(" .")


def _detail(error: object) -> str:
    if isinstance(error, dict):
        named = (error.get(name) for name in ("field", "code"))
        return str(error.get("message") or " ".join(str(name) for name in named if name))
    return str(error)


def error_for(response: httpx.Response, doing: str, token: str | None) -> TinyGenError:
    """The error for a refusal. `doing` completes "TinyGen could not ..."."""
    status, text = response.status_code, _beginning(response)
    message = (
        f"TinyGen could not {doing}: GitHub answered {status} ({quoted_message(response, token)})."
    )
    match status:
        case 401:
            return SetupError(message, next_step=_CREDENTIALS)
        case 403:
            return _forbidden(
                message, text, response.headers.get("x-accepted-github-permissions", "")
            )
        case 404 if "Integration not found" in text:
            return SetupError(message, next_step=_CREDENTIALS)
        case 404 | 410 | 451:
            return NotFound(message, next_step=_MISSING)
        case 301 | 302 | 307 | 308:
            return NotFound(
                message, next_step="It was renamed or moved: ask again where it is now."
            )
        case 400 | 409 | 413 | 422:
            return BadRequest(message, next_step=_MEND)
        case _:
            return OutsideError(message, next_step=TRY_LATER)


def limit_error(doing: str, wait_s: float) -> OutsideError:
    message = f"TinyGen could not {doing}: it met GitHub's rate limit."
    return OutsideError(message, next_step=f"Try again in {_spoken(wait_s)}.", retry_in_s=wait_s)


def untrusted_error(doing: str) -> SetupError:
    message = f"TinyGen could not {doing}: GitHub's certificate is not trusted here."
    step = "Add the authority that signed it to the file that SSL_CERT_FILE names."
    return SetupError(message, next_step=step)


def _forbidden(message: str, text: str, needed: str) -> TinyGenError:
    """`needed`: https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api,
    "insufficient"."""
    if "not accessible by" in text:
        wanted = f" ({needed[:100]})" if needed else ""
        step = (
            f"Give the App the permission it lacks{wanted}, and accept the change on its"
            " installation."
        )
        return SetupError(message, next_step=step)
    if "suspended" in text:
        return SetupError(
            message,
            next_step="Unsuspend the App's installation in the account's settings on GitHub.",
        )
    return NotPermitted(
        message, next_step="Ask someone who administers the repository to lift what GitHub names."
    )


def _spoken(seconds: float) -> str:
    return (
        f"{math.ceil(seconds)} seconds" if seconds < 120 else f"{math.ceil(seconds / 60)} minutes"
    )


TRY_LATER = "Try again in a few minutes; GitHub's status page tells of outages."
_CREDENTIALS = (
    "Run `python -m bot doctor`: it checks GITHUB_APP_ID, GITHUB_PRIVATE_KEY, GITHUB_TOKEN and the"
    " clock."
)
_MEND = "Mend what GitHub names there, then ask again."
_MISSING = "Check the name, and that the App is installed on this repository and may see it."
