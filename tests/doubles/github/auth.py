"""The caller of a request, and what the caller may do."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from email.message import Message

import jwt
from jwt.types import Options

from tests.doubles.github.refusals import Refused, not_found
from tests.doubles.github.repository import Repository
from tests.doubles.github.state import LEVELS, App, Role, Token, User, World

LONGEST_JWT_S = 600
"""https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/about-authentication-with-a-github-app"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: an App by its JWT, an installation or a person by a token, or an
    anonymous caller."""

    kind: str = "anonymous"
    app: App | None = None
    token: Token | None = None

    @property
    def actor(self) -> User:
        if self.token and self.token.installation:
            return self.token.installation.app.bot
        if self.token and self.token.user:
            return self.token.user
        raise Refused(401, "Requires authentication")

    @property
    def via(self) -> App | None:
        return self.token.installation.app if self.token and self.token.installation else None


def identify(world: World, headers: Message) -> Caller:
    """The caller of a request. Raises 401 for a credential that is invalid or has expired."""
    scheme, _, credential = headers.get("Authorization", "").partition(" ")
    if not scheme:
        return Caller()
    if scheme.lower() == "basic":
        return _by_token(world, basic_password(credential))
    if scheme.lower() not in ("bearer", "token") or not credential:
        raise Refused(401, "Bad credentials")
    if credential.count(".") == 2:
        return Caller("app", app=_app_of(world, credential))
    return _by_token(world, credential)


def basic_password(credential: str) -> str:
    """GitHub takes a token as the password of any name."""
    try:
        return base64.b64decode(credential, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(401, "Bad credentials") from None


def _by_token(world: World, value: str) -> Caller:
    token = world.tokens.get(value)
    if token is None or token.revoked or _is_over(world, token):
        raise Refused(401, "Bad credentials")
    return Caller("installation" if token.installation else "user", token=token)


def _is_over(world: World, token: Token) -> bool:
    gone = token.installation is not None and token.installation.id not in world.installations
    return gone or (token.expires_at_s is not None and token.expires_at_s <= world.clock())


def _app_of(world: World, credential: str) -> App:
    """The App whose key signed the JWT; its times are checked against the double's own clock."""
    unverified: Options = {"verify_signature": False, "verify_exp": False, "verify_iat": False}
    try:
        issuer = str(jwt.decode(credential, options=unverified).get("iss"))
    except jwt.InvalidTokenError:
        raise Refused(401, "A JSON web token could not be decoded") from None
    app = next((app for app in world.apps.values() if issuer in (str(app.id), app.client_id)), None)
    if app is None:
        raise Refused(404, "Integration not found")
    later: Options = {"verify_exp": False, "verify_iat": False, "require": ["exp", "iat", "iss"]}
    try:
        claims = jwt.decode(credential, app.public_key, algorithms=["RS256"], options=later)
    except jwt.InvalidTokenError:
        raise Refused(401, "A JSON web token could not be decoded") from None
    _check_times(world, claims)
    return app


def _check_times(world: World, claims: dict[str, object]) -> None:
    now, issued, expires = world.clock(), claims["iat"], claims["exp"]
    if not isinstance(issued, int) or issued > now:
        must = "must be an Integer representing the time that the assertion was issued"
        raise Refused(401, f"'Issued at' claim ('iat') {must}")
    if not isinstance(expires, int) or expires <= now:
        must = "must be a numeric value representing the future time at which the assertion expires"
        raise Refused(401, f"'Expiration time' claim ('exp') {must}")
    if expires > now + LONGEST_JWT_S:
        raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")


def require_app(caller: Caller) -> App:
    if caller.app is None:
        raise Refused(401, "A JSON web token could not be decoded")
    return caller.app


def grants(token: Token, need: str) -> bool:
    """Whether the token's own permissions hold `need`, such as `issues:write`."""
    name, _, level = need.partition(":")
    return LEVELS.index(token.permissions.get(name)) >= LEVELS.index(level)


def check_access(caller: Caller, repo: Repository, needs: tuple[str, ...]) -> None:
    """Raises 404 if the caller may not see the repository, and 403 if the caller lacks the
    permission."""
    if caller.kind == "app":
        raise Refused(401, "Bad credentials")
    if not can_see(caller, repo):
        raise not_found()
    reading = all(need.endswith(":read") for need in needs)
    if reading and not repo.private:
        return
    if caller.kind == "anonymous":
        raise Refused(401, "Requires authentication")
    if not any(_may(caller, repo, need) for need in needs):
        what = "integration" if caller.kind == "installation" else "personal access token"
        accepted = "; ".join(need.replace(":", "=") for need in needs)
        headers = {"X-Accepted-GitHub-Permissions": accepted}
        raise Refused(403, f"Resource not accessible by {what}", headers=headers)
    if repo.archived and not reading:
        raise Refused(403, "Repository was archived so is read-only.")


def can_see(caller: Caller, repo: Repository) -> bool:
    """Every caller sees a public repository, whichever repositories the token is limited to."""
    if not repo.private:
        return True
    token = caller.token
    if token is None:
        return False
    if token.installation:
        return token.reaches(repo)
    return token.user is not None and repo.may(token.user, "read")


def _may(caller: Caller, repo: Repository, need: str) -> bool:
    token = caller.token
    assert token is not None
    if token.installation:
        return token.reaches(repo) and grants(token, need)
    name, _, level = need.partition(":")
    role: Role = "write" if level == "write" and name == "contents" else "read"
    return token.user is not None and repo.may(token.user, role)
