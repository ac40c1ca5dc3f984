"""The set-up in memory: its pages on a test client, its tools on the double of GitHub and a `.env` of
its own."""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from bot.cli.setup.manifest import read_manifest
from bot.cli.setup.tools import LocalTools
from bot.config import load_config
from bot.errors import TinyGenError
from bot.web.setup import create_setup_app
from bot.web.setup.flow import Finished, Flow
from bot.web.setup.guard import Guard
from tests.doubles.server import Request, Response, Server

TOKEN = "one-time-token-of-the-test"
LOCAL = "http://127.0.0.1:8000"
HTML = {"Accept": "text/html"}
_FORM = re.compile(r'action="([^"]+)">\s*<input type="hidden" name="manifest" value="([^"]+)"')


def manifest_form(page: str) -> tuple[str, dict[str, Any]]:
    """Where the form for GitHub posts to, and the manifest in it."""
    found = _FORM.search(page)
    assert found is not None, page
    return html.unescape(found[1]), json.loads(html.unescape(found[2]))


def confirm(page: str) -> str:
    """What a person does at GitHub; where the browser is sent back to."""
    action, manifest = manifest_form(page)
    answer = httpx.post(action, data={"manifest": json.dumps(manifest)}, trust_env=False)
    return answer.headers["Location"]


class SetupSite:
    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        """`settings` are the environment's."""
        self.env_file = folder / ".env"
        config = load_config(settings, self.env_file)
        self.endings: list[Finished | TinyGenError] = []
        tools = LocalTools(config, read_manifest(), settings, self.env_file)
        self.flow = Flow(config, tools, self.endings.append)
        self.used = threading.Event()
        self.guard = Guard(config, TOKEN, self.used)
        self.app = create_setup_app(self.flow, self.guard)
        self.client = self.app.test_client()

    def start_again(self) -> None:
        """As gunicorn starts its process again, from the same parent."""
        self.guard = Guard(load_config({}, None), TOKEN, self.used)
        self.app = create_setup_app(self.flow, self.guard)
        self.client = self.app.test_client()

    def get(self, path: str = "/setup", at: str = LOCAL, **headers: str) -> TestResponse:
        return self.client.get(path, base_url=at, headers={**HTML, **headers})

    def open(self, at: str = LOCAL) -> None:
        """Follows the link that the process printed."""
        assert self.get(f"/setup?token={TOKEN}", at).status_code == 303

    def post(
        self,
        step: str,
        form: Mapping[str, str],
        at: str = LOCAL,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        sent = {**HTML, "Origin": at, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        data = {"form_token": self.guard.form_token, **form}
        return self.client.post(f"/setup/{step}", base_url=at, headers=sent, data=data)

    def come_back(self, location: str) -> TestResponse:
        """As the browser that GitHub sends back."""
        url = urlsplit(location)
        return self.get(f"{url.path}?{url.query}", f"{url.scheme}://{url.netloc}")

    def written(self) -> str:
        return self.env_file.read_text() if self.env_file.exists() else ""

    @contextmanager
    def reached(self) -> Iterator[str]:
        """A public address that leads to this set-up."""

        def answer(request: Request) -> Response:
            inside = self.app.test_client().get(request.path, query_string=request.query_string)
            return Response(inside.status_code, inside.data)

        with Server(answer) as server:
            yield server.url

    @contextmanager
    def served(self) -> Iterator[tuple[Self, str]]:
        """On a port of loopback, for a real browser."""
        server = make_server("127.0.0.1", 0, self.app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
