"""The cookies of the pages: who is signed in, a sign-in under way, and the tokens that forms carry.

A session is sealed with a key that only this installation has: the browser can neither read nor
change it, and nothing of it is stored here. So a person's token at GitHub lives in the browser's
cookie alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import TypeVar
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from flask import Response, request

T = TypeVar("T")

SESSION_S = 8 * 3600
"""As long as GitHub's token for a person is valid.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
"""
SIGN_IN_S = 600
"""How long a sign-in may take."""


@dataclass(frozen=True, slots=True)
class Session:
    """A person who signed in by GitHub, or a browser that gave a key."""

    id: str
    user_id: int = 0
    login: str = ""
    token: str = field(default="", repr=False)
    key_digest: str = ""
    """Of the key (SHA-256, hexadecimal): the session ends when the key is no longer set."""


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    state: str
    verifier: str
    next: str
    """The path to go on to."""


class Cookies:
    """Reads and sets the cookies. `key` gives the installation's secret key, 32 bytes."""

    def __init__(self, key: Callable[[], bytes], public_url: str | None = None) -> None:
        self.key = key
        self._public_url = public_url

    def session(self) -> Session | None:
        return self._read("session", Session, SESSION_S)

    def set_session(self, response: Response, session: Session) -> None:
        self._set(response, "session", session, SESSION_S)

    def end_session(self, response: Response) -> None:
        self._delete(response, "session")

    def pending(self) -> PendingSignIn | None:
        return self._read("sign_in", PendingSignIn, SIGN_IN_S)

    def set_pending(self, response: Response, pending: PendingSignIn) -> None:
        self._set(response, "sign_in", pending, SIGN_IN_S)

    def end_pending(self, response: Response) -> None:
        self._delete(response, "sign_in")

    def form_token(self, session_id: str) -> str:
        """What a form of this session must carry, so that no page of another site can send it."""
        return hmac.new(self._derived("forms"), session_id.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, session_id: str, token: str) -> bool:
        return hmac.compare_digest(self.form_token(session_id).encode(), token.encode())

    def _read(self, name: str, kind: type[T], max_age_s: int) -> T | None:
        sealed = request.cookies.get(self._name(name), "")
        if not sealed:
            return None
        known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
        try:
            values = json.loads(self._seal(name).decrypt(sealed.encode(), ttl=max_age_s))
            return kind(**{name: value for name, value in values.items() if name in known})
        except (InvalidToken, ValueError, TypeError):  # TypeError: of another version
            return None

    def _set(self, response: Response, name: str, value: object, max_age_s: int) -> None:
        text = json.dumps(asdict(value))  # type: ignore[call-overload]
        response.set_cookie(
            self._name(name),
            self._seal(name).encrypt(text.encode()).decode(),
            max_age=max_age_s,
            httponly=True,
            secure=comes_by_https(self._public_url),
            samesite="Lax",
        )

    def _delete(self, response: Response, name: str) -> None:
        response.delete_cookie(
            self._name(name), secure=comes_by_https(self._public_url), httponly=True, samesite="Lax"
        )

    def _name(self, name: str) -> str:
        """A browser takes `__Host-` from a secure page of this very host alone."""
        return f"__Host-tinygen-{name}" if comes_by_https(self._public_url) else f"tinygen-{name}"

    def _seal(self, purpose: str) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._derived(purpose)))

    def _derived(self, purpose: str) -> bytes:
        return hmac.new(self.key(), purpose.encode(), hashlib.sha256).digest()


def comes_by_https(public_url: str | None) -> bool:
    """Whether the browser came by https: as the proxy says, or because the public address is."""
    public = urlsplit(public_url or "")
    proto = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    is_public = request.host.lower() == public.netloc.lower()
    return (proto or (public.scheme if is_public else request.scheme)) == "https"


def new_session_id() -> str:
    return secrets.token_urlsafe(16)
