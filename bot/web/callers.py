"""Who calls, and what that caller may see and do.

- An operator sees and may do everything: a key that reads all, a login of TINYGEN_OPERATORS, or a
  program on this machine where no key is set.
- A program with one of several TINYGEN_API_KEYS has the jobs that it asked for.
- A person who signed in by GitHub sees the jobs of the repositories that they may read there, and
  may stop and repeat their own, and those of repositories where they have TINYGEN_MIN_PERMISSION.
- Whoever holds the signed link in a job's comment sees that job.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import g, request

from bot.config import Config
from bot.errors import OutsideError
from bot.ports import SignIn, StatusBoard
from bot.thread.page_links import PARAMETER, is_link_valid
from bot.types import PERMISSIONS, Permission, Report
from bot.web.problems import NoSuchJob, Unauthorized
from bot.web.sessions import Cookies, Session

PROXY_HEADERS = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip"}
)
_LOOPBACK_HOST = re.compile(
    r"(?:localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])(?::\d{1,5})?",
    re.ASCII | re.IGNORECASE,
)
LOCAL_CALLER = "this machine"
"""The actor of a call without a key. With a key it is the word "key" and a part of the key's digest,
which stays when other keys come and go. No login on GitHub holds a space, so these are never
mistaken for one."""
FORM_FIELD = "form_token"
FORM_HEADER = "X-Form-Token"
PERMISSION_S = 60.0
"""How long GitHub's answer about a person's permission is used again."""
MAX_PERMISSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    """A login, or the name of a key or of this machine; see LOCAL_CALLER."""
    is_operator: bool = False
    user_id: int | None = None
    """GitHub's id, of a person."""
    token: str = ""
    """That asks GitHub in the person's name."""
    session_id: str = "local"
    """Of a browser, for the tokens in its forms."""

    @property
    def key(self) -> str:
        """The `Job.asker_key` of what this caller asks for."""
        return self.name if self.user_id is None else str(self.user_id)


