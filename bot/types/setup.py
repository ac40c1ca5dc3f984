"""What set-up exchanges with the world outside."""

from __future__ import annotations

from dataclasses import dataclass, field

APP_SETTINGS = (
    "GITHUB_APP_ID",
    "GITHUB_CLIENT_ID",
    "GITHUB_CLIENT_SECRET",
    "GITHUB_PRIVATE_KEY",
    "GITHUB_WEBHOOK_SECRET",
)
"""The settings that hold an App."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found, for a person. Never a secret."""

    is_good: bool
    message: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """`url` is where people reach this bot, without a last slash. GitHub sends deliveries to
    `hook_url`: a path below it, or a relay's channel."""

    url: str
    relay: str = ""
    """The channel of a relay such as smee.io; "": GitHub reaches the bot itself."""

    @property
    def hook_url(self) -> str:
        return self.relay or f"{self.url}/webhook"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """ "" stands for TinyGen's default, or for what is set already."""

    base_url: str = ""
    name: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who will own the App, at which GitHub. `organization` "": the person at the browser."""

    server_url: str
    api_url: str
    organization: str = ""

    @property
    def new_app_url(self) -> str:
        """https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest"""
        scope = f"/organizations/{self.organization}" if self.organization else ""
        return f"{self.server_url}{scope}/settings/apps/new"


@dataclass(frozen=True, slots=True)
class AppKeys:
    """A GitHub App with its keys. `client_id` and `client_secret` may both be ""."""

    id: int
    page_url: str
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)

    @property
    def install_url(self) -> str:
        return f"{self.page_url}/installations/new"
