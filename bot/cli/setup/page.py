"""The local page from which a person's browser goes to GitHub, and to which GitHub sends it back
with a code."""

from __future__ import annotations

import hmac
import html
import json
import secrets
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from bot.errors import TimedOut, TinyGenError

CREATED = "/created"

_CONNECTION_S = 10.0
_HEAD = """\
<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>TinyGen</title>
<body style="font: 1.1em/1.5 system-ui, sans-serif; margin: 3em auto; max-width: 36em; padding: 0 1em">
"""


class Page:
    """Answers at `url`, on loopback, from `with` to its end.

    `manifest` is given the address to come back to, and gives what is posted to `new_app_url`.
    `finish` is called once, with GitHub's code; the browser is sent on to the address that it
    gives, which is `wait`'s result too.
    """

    def __init__(
        self,
        new_app_url: str,
        manifest: Callable[[str], dict[str, Any]],
        finish: Callable[[str], str],
    ) -> None:
        self._new_app_url = new_app_url
        self._manifest = manifest
        self._exchange = _Exchange(secrets.token_urlsafe(24), finish)

    def wait(self, within_s: float) -> str:
        """What `finish` gave, or raised. TimedOut where nobody came back."""
        if not self._exchange.ended.wait(within_s):
            message = f"Nobody registered the App within {within_s / 60:.0f} minutes."
            raise TimedOut(message, next_step="Run `python -m bot setup` again.")
        if isinstance(self._exchange.outcome, TinyGenError):
            raise self._exchange.outcome
        return self._exchange.outcome

    def __enter__(self) -> Self:
        self._server = _Listener(("127.0.0.1", 0), _Connection)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        action = f"{self._new_app_url}?state={self._exchange.state}"
        self._exchange.form = _form(
            action, self._manifest(f"http://127.0.0.1:{self.port}{CREATED}")
        )
        self._server.exchange = self._exchange
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Exchange:
    """The form that goes to GitHub, and what comes back, once."""

    def __init__(self, state: str, finish: Callable[[str], str]) -> None:
        self.state = state
        self.form = ""
        self.outcome: str | TinyGenError = ""
        self.ended = threading.Event()
        """Set once the browser was told the outcome: the process may end then."""
        self._finish = finish
        self._first = threading.Lock()

    def take(self, query: str) -> tuple[HTTPStatus, str]:
        """The answer to a browser that comes back: where to go on, or words for the person."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        code = given.get("code", "")
        if not code or not hmac.compare_digest(
            given.get("state", "").encode(), self.state.encode()
        ):
            return (
                HTTPStatus.BAD_REQUEST,
                "This is not the answer to the form that setup sent. Begin at its address.",
            )
        if not self._first.acquire(blocking=False):
            return HTTPStatus.CONFLICT, "The App is registered already: see the terminal."
        try:
            self.outcome = onward = self._finish(code)
        except TinyGenError as error:
            self.outcome = error
            return HTTPStatus.BAD_GATEWAY, str(error)
        return HTTPStatus.SEE_OTHER, onward


class _Listener(ThreadingHTTPServer):
    exchange: _Exchange
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a browser that went away is no fault
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    server: _Listener
    timeout = _CONNECTION_S

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if self.headers.get("Host", "").partition(":")[0] not in ("127.0.0.1", "localhost"):
            self._answer(
                HTTPStatus.MISDIRECTED_REQUEST, "Open the address that setup printed."
            )  # DNS rebinding
        elif path == "/":
            self._answer(HTTPStatus.OK, self.server.exchange.form, is_html=True)
        elif path == CREATED:
            self._come_back(query)
        else:
            self._answer(
                HTTPStatus.NOT_FOUND, "There is nothing here. Open the address that setup printed."
            )

    def _come_back(self, query: str) -> None:
        status, words = self.server.exchange.take(query)
        try:
            self._answer(status, words)
        finally:
            if self.server.exchange.outcome:
                self.server.exchange.ended.set()

    def _answer(self, status: HTTPStatus, words: str, *, is_html: bool = False) -> None:
        body = (_HEAD + (words if is_html else f"<p>{html.escape(words)}")).encode()
        self.send_response(status)
        if status == HTTPStatus.SEE_OTHER:
            self.send_header("Location", words)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """The code and the state are no one's to read in a log."""


def _form(action: str, manifest: dict[str, Any]) -> str:
    return (
        f"<h1>Register TinyGen</h1><p>GitHub will ask you to confirm the App's name; it sends"
        f" deliveries to "
        f"<code>{html.escape(manifest['hook_attributes']['url'])}</code>."
        f'<form action="{html.escape(action)}" method="post">'
        f'<input type="hidden" name="manifest" value="{html.escape(json.dumps(manifest))}">'
        '<button style="font: inherit; padding: .5em 1em">Go on to GitHub</button></form>'
    )
