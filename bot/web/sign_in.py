"""Signing in and out: by GitHub, or by a key in a browser."""

from __future__ import annotations

import hashlib
import hmac
import re

from flask import Response, request
from flask_openapi3.openapi import OpenAPI

from bot.config import Config
from bot.errors import BadRequest, NotFound, NotPermitted
from bot.ports import LastSeen, SignIn
from bot.thread.page_links import CALLBACK
from bot.web.callers import TOO_MANY, Callers, is_foreign_origin
from bot.web.pages import own_address, page, see_other
from bot.web.problems import Unauthorized
from bot.web.sessions import Cookies, PendingSignIn, Session, new_session_id
from bot.web.wait_limit import WaitLimit

_OWN_PATH = re.compile(r"/(?![/\\])[!-~]*", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,200}", re.ASCII)


class SignInRoutes:
    def __init__(
        self,
        config: Config,
        callers: Callers,
        cookies: Cookies,
        last_seen: LastSeen,
        sign_in: SignIn | None,
        waits: WaitLimit,
    ) -> None:
        self._config, self._callers, self._cookies = config, callers, cookies
        self._waits = waits
        self._last_seen, self._sign_in = last_seen, sign_in

    def begin(self) -> Response:
        """Sends the browser to GitHub."""
        sign_in = self._require()
        start = sign_in.begin(self._callback_url())
        response = see_other(start.url)
        pending = PendingSignIn(start.state, start.verifier, next_path())
        self._cookies.set_pending(response, pending)
        return response

    def finish(self) -> Response:
        """Takes the browser back from GitHub, and sends it on to where it wanted to go."""
        sign_in, pending = self._require(), self._cookies.pending()
        state, code = request.args.get("state", ""), request.args.get("code", "")
        if pending is None or not hmac.compare_digest(state.encode(), pending.state.encode()):
            raise BadRequest(
                "This is not the answer to a sign-in that this browser began, or it took too long.",
                next_step="Sign in again at /login.",
            )
        if not _CODE.fullmatch(code):
            raise NotPermitted("GitHub did not let you sign in.", next_step="Try it at /login.")
        with self._waits.place(TOO_MANY, next_step="Sign in again in a few seconds."):
            person = sign_in.finish(self._callback_url(), code, pending.verifier)
        response = see_other(pending.next)
        self._cookies.end_pending(response)
        session = Session(new_session_id(), person.id, person.login, person.token)
        self._cookies.set_session(response, session)
        return response

    def take_key(self) -> Response:
        """Signs a browser in that gives a key; Unauthorized if it is none."""
        if is_foreign_origin():
            raise Unauthorized("This form was sent from another site. Open /login here.")
        given = request.form.get("api_key", "").strip()
        if self._callers.by_key(given) is None:
            detail = "This is none of the keys that are set here."
            return page("login.html", 401, next=next_path(), detail=detail)
        response = see_other(next_path())
        digest = hashlib.sha256(given.encode()).hexdigest()
        self._cookies.set_session(response, Session(new_session_id(), key_digest=digest))
        return response

    def leave(self) -> Response:
        self._callers.check_form()
        self._callers.end_session()
        response = see_other("/")
        self._cookies.end_session(response)
        return response

    def _require(self) -> SignIn:
        if self._sign_in is None:
            raise NotFound(
                "Nobody can sign in by GitHub here.",
                next_step="The operator sets GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET for that.",
            )
        return self._sign_in

    def _callback_url(self) -> str:
        return own_address(self._config, self._last_seen) + CALLBACK


def add_sign_in(app: OpenAPI, routes: SignInRoutes) -> None:
    @app.get("/login", doc_ui=False)
    def login() -> Response:
        return page("login.html", next=next_path())

    @app.post("/login", doc_ui=False)
    def login_by_key() -> Response:
        return routes.take_key()

    @app.get("/login/github", doc_ui=False)
    def login_by_github() -> Response:
        return routes.begin()

    @app.get(CALLBACK, doc_ui=False)
    def callback() -> Response:
        return routes.finish()

    @app.post("/logout", doc_ui=False)
    def logout() -> Response:
        return routes.leave()


def next_path() -> str:
    """Where to go on after signing in: a path of this host, `/jobs` without one."""
    path = request.values.get("next", "")
    return path if len(path) <= 2_000 and _OWN_PATH.fullmatch(path) else "/jobs"
