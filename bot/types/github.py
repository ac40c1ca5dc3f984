"""What GitHub holds, as values: threads, comments, pull requests, failed jobs of a check, and the App
itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

GHOST = "ghost"
"""The login that GitHub shows for a deleted account."""


@dataclass(frozen=True, slots=True)
class Thread:
    """An issue or a pull request as it stands now."""

    title: str
    body: str
    author: str


@dataclass(frozen=True, slots=True)
class Comment:
    id: int
    body: str
    author: str
    author_is_bot: bool
    by_this_app: bool
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class LineComment:
    """A comment of a review, on lines of a pull request's diff; see `bot.types.ReviewComment`."""

    id: int
    thread_id: int
    """The first comment of its thread."""
    review_id: int | None
    body: str
    author: str
    author_id: int | None
    author_is_bot: bool
    created_at: str
    updated_at: str
    path: str
    hunk: str
    line: int | None
    start_line: int | None
    side: str
    commit_sha: str


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job of a run of checks. `log` is its end, 64 KB at most."""

    name: str
    step: str
    log: str
    has_passed: bool = False
    """Whether another attempt of the same run, on the same commit, passed."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """`head_repo` is None if the fork was deleted."""

    number: int
    url: str
    state: Literal["open", "closed"]
    head_ref: str
    head_sha: str
    head_repo: str | None
    base_ref: str

    def is_within(self, repo: str) -> bool:
        """Whether its branch is in `repo` itself, and not in a fork."""
        return (self.head_repo or "").lower() == repo.lower()

    def fork_owner(self, repo: str) -> str | None:
        """The owner of the fork that its branch is in; None if it is in `repo` itself, or if the
        fork was deleted."""
        if not self.head_repo or self.is_within(repo):
            return None
        return self.head_repo.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Remote:
    """Where git reads a repository: an https URL with the token apart, or a directory on this
    machine.

    `token` never appears in `repr`, in arguments, or in a URL.
    """

    url: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Remote({self.url!r})"


@dataclass(frozen=True, slots=True)
class AppRegistration:
    """`installations` is their number; None if this server does not tell it. `page_url` is its page
    on GitHub; "" if the server does not say."""

    slug: str
    name: str
    page_url: str
    permissions: Mapping[str, str]
    events: tuple[str, ...]
    installations: int | None


@dataclass(frozen=True, slots=True)
class InstallationFacts:
    """`repositories` is the number that it covers; None while it is suspended: then the App gets no
    deliveries of it, and no token. `page_url` is where its owner changes it."""

    page_url: str
    repositories: int | None


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Where GitHub sends the App's deliveries. `checks_tls`: whether it checks the certificate
    there."""

    url: str
    content_type: str
    checks_tls: bool
