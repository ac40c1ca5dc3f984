"""Who calls, and what that caller may see and do.

- An operator sees and may do everything: a key that reads all, a person of TINYGEN_OPERATORS, or
  a program on this machine where no key is set.
- A program with one of several TINYGEN_API_KEYS has the jobs that it asked for.
- A person who signed in by GitHub sees the jobs of the repositories that they may read there now, and
  may stop and repeat their own, and those of repositories where they have TINYGEN_MIN_PERMISSION. The
  worker asks once more, by the repository's own settings.
- Whoever holds the signed link in a job's comment sees that job.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from flask import g, request

from bot.config import Config
from bot.errors import TinyGenError
from bot.ports import Sessions, SignIn
from bot.thread.page_links import PARAMETER, Scope, is_link_valid
from bot.thread.requests import Asker
from bot.types import PERMISSIONS, Permission, Report
from bot.web.problems import NoSuchJob, Unauthorized
from bot.web.sessions import SESSION_S, Cookies, Session
from bot.web.wait_limit import WaitLimit

T = TypeVar("T")

PROXY_HEADERS = re.compile(
    r"forwarded|via|x-(?:original-)?forwarded-.*|x-real-ip|x-client-ip|true-client-ip"
    r"|(?:cf|fly|ngrok|tailscale|x-envoy)-.*"
)
"""What proxies and tunnels add to a request, by their names in lower case."""
LOOPBACK_HOST = re.compile(
    r"(?:localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])(?::\d{1,5})?",
    re.ASCII | re.IGNORECASE,
)
LOCAL_CALLER = "this machine"
"""The actor of a call without a key. With a key it is the word "key" and a part of the key's digest,
which stays when other keys come and go. No login on GitHub holds a space, so these are never
mistaken for one."""
SEND_KEY = (
    "Send one of TINYGEN_API_KEYS or TINYGEN_OPERATOR_KEYS as `Authorization: Bearer KEY`; in a"
    " browser, sign in at /login."
)
NO_SESSION = "none"
FORM_FIELD = "form_token"
FORM_HEADER = "X-Form-Token"
"""For scripts of an operator's own."""
PERMISSION_S = 60.0
LOGIN_S = 300.0
"""How long GitHub's answers about a person's permission and login are used again."""
MAX_ANSWERS = 10_000
TOO_MANY = "Too many people are being looked up."
PATIENCE_S = 0.5
"""How long a person's page waits for its turn to ask GitHub."""
LOOK_AGAIN = "Load the page again in a few seconds."


@dataclass(frozen=True, slots=True)
class Caller(Asker):
    """Who sent a request. The name of a program is that of its key, or LOCAL_CALLER."""

    token: str = field(default="", repr=False)
    """That asks GitHub in a person's name."""
    session_id: str = NO_SESSION
    """Of a browser, for the tokens in its forms."""
    is_named_by_header: bool = False
    """By a key in this request's own header, which no page of another site can send."""

    @property
    def is_in_session(self) -> bool:
        """Whether it is a browser that signed in."""
        return self.session_id != NO_SESSION


