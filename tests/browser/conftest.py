"""The real bot with a finished and a failed job, and a browser."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright

from tests.conftest import absent
from tests.demo import BODY, COMMAND, ISSUE, REPO, sample_files, scripted
from tests.doubles.model import Messages, ModelDouble
from tests.stage import Stage

KEY = "key-of-the-operator-0123456789abcdef"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SLOW = "Slowly, please."
"""A prompt whose model waits until `Site.go_on` is called."""


@dataclass
class Site:
    url: str
    stage: Stage
    jobs: dict[str, str]
    """Ids by state."""
    go_on: Callable[[], None]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What a program with the key is answered."""
        headers = {
            "Authorization": f"Bearer {KEY}",
            "Content-Type": "application/json",
            "Prefer": "respond-async",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def run(self, prompt: str) -> str:
        asked = {"repoUrl": f"{self.stage.github.url}/{REPO}", "prompt": prompt}
        job: str = self.ask("POST", "/run", asked)["job"]
        return job

    def state(self, job: str) -> str:
        state: str = self.ask("GET", f"/jobs/{job}")["state"]
        return state


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    import threading

    may_go_on = threading.Event()

    def reply(messages: Messages) -> str:
        asked = str(messages[-1]["content"])
        if SLOW in asked and "[REVISION NEEDED]" not in asked:
            may_go_on.wait(60)
        return scripted(messages)

    settings = {
        "TINYGEN_OPERATOR_KEYS": KEY,
        "TINYGEN_PRICE_INPUT": "1.25",
        "TINYGEN_PRICE_OUTPUT": "10",
    }
    root = tmp_path_factory.mktemp("site")
    with ModelDouble(reply) as model, Stage(root, model.url, settings) as stage:
        repo = stage.github.add_repository(
            REPO, files=sample_files(), permissions={"octocat": "admin"}
        )
        stage.github.install(stage.app, "octocat")
        issue = repo.open_issue("octocat", ISSUE, BODY)
        repo.comment(issue.number, "octocat", COMMAND)
        stage.finished(REPO, issue.number, 1)
        repo.comment(issue.number, "octocat", "/tinygen apply")
        stage.finished(REPO, issue.number, 2)
        repo.comment(issue.number, "octocat", "/tinygen --base no-such-branch Do it there.")
        stage.finished(REPO, issue.number, 3)
        found = Site(stage.url, stage, {}, may_go_on.set)
        for job in found.ask("GET", "/jobs")["jobs"]:
            found.jobs.setdefault(job["state"], job["id"])
        found.jobs["done"] = next(
            job["id"]
            for job in found.ask("GET", "/jobs")["jobs"]
            if job["command"] == "solve" and job["state"] == "done"
        )
        yield found
        may_go_on.set()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        absent("chromium", "install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A browser's page, with what it asked for and complained of."""

    page: Page
    site: Site
    requests: list[str]
    complaints: list[str]

    def open(self, path: str) -> None:
        answer = self.page.goto(self.site.url + path)
        assert answer is not None
        assert answer.status == 200, path

    def sign_in(self) -> None:
        self.open("/login")
        self.page.get_by_label("One of").fill(KEY)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/jobs")

    def save_picture(self, name: str) -> None:
        """Into the folder that TINYGEN_PICTURES names, to be looked at."""
        folder = os.environ.get("TINYGEN_PICTURES")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def _complain(tab: Tab, said: ConsoleMessage) -> None:
    if said.type in ("error", "warning"):
        tab.complaints.append(said.text)


OpenTab = Callable[..., Tab]


@pytest.fixture
def open_tab(chromium: Browser, site: Site) -> Iterator[OpenTab]:
    contexts = []

    def open_tab(*, width: int = 1200, dark: bool = False, script: bool = True) -> Tab:
        context = chromium.new_context(
            viewport=ViewportSize(width=width, height=900),
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            bypass_csp=False,
        )
        contexts.append(context)
        page = context.new_page()
        tab = Tab(page, site, [], [])
        page.on("request", lambda request: tab.requests.append(request.url))
        page.on("console", lambda said: _complain(tab, said))
        page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        return tab

    yield open_tab
    for context in contexts:
        context.close()
