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
from bot.adapters.github.repository import Repository as Here
from tests.doubles.github import GitHubDouble, Repository
from tests.doubles.github.state import App, Installation

FILES = {"README.md": b"# Hello\n", "src/app.py": b"print('hello')\n", "src/run.sh": b"#!/bin/sh\n"}
PERMISSIONS = {"contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write"}


class Clock:
    """The true time, until it is moved: githubkit signs with the true time."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@dataclass
class Stage:
    double: GitHubDouble
    app: App
    repo: Repository
    installation: Installation
    clock: Clock = field(default_factory=Clock)
    pauses: list[float] = field(default_factory=list)
    """What the adapter would have slept."""
    _open: list[GitHubApp] = field(default_factory=list)
    _usual: GitHubApp | None = None

    def github(self, **changes: Any) -> GitHubApp:
        """The adapter, configured for this App unless `changes` say otherwise; without any, always
        the same one."""
        if not changes and self._usual is not None:
            return self._usual
        settings: dict[str, Any] = {
            "app_id": str(self.app.id),
            "private_key": self.app.private_key,
            "api_url": self.double.api_url,
            "server_url": self.double.url,
            "timeout_s": 10.0,
            "sleep": self.pauses.append,
            "clock": self.clock,
        }
        self._open.append(GitHubApp(**{**settings, **changes}))
        if not changes:
            self._usual = self._open[-1]
        return self._open[-1]

    def here(self, **changes: Any) -> Here:
        """The repository as the App's installation reaches it."""
        return self.github(**changes).connect(self.repo.full_name, self.installation.id)

    def sent(self, method: str, path: str) -> list[dict[str, Any]]:
        """The JSON bodies of the requests whose path the whole regex matches."""
        return [json.loads(request.body) for request in self.double.requests.of(method, path)]

    def count(self, method: str, path: str) -> int:
        return len(self.double.requests.of(method, path))

    def close(self) -> None:
        for github in self._open:
            github.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with GitHubDouble(tmp_path) as double:
        app = double.add_app(permissions={**PERMISSIONS, "workflows": "write"})
        repo = double.add_repository("octocat/hello", files=FILES, permissions={"mona": "write"})
        repo.open_issue("mona", "It is broken", "Mend it.")
        stage = Stage(double, app, repo, double.install(app, "octocat", permissions=PERMISSIONS))
        yield stage
        stage.close()