class Callers:
    def __init__(
        self, config: Config, cookies: Cookies, status: StatusBoard, sign_in: SignIn | None
    ) -> None:
        self._config, self._cookies = config, cookies
        self._status, self._sign_in = status, sign_in
        self._operators = {login.lower() for login in config.operators}
        self._permissions: dict[tuple[str, int], tuple[float, Permission]] = {}
        self._lock = threading.Lock()

    def identify(self) -> Caller | None:
        """The caller of this request; None if it says nothing about itself. Unauthorized if it sends
        a key that is none."""
        if "caller" not in g:
            g.caller = self._identify()
        found: Caller | None = g.caller
        return found

    def require(self) -> Caller:
        """The caller of this request, or Unauthorized."""
        caller = self.identify()
        if caller is not None:
            return caller
        if self._has_keys():
            raise Unauthorized(
                "Send one of TINYGEN_API_KEYS or TINYGEN_OPERATOR_KEYS as `Authorization: Bearer"
                " KEY`; in a browser, sign in at /login."
            )
        raise Unauthorized(
            "Without TINYGEN_API_KEYS or TINYGEN_OPERATOR_KEYS only programs on this machine are"
            " answered, where they call localhost. Set one, and send a key of it as `Authorization:"
            " Bearer KEY`."
        )

    def require_runner(self) -> Caller:
        """The caller, if it may have any repository worked on that this installation reaches: a key,
        this machine, or an operator. Unauthorized otherwise."""
        caller = self.require()
        if caller.user_id is not None and not caller.is_operator:
            raise Unauthorized(
                "Only operators and keys may call this. Send a key as `Authorization: Bearer KEY`."
            )
        return caller

    def check_form(self) -> None:
        """For what changes something: Unauthorized unless the request has a key, or carries the
        token of the session's forms and comes from a page of this host."""
        caller = self.require()
        if request.headers.get("Authorization"):
            return
        if is_foreign_origin():
            raise Unauthorized("This form was sent from another site. Open it here, and send it.")
        if _is_plain_local_program(caller):
            return
        token = request.headers.get(FORM_HEADER) or request.form.get(FORM_FIELD, "")
        if not self._cookies.is_form_token(caller.session_id, token):
            raise Unauthorized("This form is out of date. Load its page again, and send it.")

    def form_token(self) -> str:
        caller = self.identify()
        return self._cookies.form_token(caller.session_id) if caller else ""

    def by_key(self, given: str) -> Caller | None:
        """The caller whose key it is."""
        return self._by_digest(hashlib.sha256(given.encode()).hexdigest())

    def check_may_read(self, report: Report | None, job_id: str) -> Report:
        """The report, if this request may read it. NoSuchJob otherwise, so that nobody learns which
        ids exist; Unauthorized if signing in may help."""
        link = request.args.get(PARAMETER, "")
        if link and is_link_valid(self._status.signing_key(), job_id, link, time.time()):
            caller = self.identify_or_none()
            if report is not None:
                return report
        else:
            caller = self.require()
        if report is not None and caller is not None and self._may_read(caller, report):
            return report
        raise NoSuchJob(
            f"There is no job {job_id}, or no longer, or not for you. Its id is in the answer that"
            " accepted it."
        )

    def identify_or_none(self) -> Caller | None:
        try:
            return self.identify()
        except Unauthorized:
            return None

    def may_change(self, report: Report) -> bool:
        """Whether the caller may stop the job or have it done again."""
        caller = self.identify_or_none()
        if caller is None:
            return False
        if caller.is_operator or report.job.asker_key == caller.key:
            return True
        try:
            held = self._permission(caller, report)
        except (OutsideError, Unauthorized):  # whoever may read the page still reads it
            return False
        return PERMISSIONS.index(held) >= PERMISSIONS.index(self._config.min_permission)

    def _may_read(self, caller: Caller, report: Report) -> bool:
        if caller.is_operator or report.job.asker_key == caller.key:
            return True
        return self._permission(caller, report) != "none"

    def _permission(self, caller: Caller, report: Report) -> Permission:
        """Of a person who is signed in, in the job's repository; "none" for everybody else."""
        repository_id = report.job.target.repository_id
        if self._sign_in is None or not caller.token or repository_id is None:
            return "none"
        key, now = (caller.session_id, repository_id), time.monotonic()
        with self._lock:
            until, known = self._permissions.get(key, (0.0, "none"))
        if now < until:
            return known
        held = self._sign_in.permission(caller.token, repository_id)
        if held is None:
            raise Unauthorized("Your sign-in is no longer valid. Sign in again at /login.")
        with self._lock:
            if len(self._permissions) >= MAX_PERMISSIONS:
                self._permissions.clear()
            self._permissions[key] = (now + PERMISSION_S, held)
        return held

    def _identify(self) -> Caller | None:
        header = request.headers.get("Authorization", "")
        if header:
            scheme, _, rest = header.partition(" ")
            caller = self.by_key(rest.strip()) if scheme.lower() == "bearer" else None
            if caller is None and self._has_keys():
                raise Unauthorized(
                    "Send one of TINYGEN_API_KEYS or TINYGEN_OPERATOR_KEYS as `Authorization:"
                    " Bearer KEY`."
                )
            if caller is not None:
                return caller
        session = self._session()
        if session is not None:
            return session
        if not self._has_keys() and is_local(with_own_pages=True):
            return Caller(LOCAL_CALLER, is_operator=True)
        return None

    def _session(self) -> Caller | None:
        session = self._cookies.session()
        if session is None:
            return None
        if session.key_digest:
            found = self._by_digest(session.key_digest)
            if found is None:  # the key is no longer set
                return None
            return Caller(found.name, found.is_operator, session_id=session.id)
        return self._person(session)

    def _person(self, session: Session) -> Caller | None:
        if self._sign_in is None:
            return None
        return Caller(
            session.login,
            session.login.lower() in self._operators,
            session.user_id,
            session.token,
            session.id,
        )

    def _by_digest(self, given: str) -> Caller | None:
        keys, operators = (
            [hashlib.sha256(key.get_secret_value().encode()).hexdigest() for key in group]
            for group in (self._config.api_keys, self._config.operator_keys)
        )
        # Every key is compared, so that the time does not tell which one is right.
        is_key = [hmac.compare_digest(key, given) for key in keys]
        is_operator = [hmac.compare_digest(key, given) for key in operators]
        if not any((*is_key, *is_operator)):
            return None
        # Where there is one key, as `setup` writes it, it is the operator's.
        reads_all = any(is_operator) or len(keys) + len(operators) == 1
        return Caller(f"key {given[:12]}", reads_all)

    def _has_keys(self) -> bool:
        return bool(self._config.api_keys or self._config.operator_keys)


def is_local(*, with_own_pages: bool = False) -> bool:
    """Whether the caller is a program on this machine: not somebody behind a proxy, and not a page
    in a browser, which sends an Origin, or a Host of its own if it uses DNS rebinding.
    `with_own_pages`: a page of this host is no stranger."""
    names = {name.lower() for name, _ in request.headers}
    if any(name.startswith("x-forwarded-") or name in PROXY_HEADERS for name in names):
        return False
    if not _LOOPBACK_HOST.fullmatch(request.headers.get("Host", "")):
        return False
    if "origin" in names and not (with_own_pages and not is_foreign_origin()):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:  # a Unix socket: the caller is a proxy
        return False


def is_foreign_origin() -> bool:
    """Whether a page of another site sent the request, as its browser says.
    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site"""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()


def _is_plain_local_program(caller: Caller) -> bool:
    """A program on this machine where no key is set. A browser says where a form comes from."""
    is_browser = "Origin" in request.headers or "Sec-Fetch-Site" in request.headers
    return caller.name == LOCAL_CALLER and not is_browser
