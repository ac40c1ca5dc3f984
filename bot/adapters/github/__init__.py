"""The GitHub adapter. A repository is reached as the App if that is installed there, else with
GITHUB_TOKEN, else anonymously."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from bot.adapters.github.app import (
    Deliveries,
    fetch_installations,
    fetch_registration,
    fetch_webhook_config,
)
from bot.adapters.github.auth import AppClient, Identity, InstallationIdentity, TokenIdentity
from bot.adapters.github.client import ApiRequest, Transport
from bot.adapters.github.errors import server_time_s
from bot.adapters.github.repository import Repository
from bot.errors import BadRequest, SetupError
from bot.ports import MetricsSink
from bot.types.github import AppRegistration, InstallationFacts, WebhookConfig
from bot.types.names import REPO_NAME


class GitHubApp:
    """`connect` implements `bot.ports.Connect`. Usable from any thread; `close` it at the end.

    `app_id` and `private_key` (a PEM) are both given or both None; `token` is GITHUB_TOKEN.
    `timeout_s` limits each wait for bytes; one answer may take six of it. `max_limit_wait_s` is the
    longest rate limit that a call itself waits for; a longer one is raised at once.
    """

    def __init__(
        self,
        *,
        app_id: str | None = None,
        private_key: str | None = None,
        token: str | None = None,
        api_url: str = "https://api.github.com",
        server_url: str = "https://github.com",
        timeout_s: float = 20.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        metrics: MetricsSink | None = None,
        max_limit_wait_s: float = 120.0,
    ) -> None:
        self._transport = Transport(
            api_url,
            timeout_s=timeout_s,
            sleep=sleep,
            clock=clock,
            metrics=metrics,
            max_limit_wait_s=max_limit_wait_s,
        )
        self._server_url = server_url.rstrip("/")
        self._token = token
        self._app: AppClient | None = None
        if app_id and private_key:
            self._app = AppClient(self._transport, app_id, private_key)

    def connect(
        self, repo: str, installation_id: int | None, repository_id: int | None = None
    ) -> Repository:
        if not REPO_NAME.fullmatch(repo):
            message = f"{repo[:100]!r} names no repository."
            raise BadRequest(message, next_step="Write it as owner/name.")
        identity = self._identify(repo, installation_id, repository_id)
        url = f"{self._server_url}/{repo}.git"
        return Repository(repo, url, self._transport, identity, repository_id=repository_id)

    def _identify(
        self, repo: str, installation_id: int | None, repository_id: int | None
    ) -> Identity:
        if self._app is None:
            return TokenIdentity(self._transport, self._token)
        if installation_id is None:
            installation_id = self._app.fetch_installation_id(repo)
        if installation_id is None:
            return TokenIdentity(self._transport, self._token)
        return InstallationIdentity(self._app, repo, installation_id, repository_id)

    def fetch_registration(self) -> AppRegistration:
        """SetupError if the key is not the App's, or none is set."""
        return fetch_registration(self._require_app())

    def fetch_webhook_config(self) -> WebhookConfig:
        return fetch_webhook_config(self._require_app())

    def fetch_installations(self, *, limit: int) -> tuple[InstallationFacts, ...]:
        """The first of the App's installations, 100 at most."""
        return fetch_installations(self._require_app(), limit=limit)

    def deliveries(self) -> Deliveries:
        """The App's deliveries that GitHub has on record."""
        return Deliveries(self._require_app())

    def clock_skew_s(self) -> float:
        """How far this machine's clock is ahead of GitHub's. GitHub refuses the App from some 30
        seconds on."""
        request = ApiRequest("GET", "/", "read GitHub's clock")
        response = self._transport.send_once(request, None)
        now = self._transport.clock()
        return now - server_time_s(response, now)

    def _require_app(self) -> AppClient:
        if self._app is None:
            step = (
                "Set GITHUB_APP_ID and GITHUB_PRIVATE_KEY, or register an App with `python -m bot"
                " setup`."
            )
            raise SetupError("No GitHub App is configured.", next_step=step)
        return self._app

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
