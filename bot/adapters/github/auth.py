"""Credentials and identity: TinyGen acts as the App itself, as an installation of it, with
GITHUB_TOKEN, or anonymously.

Installation tokens are made for one repository and with the least permissions. They live in memory
only, are renewed before they expire, and are requested once for all threads. githubkit's App
authentication is not used for them: it cannot replace a token that GitHub refuses, gives out tokens
up to one minute before they expire, and requests one for each thread that needs it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, cast

from pydantic import AwareDatetime, BaseModel, Field

from bot.adapters.github.client import (
    ApiClient,
    ApiRequest,
    Credentials,
    Transport,
    parse_response,
)
from bot.adapters.github.errors import server_time_s
from bot.adapters.github.schemas import App, Installation, IssueComment, User
from bot.errors import AskerError, NotFound, SetupError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from githubkit.auth.app import AppAuth

Permissions = tuple[tuple[str, Literal["read", "write"]], ...]

THREAD_PERMISSIONS: Permissions = (
    ("contents", "read"),
    ("issues", "write"),
    ("metadata", "read"),
    ("pull_requests", "write"),
)
ACTIONS_PERMISSIONS: Permissions = (("actions", "read"),)
FETCH_PERMISSIONS: Permissions = (("contents", "read"),)
PUSH_PERMISSIONS: Permissions = (("contents", "write"),)
WORKFLOW_PUSH_PERMISSIONS: Permissions = (("contents", "write"), ("workflows", "write"))

_MIN_LIFETIME_S = 600.0
"""A token that is given out is valid for at least so long: git may need minutes to fetch."""
_MAX_CACHED_TOKENS = 1000


class TokenCredentials:
    """GITHUB_TOKEN, or nothing."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def token(self, refused: str | None = None) -> str | None:  # noqa: ARG002 - there is no other
        if self._token and not (self._token.isascii() and self._token.isprintable()):
            step = "Copy the token again, without quotes, spaces or line ends."
            raise SetupError("GITHUB_TOKEN holds characters that no token has.", next_step=step)
        return self._token


class AppCredentials:
    """The App as itself: a JWT, signed with its private key (a PEM), valid for some minutes."""

    def __init__(self, transport: Transport, app_id: str, private_key: str) -> None:
        self._transport = transport
        self._app_id = app_id
        self._private_key = private_key
        self._auth: AppAuth | None = None

    def token(self, refused: str | None = None) -> str:  # noqa: ARG002 - another would be the same
        from githubkit.auth.app import AppAuth

        if self._auth is None:
            # PyJWT takes the key itself, too, and need not read the PEM again for each token.
            key = cast(str, _load_private_key(self._private_key))
            self._auth = AppAuth(self._transport.githubkit(), self._app_id, key)
        return self._auth.get_jwt()


def _load_private_key(private_key: str) -> RSAPrivateKey:
    """Without the proof that its numbers are an RSA key, which takes 30 ms: it is the operator's own,
    GitHub refuses what another key signs, and the doctor proves it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(
            private_key.encode(), password=None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise SetupError(
            "GITHUB_PRIVATE_KEY is no RSA private key without a passphrase.",
            next_step="Generate a private key in the App's settings on GitHub, and give the whole"
            " PEM file.",
        )
    return key


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What an installation token may be used for. The repository is the one with the id, if that is
    known, else the one with the name."""

    installation_id: int
    repo: str
    permissions: Permissions
    repository_id: int | None = None


@dataclass(slots=True)
class _CachedToken:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str | None = field(default=None, repr=False)
    expires_at: float = 0.0


class _TokenResponse(BaseModel):
    token: Annotated[str, Field(max_length=2_000, pattern=r"^[!-~]+$")]
    expires_at: AwareDatetime


