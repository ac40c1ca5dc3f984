"""What the doctor's tests share: an App in the double, an address that answers, and services that
wait for nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.github import GitHubApp
from bot.adapters.model import OpenAIModel
from bot.cli.doctor import Checkup, Finding, Services, find_all
from bot.config import Config
from bot.thread.webhooks import EVENTS
from tests.doubles.github import GitHubDouble
from tests.doubles.github.apps import DEFAULT_PERMISSIONS
from tests.doubles.server import Request, Response, Server

SECRET = "0123456789abcdef0123"
READY = json.dumps({"status": "ready", "workers": 1}).encode()
Settings = dict[str, str]
Add = Callable[..., Settings]


class Address:
    """A public address. `readyz` is what it answers there, `webhook` the status of each delivery,
    which waits until it `may_answer`."""

    def __init__(self) -> None:
        self.readyz = Response(200, READY)
        self.webhook = 202
        self.url = ""
        self.may_answer = threading.Event()
        self.may_answer.set()

    def answer(self, request: Request) -> Response:
        if request.path == "/readyz":
            return self.readyz
        self.may_answer.wait(10)
        return Response(self.webhook if request.path == "/webhook" else 404)


@pytest.fixture
def address() -> Iterator[Address]:
    made = Address()
    with Server(made.answer) as server:
        made.url = server.url
        yield made


@pytest.fixture
def add_app(github: GitHubDouble, tmp_path: Path, address: Address) -> Add:
    """Registers the App, as setup does or as told, and gives the settings for it."""

    def add(*, installed: bool = True, **changed: Any) -> Settings:
        as_setup = {
            "permissions": DEFAULT_PERMISSIONS,
            "events": list(EVENTS),
            "webhook_url": f"{address.url}/webhook",
        }
        app = github.add_app(**{**as_setup, **changed})
        github.add_repository("octocat/hello", files={"a": b"a"})
        if installed:
            github.install(app, "octocat")
        return {
            "GITHUB_APP_ID": str(app.id),
            "GITHUB_PRIVATE_KEY": app.private_key or "",
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.url,
            "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
            "TINYGEN_DATA_DIR": str(tmp_path / "data"),
            "TINYGEN_PUBLIC_URL": address.url,
        }

    return add


def impatient_model(config: Config) -> OpenAIModel:
    async def no_wait(_seconds: float) -> None:
        await asyncio.sleep(0)

    return OpenAIModel(config.openai_base_url, None, config.openai_model, sleep=no_wait)


def impatient_github(config: Config, ahead_s: float = 0.0) -> GitHubApp:
    key = config.github_private_key
    return GitHubApp(
        app_id=str(config.github_app_id) if config.github_app_id else None,
        private_key=key.get_secret_value() if key else None,
        api_url=config.github_api_url,
        server_url=config.github_server_url,
        sleep=lambda _seconds: None,
        clock=lambda: time.time() + ahead_s,
    )


SERVICES = Services(github=impatient_github, model=impatient_model, wait=lambda _seconds: None)


def checkup(settings: Mapping[str, str], services: Services = SERVICES, **more: Any) -> Checkup:
    return Checkup(Config.model_validate(settings), services, **more)


def found(
    settings: Mapping[str, str], services: Services = SERVICES, **more: Any
) -> dict[str, Finding]:
    """The findings by subject; of one subject the last."""
    return {each.subject: each for each in find_all(checkup(settings, services, **more))}


def faults(
    settings: Mapping[str, str], services: Services = SERVICES, **more: Any
) -> dict[str, Finding]:
    """But for the model's, which most tests here have none of."""
    faulty = {
        subject: finding
        for subject, finding in found(settings, services, **more).items()
        if finding.good is False
    }
    assert all(finding.next_step for finding in faulty.values())
    return {subject: finding for subject, finding in faulty.items() if subject != "model"}
