"""Who TinyGen is to GitHub: the App itself, one of its installations, a fixed token, or nobody.

Installation tokens are minted for one repository and the least permission, live in memory only, are
renewed before they end, and are minted once however many threads need one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from bot.adapters.github.calls import Call, Calls, Server, checked
from bot.adapters.github.errors import server_time
from bot.errors import AskerError, SetupError

if TYPE_CHECKING:
    from githubkit.auth.app import AppAuth

Permissions = tuple[tuple[str, Literal["read", "write"]], ...]

TALK: Permissions = (
    ("contents", "read"),
    ("issues", "write"),
    ("metadata", "read"),
    ("pull_requests", "write"),
)
CHECKS: Permissions = (("actions", "read"),)
READ: Permissions = (("contents", "read"),)
PUSH: Permissions = (("contents", "write"),)
PUSH_WORKFLOWS: Permissions = (("contents", "write"), ("workflows", "write"))

_RENEW_BEFORE_S = 600.0
"""A token that is handed out is good for at least so long: git may need minutes to fetch with
it."""
_KEPT = 1000


class FixedToken:
    """GITHUB_TOKEN, or nothing."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def token(self, refused: str | None = None) -> str | None:  # noqa: ARG002 - there is no other one
        if self._token and not (self._token.isascii() and self._token.isprintable()):
            step = "Copy the token again, without quotes, spaces or line ends."
            raise SetupError("GITHUB_TOKEN holds characters that no token has.", next_step=step)
        return self._token


class AppKey:
    """The App as itself: a JWT, signed with its private key (a PEM), good for some minutes."""

    def __init__(self, server: Server, app_id: str, private_key: str) -> None:
        self._server = server
        self._app_id = app_id
        self._private_key = private_key
        self._auth: AppAuth | None = None

    def token(self, refused: str | None = None) -> str:  # noqa: ARG002 - the key makes no better one
        from githubkit.auth.app import AppAuth

        if self._auth is None:
            _check_key(self._private_key)
            self._auth = AppAuth(self._server.kit(), self._app_id, self._private_key)
        return self._auth.get_jwt()


def _check_key(private_key: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        step = (
            "Generate a private key in the App's settings on GitHub, and give the whole PEM file."
        )
        raise SetupError(
            "GITHUB_PRIVATE_KEY is no RSA private key without a passphrase.", next_step=step
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is for: the repository of that id or, where none is known, of that name."""

    installation_id: int
    repo: str
    permissions: Permissions
    repository_id: int | None = None


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str | None = field(default=None, repr=False)
    ends_at: float = 0.0


class _Minted(BaseModel):
    token: Annotated[str, Field(max_length=2_000, pattern=r"^[!-~]+$")]
    expires_at: AwareDatetime


class Tokens:
    """Installation tokens, one per grant at a time. Usable from any thread."""

    def __init__(self, server: Server, app: Calls) -> None:
        self._server = server
        self._app = app
        self._lock = threading.Lock()
        self._slots: dict[Grant, _Slot] = {}

    def token(self, grant: Grant, refused: str | None = None) -> str:
        """A token that is good for some minutes yet, and is not the one that was refused."""
        slot = self._slot(grant)
        with slot.lock:
            ends_soon = slot.ends_at - self._server.clock() < _RENEW_BEFORE_S
            if slot.token is None or slot.token == refused or ends_soon:
                slot.token = None
                slot.token, slot.ends_at = self._mint(grant)
            return slot.token

    def _slot(self, grant: Grant) -> _Slot:
        with self._lock:
            if len(self._slots) >= _KEPT:
                now = self._server.clock()
                self._slots = {key: slot for key, slot in self._slots.items() if slot.ends_at > now}
            return self._slots.setdefault(grant, _Slot())

    def _mint(self, grant: Grant) -> tuple[str, float]:
        """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""
        by_name = {"repositories": [grant.repo.partition("/")[2]]}
        of = by_name if grant.repository_id is None else {"repository_ids": [grant.repository_id]}
        wanted = {**of, "permissions": dict(grant.permissions)}
        path = f"/app/installations/{grant.installation_id}/access_tokens"
        call = Call("POST", path, f"get a token for {grant.repo}", json=wanted)
        try:
            response = self._app.send(call)
        except AskerError as refusal:
            raise SetupError(refusal.message, next_step=_NOT_INSTALLED) from refusal
        minted = checked(_Minted, call, response)
        now = self._server.clock()
        return minted.token, now + minted.expires_at.timestamp() - server_time(response, now)


class InstallationToken:
    """One grant's tokens, as credentials."""

    def __init__(self, tokens: Tokens, grant: Grant) -> None:
        self._tokens = tokens
        self._grant = grant

    def token(self, refused: str | None = None) -> str:
        return self._tokens.token(self._grant, refused)


_NOT_INSTALLED = (
    "Install the App on this repository, under its present name, and accept on GitHub the"
    " permissions that it asks for."
)
