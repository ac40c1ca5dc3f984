"""Signs people in by GitHub: the web application flow of the App, with PKCE.

A person's token is given back and kept nowhere here. With it GitHub answers what that person may
see.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from pydantic import BaseModel, Field, ValidationError

from bot.adapters.http import (
    ACCEPT_ENCODING,
    TRY_LATER,
    bound_body,
    bound_time,
    named_errors,
)
from bot.errors import NotPermitted, OutsideError
from bot.types import Permission
from bot.types.pages import Person, SignInStart

_TIMEOUT_S = 3.0
_MAX_S = 4.0
"""Of one exchange with GitHub: a thread of the web part waits for it."""
_MAX_ANSWER_BYTES = 1 << 20


class _Account(BaseModel):
    id: Annotated[int, Field(ge=1, le=2**63 - 1)]
    login: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]


class _Permissions(BaseModel):
    admin: bool = False
    maintain: bool = False
    push: bool = False
    triage: bool = False


class _Repository(BaseModel):
    permissions: _Permissions = _Permissions()


class _Token(BaseModel):
    access_token: Annotated[str, Field(max_length=500, pattern=r"^[A-Za-z0-9_.\-]+$")]


class GitHubSignIn:
    """SignIn of `bot.ports`."""

    def __init__(
        self, *, client_id: str, client_secret: str, server_url: str, api_url: str
    ) -> None:
        self._client_id, self._client_secret = client_id, client_secret
        self._server_url, self._api_url = server_url, api_url

    def begin(self, redirect_uri: str) -> SignInStart:
        verifier = secrets.token_urlsafe(48)
        with _http() as http:
            url, state = self._flow(http, redirect_uri).create_authorization_url(
                f"{self._server_url}/login/oauth/authorize", code_verifier=verifier
            )
        return SignInStart(url, state, verifier)

    def finish(self, redirect_uri: str, code: str, verifier: str) -> Person:
        with _http() as http, _named_errors():
            try:
                answer = self._flow(http, redirect_uri).fetch_token(
                    f"{self._server_url}/login/oauth/access_token",
                    auth=_leave_as_is,
                    headers={"Accept": "application/json"},
                    client_id=self._client_id,
                    client_secret=self._client_secret,
                    code=code,
                    code_verifier=verifier,
                )
            except OAuth2Error as error:
                if error.error == "incorrect_client_credentials":
                    raise OutsideError(
                        "GitHub does not take this App's client secret.",
                        next_step="Its operator mends GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET.",
                    ) from None
                raise NotPermitted(
                    "GitHub does not take this sign-in.", next_step="Sign in again."
                ) from None
            token = _Token.model_validate(answer).access_token
            account = self._account(http, token)
        if account is None:
            raise NotPermitted("GitHub does not take this sign-in.", next_step="Sign in again.")
        return Person(account.id, account.login, token)

    def login(self, token: str) -> str | None:
        with _http() as http, _named_errors():
            account = self._account(http, token)
        return account.login if account else None

    def permission(self, token: str, repository_id: int) -> Permission | None:
        with _http() as http, _named_errors():
            answer = self._get(http, f"/repositories/{repository_id}", token)
            if answer.status_code == 401:
                return None
            if answer.status_code in (403, 404, 451):
                return "none"
            if answer.status_code != 200:
                raise OutsideError(
                    f"GitHub answered {answer.status_code} about a repository.",
                    next_step=TRY_LATER,
                )
            held = _Repository.model_validate_json(answer.content).permissions
        names: tuple[tuple[bool, Permission], ...] = (
            (held.admin, "admin"),
            (held.maintain, "maintain"),
            (held.push, "write"),
            (held.triage, "triage"),
        )
        return next((name for is_held, name in names if is_held), "read")

    def _account(self, http: httpx.Client, token: str) -> _Account | None:
        """None if the token is not valid."""
        about = self._get(http, "/user", token)
        if about.status_code == 401:
            return None
        if about.status_code != 200:
            raise OutsideError(
                f"GitHub answered {about.status_code} about you.", next_step=TRY_LATER
            )
        return _Account.model_validate_json(about.content)

    def _get(self, http: httpx.Client, path: str, token: str) -> httpx.Response:
        return http.get(
            f"{self._api_url}{path}",
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )

    def _flow(self, http: httpx.Client, redirect_uri: str) -> Any:
        """Over our own client, whose answers are limited in size and time."""
        return OAuth2Client(
            http,
            client_id=self._client_id,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )


def _http() -> httpx.Client:
    client = httpx.Client(
        timeout=_TIMEOUT_S,
        follow_redirects=False,
        headers={"Accept-Encoding": ACCEPT_ENCODING, "User-Agent": "tinygen"},
        event_hooks={"response": [bound_body(_MAX_ANSWER_BYTES)]},
    )
    bound_time(client, max_s=_MAX_S)
    return client


def _leave_as_is(request: httpx.Request) -> httpx.Request:
    """The client authenticates itself in the body of its request."""
    return request


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        with named_errors("GitHub"):
            yield
    except (ValidationError, ValueError):
        raise OutsideError("GitHub's answer cannot be read.", next_step=TRY_LATER) from None
