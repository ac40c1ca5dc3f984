"""The App, installed on a repository of the double of GitHub."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.github import GitHubApp
from bot.adapters.github.repository import Repository
from tests.doubles.github import GitHubDouble
from tests.doubles.github import Repository as RepositoryDouble
from tests.doubles.github.apps import DEFAULT_PERMISSIONS
from tests.doubles.github.state import App, Installation

FILES = {"README.md": b"# Hello\n", "src/app.py": b"print('hello')\n", "src/run.sh": b"#!/bin/sh\n"}


class Clock:
    """The true time, until it is moved: githubkit signs with the true time."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass
class InstalledApp:
    """An App and its installation on the double, and the adapter that acts as this App."""

    double: GitHubDouble
    app: App
    repo: RepositoryDouble
    installation: Installation
    clock: Clock = field(default_factory=Clock)
    pauses: list[float] = field(default_factory=list)
    """What the adapter would have slept."""
    _adapters: list[GitHubApp] = field(default_factory=list)
    _default: GitHubApp | None = None

    def adapter(self, **changes: Any) -> GitHubApp:
        """The adapter with this App's settings. Without changes of them it is always the same."""
        if not changes and self._default is not None:
            return self._default
        settings: dict[str, Any] = {
            "app_id": str(self.app.id),
            "private_key": self.app.private_key,
            "api_url": self.double.api_url,
            "server_url": self.double.url,
            "timeout_s": 10.0,
            "sleep": self.pauses.append,
            "clock": self.clock,
        }
        adapter = GitHubApp(**{**settings, **changes})
        self._adapters.append(adapter)
        if not changes:
            self._default = adapter
        return adapter

    def connect(self, **changes: Any) -> Repository:
        """The repository as the App's installation reaches it."""
        return self.adapter(**changes).connect(self.repo.full_name, self.installation.id)

    def sent(self, method: str, path: str) -> list[dict[str, Any]]:
        """The JSON bodies of the requests whose path the whole regex matches."""
        return [json.loads(request.body) for request in self.double.requests.of(method, path)]

    def count(self, method: str, path: str) -> int:
        return len(self.double.requests.of(method, path))

    def close(self) -> None:
        for adapter in self._adapters:
            adapter.close()


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[InstalledApp]:
    with GitHubDouble(tmp_path) as double:
        app = double.add_app(permissions={**DEFAULT_PERMISSIONS, "workflows": "write"})
        repo = double.add_repository("octocat/hello", files=FILES, permissions={"mona": "write"})
        repo.open_issue("mona", "It is broken", "Mend it.")
        installation = double.install(app, "octocat", permissions=DEFAULT_PERMISSIONS)
        installed = InstalledApp(double, app, repo, installation)
        yield installed
        installed.close()