class InstallationTokens:
    """One valid token for each scope. Usable from any thread."""

    def __init__(self, transport: Transport, app: ApiClient) -> None:
        """`app` has the App's own credentials."""
        self._transport = transport
        self._app = app
        self._lock = threading.Lock()
        self._cache: dict[TokenScope, _CachedToken] = {}

    def token(self, scope: TokenScope, refused: str | None = None) -> str:
        """A token that stays valid for some minutes and is not the refused one."""
        cached = self._cached(scope)
        with cached.lock:
            expires_soon = cached.expires_at - self._transport.clock() < _MIN_LIFETIME_S
            if cached.token is None or cached.token == refused or expires_soon:
                cached.token = None
                cached.token, cached.expires_at = self._create(scope)
            return cached.token

    def _cached(self, scope: TokenScope) -> _CachedToken:
        with self._lock:
            if len(self._cache) >= _MAX_CACHED_TOKENS:
                now = self._transport.clock()
                self._cache = {
                    key: cached for key, cached in self._cache.items() if cached.expires_at > now
                }
            return self._cache.setdefault(scope, _CachedToken())

    def _create(self, scope: TokenScope) -> tuple[str, float]:
        """A new token, and when it expires by our clock.
        https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""
        body: dict[str, object] = {}
        if scope.repository_id is None:
            body["repositories"] = [scope.repo.partition("/")[2]]
        else:
            body["repository_ids"] = [scope.repository_id]
        body["permissions"] = dict(scope.permissions)
        path = f"/app/installations/{scope.installation_id}/access_tokens"
        request = ApiRequest("POST", path, f"get a token for {scope.repo}", json=body)
        try:
            response = self._app.send(request)
        except AskerError as refusal:
            raise SetupError(
                refusal.message,
                next_step="Install the App on this repository, under its present name, and accept"
                " on GitHub the permissions that it asks for.",
            ) from refusal
        created = parse_response(_TokenResponse, request, response)
        now = self._transport.clock()
        lifetime_s = created.expires_at.timestamp() - server_time_s(response, now)
        return created.token, now + lifetime_s


class InstallationCredentials:
    """The tokens of one scope."""

    def __init__(self, tokens: InstallationTokens, scope: TokenScope) -> None:
        self._tokens = tokens
        self._scope = scope

    def token(self, refused: str | None = None) -> str:
        return self._tokens.token(self._scope, refused)


class AppClient:
    """Requests with the App's own key, and the tokens of its installations."""

    def __init__(self, transport: Transport, app_id: str, private_key: str) -> None:
        self._transport = transport
        self.api = ApiClient(transport, AppCredentials(transport, app_id, private_key))
        self.tokens = InstallationTokens(transport, self.api)
        self._lock = threading.Lock()
        self._app: App | None = None

    def cached_app(self) -> App:
        """The App, requested once per process. Its id is read there, since GITHUB_APP_ID may hold
        the client id instead."""
        with self._lock:
            if self._app is None:
                self._app = self.fetch_app()
            return self._app

    def fetch_app(self) -> App:
        return self.api.read(App, ApiRequest("GET", "/app", "read the App's own registration"))

    def fetch_installation_id(self, repo: str) -> int | None:
        """The App's installation on the repository; None without one."""
        path = f"/repos/{repo}/installation"
        request = ApiRequest("GET", path, f"find the App's installation on {repo}")
        try:
            return self.api.read(Installation, request).id
        except NotFound:
            return None

    def open_installation(self, installation_id: int) -> ApiClient:
        """Requests with a token of the whole installation that may read no more than names."""
        path = f"/app/installations/{installation_id}/access_tokens"
        body = {"permissions": {"metadata": "read"}}
        request = ApiRequest("POST", path, "get a token for an installation", json=body)
        token = self.api.read(_TokenResponse, request).token
        return ApiClient(self._transport, TokenCredentials(token))

    def fetch_permissions(self, installation_id: int) -> dict[str, str]:
        """The permissions that the installation's owner accepted."""
        path = f"/app/installations/{installation_id}"
        request = ApiRequest("GET", path, "read what the App's installation may do")
        return self.api.read(Installation, request).permissions


class Identity(Protocol):
    """Who TinyGen is in one repository."""

    def credentials(self, permissions: Permissions) -> Credentials: ...

    def is_author(self, comment: IssueComment) -> bool: ...

    def may_write_workflows(self) -> bool: ...


class InstallationIdentity:
    """The App's installation on the repository."""

    def __init__(
        self, app: AppClient, repo: str, installation_id: int, repository_id: int | None
    ) -> None:
        self._app = app
        self._repo = repo
        self._installation_id = installation_id
        self._repository_id = repository_id

    def credentials(self, permissions: Permissions) -> Credentials:
        scope = TokenScope(self._installation_id, self._repo, permissions, self._repository_id)
        return InstallationCredentials(self._app.tokens, scope)

    def is_author(self, comment: IssueComment) -> bool:
        app, user = comment.performed_via_github_app, comment.user
        if app is not None:
            return app.id == self._app.cached_app().id
        if user is None or user.type != "Bot":
            return False
        return user.login == f"{self._app.cached_app().slug}[bot]"

    def may_write_workflows(self) -> bool:
        return self._app.fetch_permissions(self._installation_id).get("workflows") == "write"


class TokenIdentity:
    """The owner of GITHUB_TOKEN, or nobody."""

    def __init__(self, transport: Transport, token: str | None) -> None:
        self._token = token
        self._api = ApiClient(transport, TokenCredentials(token))

    def credentials(self, permissions: Permissions) -> Credentials:  # noqa: ARG002 - it has its own
        return TokenCredentials(self._token)

    def is_author(self, comment: IssueComment) -> bool:
        if self._token is None or comment.user is None:
            return False
        if comment.performed_via_github_app is not None:
            return False
        request = ApiRequest("GET", "/user", "find out whose GITHUB_TOKEN this is")
        return comment.user.login == self._api.read(User, request).login

    def may_write_workflows(self) -> bool:
        """False, since GitHub does not say what a token may do."""
        return False
