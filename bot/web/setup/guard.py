"""Who may set TinyGen up: the browser that first opened the link which the process printed.

The link carries a token of 256 bits. Its first use exchanges it for a session, in a cookie that
scripts cannot read and that is sent to `/setup` alone; from then on the token is dead. There is one
session for each start of the process.

Hosts. A page of another site may let its own name lead to this machine (DNS rebinding), so that a
browser here takes it for the same site. It has neither token nor cookie; still, its name is refused:

- Before a session begins, the Host must be a name of loopback, the address that TinyGen listens on,
  or TINYGEN_PUBLIC_URL. Only a request with the right token may come by any Host: whoever has the
  token read this process's output, and came by a tunnel or a proxy whose name TinyGen does not know.
- The session belongs to the Host by which the token came. Every other one is refused (421).

Forms must come from a page of that Host, as the browser says, and carry the session's form token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from flask import Response, request

from bot.config import Config
from bot.web.callers import FORM_FIELD, LOOPBACK_HOST, is_foreign_origin
from bot.web.pages import see_other
from bot.web.problems import problem_error
from bot.web.sessions import comes_by_https

PATH = "/setup"
COOKIE = "tinygen-setup"
SESSION_S = 24 * 3600
TOKEN_PARAMETER = "token"  # noqa: S105 - its name
_USED = (
    "This link was used already: it works once, in one browser. Go on in that browser, or restart"
    " TinyGen, which prints a new one. If it was not you who used it, restart at once."
)
_NO_SESSION = (
    "Set-up is for whoever started TinyGen: open the link that its output shows. If the link was used"
    " before, in another browser, restart TinyGen, which prints a new one."
)
_WRONG_HOST = (
    "Set-up is not at this name. Open the link that TinyGen's output shows, as it is there."
)

_log = structlog.get_logger()


class Flag(Protocol):
    """An event of threads, or of processes."""

    def is_set(self) -> bool: ...
    def set(self) -> None: ...


class Guard:
    """`used` is set when the token is: where the server starts a process again, the token stays
    dead."""

    def __init__(self, config: Config, token: str, used: Flag) -> None:
        self._token, self._used = token, used
        self._public_url = config.public_url
        listening = f"[{config.host}]" if ":" in config.host else config.host
        public = urlsplit(config.public_url or "").netloc.lower()
        self._hosts = {f"{listening}:{config.port}".lower(), public} - {""}
        self._lock = threading.Lock()
        self._session = self.host = ""
        self.form_token = secrets.token_hex(32)

    @property
    def session_digest(self) -> str:
        return session_digest(self._session)

    def exchange(self, token: str) -> Response:
        """Begins the session for the right token, and sends the browser on."""
        if self._has_session():  # the same browser opened its link again
            return see_other(PATH)
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            self._check_host()
            raise problem_error(403, _NO_SESSION)
        with self._lock:
            if self._used.is_set():
                raise problem_error(403, _USED)
            self._used.set()
            self._session, self.host = secrets.token_urlsafe(32), _host()
        _log.info("the link to set TinyGen up was opened", address=request.remote_addr)
        response = see_other(PATH)
        response.set_cookie(
            COOKIE,
            self._session,
            max_age=SESSION_S,
            path=PATH,
            httponly=True,
            secure=comes_by_https(self._public_url),
            samesite="Lax",  # the browser comes back from GitHub with it
        )
        return response

    def check(self) -> None:
        """For every page but the first: 421 or 403 unless the request is of the session."""
        self._check_host()
        if not self._has_session():
            raise problem_error(403, _NO_SESSION)

    def check_form(self) -> None:
        """For what changes something: 403 for a form that is not of the session's own page."""
        self.check()
        token = request.form.get(FORM_FIELD, "")
        is_own = hmac.compare_digest(token.encode(), self.form_token.encode())
        if is_foreign_origin() or not is_own:
            raise problem_error(
                403,
                f"This form is not of this set-up's page. Open {PATH} again, and send it there.",
            )

    def own_url(self) -> str:
        """The address of this server, as the browser reached it."""
        scheme = "https" if comes_by_https(self._public_url) else "http"
        return f"{scheme}://{_host()}"

    def _has_session(self) -> bool:
        given = request.cookies.get(COOKIE, "")
        is_same = hmac.compare_digest(given.encode(), self._session.encode())
        return bool(self._session) and is_same and _host() == self.host

    def _check_host(self) -> None:
        host = _host()
        is_known = host == self.host if self.host else self._is_own(host)
        if not is_known:
            raise problem_error(421, _WRONG_HOST)

    def _is_own(self, host: str) -> bool:
        return host in self._hosts or bool(LOOPBACK_HOST.fullmatch(host))


def session_digest(session: str) -> str:
    """What is kept of a session beyond the process that began it."""
    return hashlib.sha256(session.encode()).hexdigest()


def is_session_of(digest: str, host: str) -> bool:
    """Whether the request is of the session with this digest, and came by its Host."""
    given = session_digest(request.cookies.get(COOKIE, ""))
    return hmac.compare_digest(given, digest) and _host() == host


def _host() -> str:
    return request.headers.get("Host", "").lower()
