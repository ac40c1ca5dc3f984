"""What the double of GitHub knows, apart from what git itself holds."""

from __future__ import annotations

import itertools
import secrets
import string
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tests.doubles.github.repository import Repository

Json = dict[str, Any]
Role = Literal["none", "read", "triage", "write", "maintain", "admin"]
ROLES: tuple[Role, ...] = ("none", "read", "triage", "write", "maintain", "admin")
LEVELS = (None, "read", "write", "admin")
"""Of an App's permission, in rising order."""


@dataclass(eq=False, slots=True)
class User:
    id: int
    login: str
    type: Literal["User", "Bot", "Organization"] = "User"


@dataclass(eq=False, slots=True)
class App:
    """`public_key` checks the App's JWTs; `private_key` is there where the double made the pair, or
    was given it."""

    id: int
    slug: str
    owner: User
    bot: User
    public_key: str
    private_key: str | None
    permissions: dict[str, str]
    events: list[str]
    webhook_url: str | None
    webhook_secret: str | None
    created_at: str
    name: str

    @property
    def client_id(self) -> str:
        return f"Iv23li{self.id:014d}"

    @property
    def client_secret(self) -> str:
        return f"secret-of-{self.client_id}"


@dataclass(eq=False, slots=True)
class Installation:
    """`permissions` are what the account granted, which may be less than the App asks for by now.
    Repositories None: all of the account's."""

    id: int
    app: App
    account: User
    permissions: dict[str, str]
    repositories: list[Repository] | None
    created_at: str
    suspended: bool = False

    def covers(self, repo: Repository) -> bool:
        if repo.owner is not self.account:
            return False
        return self.repositories is None or repo in self.repositories


@dataclass(eq=False, slots=True)
class Token:
    """An installation's (`ghs_`) or a person's (`ghp_`) token; exactly one of the two is set."""

    value: str
    expires_at_s: float | None = None
    installation: Installation | None = None
    user: User | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    repositories: list[Repository] | None = None
    revoked: bool = False

    def reaches(self, repo: Repository) -> bool:
        assert self.installation is not None
        return self.installation.covers(repo) and (
            self.repositories is None or repo in self.repositories
        )


@dataclass(eq=False, slots=True)
class Reaction:
    id: int
    user: User
    content: str
    created_at: str


@dataclass(eq=False, slots=True)
class Comment:
    """Of an issue or pull request; with `path`, a review comment on the pull request's diff."""

    id: int
    number: int
    author: User
    body: str
    created_at: str
    updated_at: str
    via: App | None = None
    reactions: list[Reaction] = field(default_factory=list)
    path: str | None = None
    line: int | None = None
    start_line: int | None = None
    commit_id: str = ""
    in_reply_to: int | None = None
    review: int | None = None
    is_outdated: bool = False
    """Whether its lines have changed since."""
    is_resolved: bool = False
    """Of a thread's first comment: whether the thread is resolved."""


@dataclass(eq=False, slots=True)
class Pull:
    """The part of a pull request that an issue has not. `head_sha` is the last known: the branch
    may be gone."""

    head_repo: Repository | None
    head_owner: User
    head_ref: str
    head_sha: str
    base_ref: str
    draft: bool = False
    merged_at: str | None = None


@dataclass(eq=False, slots=True)
class Issue:
    id: int
    number: int
    author: User
    title: str
    body: str | None
    created_at: str
    updated_at: str
    via: App | None = None
    state: Literal["open", "closed"] = "open"
    closed_at: str | None = None
    locked: bool = False
    pull: Pull | None = None
    labels: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    """Who was asked to review the pull request, by login."""
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class WorkflowRun:
    """A run of GitHub Actions with one job, which failed in its one step. `log` None: kept no
    longer."""

    id: int
    job_id: int
    name: str
    job: str
    step: str
    log: str | None
    branch: str
    head_sha: str
    created_at: str
    passed_before: int = 0
    """How many earlier attempts of the run passed."""


Emit = Callable[["Repository", User, str, Json], None]
"""(repository, sender, event, the event's own part of the payload): delivers the event."""


@dataclass(frozen=True, slots=True)
class SignInCode:
    """What a browser brings back after a person let an App act in their name."""

    user: User
    app: App
    redirect_uri: str
    challenge: str


@dataclass(eq=False, slots=True)
class World:
    """Everything there is. `lock` is held while a request is answered, never while the network is
    waited for."""

    url: str
    api_url: str
    clock: Callable[[], float] = time.time
    lock: threading.RLock = field(default_factory=threading.RLock)
    users: dict[str, User] = field(default_factory=dict)
    apps: dict[int, App] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    repositories: dict[int, Repository] = field(default_factory=dict)
    names: dict[str, Repository] = field(default_factory=dict)
    """Lower-case full names, former ones included."""
    manifests: dict[str, Json] = field(default_factory=dict)
    """By the code that the manifest flow hands out, once."""
    sign_in_codes: dict[str, SignInCode] = field(default_factory=dict)
    at_browser: User | None = None
    """Who is signed in to GitHub in the browser, and lets every App act; None denies it."""
    attachments: dict[str, tuple[bytes, bool]] = field(default_factory=dict)
    """Attached files and whether they are private, by the name in their address."""
    emit: Emit = lambda repo, sender, event, part: None
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(3_000_000_001))
    """Above 2^31, as GitHub's newer ids are."""

    def now(self) -> str:
        return iso(self.clock())

    def user(self, login: str) -> User:
        """The user of that login, made on first mention."""
        known = self.users.get(login.lower())
        if known is None:
            known = self.users[login.lower()] = User(next(self.ids), login)
        return known

    def mint(self, prefix: str) -> str:
        letters = string.ascii_letters + string.digits
        return prefix + "".join(secrets.choice(letters) for _ in range(36))


def iso(seconds: float) -> str:
    """GitHub's timestamps: UTC, whole seconds, `Z`."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
