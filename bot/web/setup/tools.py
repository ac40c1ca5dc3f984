"""What set-up exchanges with the world outside: the values, and the one Protocol through which the
pages reach GitHub, the model's server and `.env`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


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


class SetupTools(Protocol):
    def check_address(self, address: str, probe: str, answer: str) -> Outcome:
        """Whether `GET <address>/healthz?probe=<probe>` is answered with `answer`."""

    def try_model(self, choice: ModelChoice) -> Outcome:
        """Asks the model for one word."""

    def render_manifest(self, address: Address, redirect_url: str) -> dict[str, Any]:
        """What is posted to GitHub to register the App."""

    def fetch_new_app(self, owner: Owner, code: str) -> AppKeys:
        """The App that was just registered; OutsideError if GitHub does not give it out."""

    def check_app(self, owner: Owner, app: AppKeys) -> tuple[AppKeys, tuple[Outcome, ...]]:
        """An App that exists, with its page's URL, and what is wrong with it. TinyGenError if GitHub
        does not take its id and key."""

    def set_names(self) -> frozenset[str]:
        """The settings that have a value now, in the environment or in `.env`."""

    def write(self, settings: Mapping[str, str]) -> tuple[str, ...]:
        """Adds those of the settings that have no value yet to `.env`, and returns their names.
        SetupError if it cannot be written, or has an App by now; nothing is written then."""