class _Memory(Generic[T]):
    """Remembers up to MAX_ANSWERS answers, each for `keep_s`. Safe for use by several threads."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, T]] = {}

    def get(self, key: str) -> T | None:
        with self._lock:
            found = self._answers.get(key)
        return found[1] if found and time.monotonic() < found[0] else None

    def put(self, key: str, answer: T) -> None:
        with self._lock:
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            self._answers[key] = (time.monotonic() + self._keep_s, answer)


class Callers:
    def __init__(
        self,
        config: Config,
        cookies: Cookies,
        sessions: Sessions,
        sign_in: SignIn | None,
        waits: WaitLimit,
    ) -> None:
        self._config, self._cookies, self._waits = config, cookies, waits
        self._sessions, self._sign_in = sessions, sign_in
        # A login may consist of digits, too: nobody becomes an operator by such a name.
        self._operator_ids = {each for each in config.operators if each.isdecimal()}
        self._operator_logins = {each.lower() for each in config.operators} - self._operator_ids
        self._permissions: _Memory[Permission] = _Memory(PERMISSION_S)
        self._logins: _Memory[str] = _Memory(LOGIN_S)

    def identify(self) -> Caller | None:
        """The caller of this request; None if it says nothing about itself. Unauthorized if it sends
        a key that is none."""
        if "caller" not in g:
            g.caller = None  # also for the page that tells of an error here
            g.caller = self._identify()
        found: Caller | None = g.caller
        return found

    def require(self) -> Caller:
        """The caller of this request, or Unauthorized."""
        caller = self.identify()
        if caller is not None:
            return caller
        if self._has_keys():
            raise Unauthorized(SEND_KEY)
        raise Unauthorized(
            "Without TINYGEN_API_KEYS or TINYGEN_OPERATOR_KEYS only programs on this machine are"
            " answered, where they call localhost. Set one, and send a key of it as `Authorization:"
            " Bearer KEY`."
        )

    def require_runner(self) -> Caller:
        """The caller, if it may have any repository worked on that this installation reaches: a key,
        this machine, or an operator. Unauthorized otherwise."""
        caller = self.require()
        if not caller.is_trusted:
            raise Unauthorized(
                "Only operators and keys may call this. Send a key as `Authorization: Bearer KEY`."
            )
        return caller

    def check_form(self) -> None:
        """For what changes something: Unauthorized unless the request has a key, or carries the
        token of the session's forms and comes from a page of this host."""
        caller = self.require()
        if caller.is_named_by_header:
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

    def check_may_read(self, report: Report | None, job_id: str, *scopes: Scope) -> Report:
        """The report, if this request may read it: with a link of one of the scopes, or by its
        caller. NoSuchJob otherwise, so that nobody learns which ids exist; Unauthorized if signing
        in may help; OutsideError or LimitReached if GitHub cannot be asked now."""
        has_link = self.has_link(job_id, *scopes)
        if request.args.get(PARAMETER) and not has_link and self.identify() is None:
            raise Unauthorized(
                "This link is no longer valid, or not for this job. Sign in at /login to see it."
            )
        caller = None if has_link else self.require()
        if report is not None and (caller is None or self._may_read(caller, report)):
            return report
        raise NoSuchJob(
            f"There is no job {job_id}, or no longer, or not for you. Its id is in the answer that"
            " accepted it."
        )

    def has_link(self, job_id: str, *scopes: Scope) -> bool:
        """Whether the request carries a valid link to the job, of one of the scopes."""
        link = request.args.get(PARAMETER, "")
        if not link:
            return False
        key, now = self._cookies.key(), time.time()
        return any(is_link_valid(key, job_id, link, now, scope) for scope in scopes)

    def identify_or_none(self) -> Caller | None:
        """Also None if it cannot be known now."""
        try:
            return self.identify()
        except (Unauthorized, TinyGenError):
            return None

    def may_change(self, report: Report) -> bool:
        """Whether the caller may stop the job or have it done again. Of a direct call, only whoever
        may make one."""
        caller = self.identify_or_none()
        if caller is None or caller.is_operator:
            return caller is not None
        is_own = report.job.asker_key == caller.key
        if caller.user_id is None or report.job.source == "run":
            return is_own and caller.user_id is None
        try:
            held = self._permission(caller, report)
        except (TinyGenError, Unauthorized):  # whoever may read the page still reads it
            return False
        least = PERMISSIONS.index(self._config.min_permission)
        return held != "none" and (is_own or PERMISSIONS.index(held) >= least)

    def end_session(self) -> None:
        """Ends the session of this request for good, wherever its cookie is."""
        session = self._cookies.session()
        if session is not None:
            self._sessions.end_session(session.id, time.time() + SESSION_S)

    def _may_read(self, caller: Caller, report: Report) -> bool:
        if caller.is_operator:
            return True
        if caller.user_id is None:
            return report.job.asker_key == caller.key
        return self._permission(caller, report) != "none"

    def _permission(self, caller: Caller, report: Report) -> Permission:
        """Of a person who is signed in, in the job's repository; "none" for everybody else."""
        repository_id = report.job.target.repository_id
        if self._sign_in is None or not caller.token or repository_id is None:
            return "none"
        key = f"{caller.session_id} {repository_id}"
        known = self._permissions.get(key)
        if known is not None:
            return known
        with self._waits.place(TOO_MANY, next_step=LOOK_AGAIN, patience_s=PATIENCE_S):
            held = self._sign_in.permission(caller.token, repository_id)
        if held is None:
            raise Unauthorized("Your sign-in is no longer valid. Sign in again at /login.")
        self._permissions.put(key, held)
        return held

    def _is_operator(self, session: Session) -> bool:
        """Whether the person is an operator: by the id, or by the login that GitHub has for the token
        now, since after a rename another person may take a login."""
        if str(session.user_id) in self._operator_ids:
            return True
        if session.login.lower() not in self._operator_logins or self._sign_in is None:
            return False
        login = self._logins.get(session.id)
        if login is None:
            with self._waits.place(TOO_MANY, next_step=LOOK_AGAIN, patience_s=PATIENCE_S):
                login = self._sign_in.login(session.token) or ""
            self._logins.put(session.id, login)
        return login.lower() in self._operator_logins

    def _identify(self) -> Caller | None:
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":  # another scheme is a proxy's business
            caller = self.by_key(rest.strip())
            if caller is not None:
                return replace(caller, is_named_by_header=True)
            if self._has_keys():
                raise Unauthorized(SEND_KEY)
        session = self._session()
        if session is not None:
            return session
        if not self._has_keys() and is_local(with_own_pages=True):
            return Caller(LOCAL_CALLER, is_operator=True)
        return None

    def _session(self) -> Caller | None:
        session = self._cookies.session()
        if session is None or self._sessions.is_session_ended(session.id):
            return None
        if session.key_digest:
            found = self._by_digest(session.key_digest)
            if found is None:  # the key is no longer set
                return None
            return replace(found, session_id=session.id)
        return self._person(session)

    def _person(self, session: Session) -> Caller | None:
        if self._sign_in is None:
            return None
        return Caller(
            session.login,
            session.user_id,
            self._is_operator(session),
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
        return Caller(f"key {given[:12]}", is_operator=reads_all)

    def _has_keys(self) -> bool:
        return bool(self._config.api_keys or self._config.operator_keys)


def is_local(*, with_own_pages: bool = False) -> bool:
    """Whether the caller is a program on this machine: not somebody behind a proxy, and not a page
    in a browser, which sends an Origin, or a Host of its own if it uses DNS rebinding.
    `with_own_pages`: a page of this host is no stranger."""
    names = {name.lower() for name, _ in request.headers}
    if any(PROXY_HEADERS.fullmatch(name) for name in names):
        return False
    if not LOOPBACK_HOST.fullmatch(request.headers.get("Host", "")):
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
