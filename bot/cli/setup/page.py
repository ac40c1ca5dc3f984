"""A page on this machine from which a person's browser posts the App's manifest to GitHub, and to
which GitHub sends the browser back with a code."""

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

_CONNECTION_TIMEOUT_S = 10.0
_SHUTDOWN_POLL_S = 0.1
_HEAD = """\
<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>TinyGen</title>
<body style="font: 1.1em/1.5 system-ui, sans-serif; margin: 3em auto; max-width: 36em; \
padding: 0 1em">
"""


class Page:
    """A context manager that answers at `url`, on loopback.

    `render_manifest` gets the URL to which GitHub sends the browser back, and returns what is
    posted to `new_app_url`. `finish` is called once, with GitHub's code; it returns the URL to
    which the browser is redirected, which is the result of `wait` too.
    """

    def __init__(
        self,
        new_app_url: str,
        render_manifest: Callable[[str], dict[str, Any]],
        finish: Callable[[str], str],
    ) -> None:
        self._new_app_url = new_app_url
        self._render_manifest = render_manifest
        self._exchange = _Exchange(secrets.token_urlsafe(24), finish)

    def wait(self, timeout_s: float) -> str:
        """What `finish` returned or raised. TimedOut if no browser came back."""
        if not self._exchange.ended.wait(timeout_s):
            message = f"Nobody registered the App within {timeout_s / 60:.0f} minutes."
            raise TimedOut(message, next_step="Run `python -m bot setup` again.")
        if isinstance(self._exchange.outcome, TinyGenError):
            raise self._exchange.outcome
        return self._exchange.outcome

    def __enter__(self) -> Self:
        self._server = _Listener(("127.0.0.1", 0), _Connection)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        manifest = self._render_manifest(f"http://127.0.0.1:{self.port}{CREATED}")
        action = f"{self._new_app_url}?state={self._exchange.state}"
        self._exchange.form = _render_form(action, manifest)
        self._server.exchange = self._exchange
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(_SHUTDOWN_POLL_S,), daemon=True).start()
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
    """The form for GitHub, and the outcome of the first answer that comes back."""

    def __init__(self, state: str, finish: Callable[[str], str]) -> None:
        self.state = state
        self.form = ""
        self.outcome: str | TinyGenError = ""
        self.ended = threading.Event()
        """Set when the outcome was sent to the browser: the process may end then."""
        self._finish = finish
        self._first = threading.Lock()

    def take(self, query: str) -> tuple[HTTPStatus, str]:
        """The answer to a browser that comes back: a URL to go on to, or text for the person."""
        parameters = {name: values[0] for name, values in parse_qs(query).items()}
        code = parameters.get("code", "")
        state = parameters.get("state", "")
        if not code or not hmac.compare_digest(state.encode(), self.state.encode()):
            return (
                HTTPStatus.BAD_REQUEST,
                "This is not the answer to the form that setup sent. Begin at its address.",
            )
        if not self._first.acquire(blocking=False):
            return HTTPStatus.CONFLICT, "The App is registered already: see the terminal."
        try:
            next_url = self._finish(code)
        except TinyGenError as error:
            self.outcome = error
            return HTTPStatus.BAD_GATEWAY, str(error)
        self.outcome = next_url
        return HTTPStatus.SEE_OTHER, next_url


class _Listener(ThreadingHTTPServer):
    exchange: _Exchange
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a browser that went away is no fault
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    server: _Listener
    timeout = _CONNECTION_TIMEOUT_S

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        host = self.headers.get("Host", "").partition(":")[0]
        if host not in ("127.0.0.1", "localhost"):  # DNS rebinding
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, "Open the address that setup printed.")
        elif path == "/":
            self._answer(HTTPStatus.OK, self.server.exchange.form, is_html=True)
        elif path == CREATED:
            self._answer_return(query)
        else:
            self._answer(
                HTTPStatus.NOT_FOUND, "There is nothing here. Open the address that setup printed."
            )

    def _answer_return(self, query: str) -> None:
        status, text = self.server.exchange.take(query)
        try:
            self._answer(status, text)
        finally:
            if self.server.exchange.outcome:
                self.server.exchange.ended.set()

    def _answer(self, status: HTTPStatus, text: str, *, is_html: bool = False) -> None:
        content = text if is_html else f"<p>{html.escape(text)}"
        body = (_HEAD + content).encode()
        self.send_response(status)
        if status == HTTPStatus.SEE_OTHER:
            self.send_header("Location", text)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Logs nothing: the code and the state are secrets."""


def _render_form(action: str, manifest: dict[str, Any]) -> str:
    return (
        f"<h1>Register TinyGen</h1><p>GitHub will ask you to confirm the App's name; it sends"
        f" deliveries to "
        f"<code>{html.escape(manifest['hook_attributes']['url'])}</code>."
        f'<form action="{html.escape(action)}" method="post">'
        f'<input type="hidden" name="manifest" value="{html.escape(json.dumps(manifest))}">'
        '<button style="font: inherit; padding: .5em 1em">Go on to GitHub</button></form>'
    )
