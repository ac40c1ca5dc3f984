"""GitHub, reached as the App where it is installed, else with GITHUB_TOKEN, else anonymously."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from bot.adapters.github.app import (
    Access,
    AppFacts,
    AppItself,
    Deliveries,
    HookFacts,
    InstalledAccess,
    TokenAccess,
)
from bot.adapters.github.calls import Call, Server
from bot.adapters.github.errors import server_time
from bot.adapters.github.repository import Repository
from bot.errors import BadRequest, SetupError
from bot.ports import MetricsSink
from bot.types.names import REPO_NAME


class GitHubApp:
    """`connect` is a `bot.ports.Connect`. Usable from any thread; `close` it, or leave its `with`.

    `app_id` and `private_key` (a PEM) are both given or both None; `token` is GITHUB_TOKEN.
    `timeout_s` bounds each wait for GitHub's bytes, and six of them one answer, not a whole call;
    `limit_patience_s` what a call itself waits for GitHub's limits.
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
        watch: MetricsSink | None = None,
        limit_patience_s: float = 120.0,
    ) -> None:
        self._server = Server(
            api_url,
            timeout_s=timeout_s,
            sleep=sleep,
            clock=clock,
            watch=watch,
            limit_patience_s=limit_patience_s,
        )
        self._server_url = server_url.rstrip("/")
        self._app = AppItself(self._server, app_id, private_key) if app_id and private_key else None
        self._token = token

    def connect(
        self, repo: str, installation_id: int | None, repository_id: int | None = None
    ) -> Repository:
        if not REPO_NAME.fullmatch(repo):
            raise BadRequest(
                f"{repo[:100]!r} names no repository.", next_step="Write it as owner/name."
            )
        access = self._access(repo, installation_id, repository_id)
        url = f"{self._server_url}/{repo}.git"
        return Repository(repo, url, self._server, access, repository_id=repository_id)

    def _access(self, repo: str, installation_id: int | None, repository_id: int | None) -> Access:
        if self._app is None:
            return TokenAccess(self._server, self._token)
        if installation_id is None:
            installation_id = self._app.installation_id(repo)
        if installation_id is None:
            return TokenAccess(self._server, self._token)
        return InstalledAccess(self._app, repo, installation_id, repository_id)

    def app_facts(self) -> AppFacts:
        """The App's registration. SetupError where the key is not its key, or none is set."""
        return self._configured().facts()

    def hook_facts(self) -> HookFacts:
        return self._configured().hook()

    def clock_skew_s(self) -> float:
        """By how many seconds this machine's clock is ahead of GitHub's. Over some 30, GitHub
        refuses the App."""
        response = self._server.exchange(Call("GET", "/", "read GitHub's clock"), None)
        now = self._server.clock()
        return now - server_time(response, now)

    def deliveries(self) -> Deliveries:
        """What GitHub remembers of the App's deliveries."""
        return Deliveries(self._configured().calls)

    def _configured(self) -> AppItself:
        if self._app is None:
            step = (
                "Set GITHUB_APP_ID and GITHUB_PRIVATE_KEY, or register an App with `python -m bot"
                " setup`."
            )
            raise SetupError("No GitHub App is configured.", next_step=step)
        return self._app

    def close(self) -> None:
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
