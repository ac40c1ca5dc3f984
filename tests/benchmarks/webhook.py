"""From a signed delivery to its 202: the real web part on SQLite against a bare route that only
checks the signature.

Both run under gunicorn with the same processes and threads, on the same machine, in turns, and get
the same bytes from the same generator: one loop over sixteen kept connections, every delivery with
an id of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask, abort, request

from bot.thread.webhooks import verify_signature
from tests import ROOT
from tests.doubles.server import free_port
from tests.polling import poll

Row = tuple[str, str, str]
"""What, measured, target."""

SECRET = "a-secret-of-the-benchmark"
CONNECTIONS = 16
PROCESSES, THREADS = 2, 8
ROUNDS = 11
"""Each with new connections: by chance more of them come to one process than to the other, and stay
there."""


def run(seconds: float = 4.0) -> list[Row]:
    """Takes about fifteen times `seconds`."""
    round_s = seconds / 4
    with tempfile.TemporaryDirectory() as directory, _bare() as bare, _bot(Path(directory)) as bot:
        requests = deliveries_of("octocat/hello", repository_id=1, installation=1, secret=SECRET)
        for port in (bare, bot):
            _saturate(port, requests, seconds / 2)
        rates = [
            (_saturate(bare, requests, round_s), _saturate(bot, requests, round_s))
            for _ in range(ROUNDS)
        ]
        bare_rate, bot_rate = (statistics.fmean(column) for column in zip(*rates, strict=True))
        waits_ms = sorted(1000 * wait_s for wait_s in paced(bot, requests, 50, 5 * seconds))
        bare_ms = sorted(1000 * wait_s for wait_s in paced(bare, requests, 50, 2 * seconds))
    return [
        (
            "webhook to 202, of a bare signature-checking route's requests/s",
            f"{bot_rate / bare_rate:.2f}",
            ">= 0.5",
        ),
        ("webhook to 202, requests/s (the bare route)", f"{bot_rate:,.0f} ({bare_rate:,.0f})", ""),
        (
            "webhook to 202 at 50 requests/s, p50",
            f"{quantile(waits_ms, 0.5)} ({quantile(bare_ms, 0.5)})",
            "",
        ),
        (
            "webhook to 202 at 50 requests/s, p99",
            f"{quantile(waits_ms, 0.99)} ({quantile(bare_ms, 0.99)})",
            "< 50 ms",
        ),
    ]


def bare_app() -> Flask:
    app = Flask("bare")

    @app.post("/webhook")
    def webhook() -> tuple[dict[str, bool], int]:
        if not verify_signature(
            SECRET, request.get_data(cache=False), request.headers.get("X-Hub-Signature-256")
        ):
            abort(401)
        return {"accepted": True}, 202

    return app


@contextmanager
def _bare() -> Iterator[int]:
    port = free_port()
    options = (
        f"--bind=127.0.0.1:{port} --workers={PROCESSES} --threads={THREADS} --worker-class=gthread"
        " --preload"
    )
    app = "tests.benchmarks.webhook:bare_app()"
    with _server(
        ["gunicorn", *options.split(), "--log-level=warning", "--no-control-socket", app], port, {}
    ):
        yield port


@contextmanager
def _bot(directory: Path) -> Iterator[int]:
    port = free_port()
    settings = {
        "GITHUB_APP_ID": "1",
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "TINYGEN_DATA_DIR": str(directory),
        "TINYGEN_PORT": str(port),
        "TINYGEN_WEB_PROCESSES": str(PROCESSES),
        "TINYGEN_WEB_THREADS": str(THREADS),
        "TINYGEN_LOG_LEVEL": "warning",
    }
    with _server(["bot", "web"], port, settings):
        yield port


@contextmanager
def _server(command: list[str], port: int, settings: Mapping[str, str]) -> Iterator[None]:
    """`python -m` that command, from when it listens on the port."""
    environment = {"PATH": os.environ["PATH"], **settings}
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment)
    try:
        if not poll(
            lambda: _listens(port),
            within_s=30,
            pause_s=0.05,
            is_hopeless=lambda: process.poll() is not None,
        ):
            raise RuntimeError(f"{command[0]} does not listen")
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def deliveries_of(
    repo: str, *, repository_id: int, installation: int, secret: str
) -> Iterator[bytes]:
    """Requests as GitHub sends them, of 20 KB, each with another delivery id."""
    account = {"id": 1, "login": "mona", "type": "User"}
    body = json.dumps(
        {
            "action": "created",
            "issue": {
                "number": 7,
                "title": "A title",
                "user": account,
                "body": "An issue with many words. " * 600,
            },
            "comment": {"id": 1, "body": "/tinygen Add a test for the parser", "user": account},
            "repository": {
                "id": repository_id,
                "full_name": repo,
                "urls": ["https://api.github.com/x/y/z"] * 100,
            },
            "installation": {"id": installation},
            "sender": account,
        }
    ).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    head = (
        "POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type:"
        " application/json\r\nX-GitHub-Event: issue_comment\r\nX-Hub-Signature-256:"
        f" sha256={signature}\r\nContent-Length: {len(body)}\r\nX-GitHub-Delivery: "
    ).encode()
    run_id = os.urandom(4).hex()
    return (head + f"{run_id}-{number}\r\n\r\n".encode() + body for number in itertools.count())


@dataclass
class _Connection:
    socket: socket.socket
    answer: bytearray = field(default_factory=bytearray)
    due: float = 0.0

    def send(self, delivery: bytes, due: float) -> None:
        self.answer.clear()
        self.due = due
        self.socket.sendall(delivery)

    def is_answered(self) -> bool:
        """Reads what is there; whether the answer is whole."""
        self.answer += self.socket.recv(65_536)
        head, end, body = bytes(self.answer).partition(b"\r\n\r\n")
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 202"):
            raise RuntimeError(head.decode("latin-1"))
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return len(body) >= int(length)


@contextmanager
def _connections(port: int) -> Iterator[tuple[selectors.BaseSelector, list[_Connection]]]:
    with selectors.DefaultSelector() as selector:
        opened = [
            _Connection(socket.create_connection(("127.0.0.1", port), timeout=30))
            for _ in range(CONNECTIONS)
        ]
        for one in opened:
            one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(one.socket, selectors.EVENT_READ, one)
        yield selector, opened
        for one in opened:
            one.socket.close()


def _answered(selector: selectors.BaseSelector, timeout_s: float) -> list[_Connection]:
    return [key.data for key, _ in selector.select(timeout_s) if key.data.is_answered()]


def _saturate(port: int, deliveries: Iterator[bytes], seconds: float) -> float:
    """Answers per second where every connection always has a request under way."""
    with _connections(port) as (selector, connections):
        began = time.perf_counter()
        for connection in connections:
            connection.send(next(deliveries), began)
        count = 0
        while (passed_s := time.perf_counter() - began) < seconds:
            for connection in _answered(selector, seconds):
                connection.send(next(deliveries), 0)
                count += 1
        return count / passed_s


def paced(port: int, deliveries: Iterator[bytes], rate: int, seconds: float) -> list[float]:
    """How long each answer took, in seconds, from the moment when its request was due: waiting for
    the generator or for a free connection counts."""
    waits_s: list[float] = []
    with _connections(port) as (selector, free):
        began = time.perf_counter()
        dues = (began + number / rate for number in range(round(rate * seconds)))
        due = next(dues, None)
        while due is not None or len(free) < CONNECTIONS:
            now = time.perf_counter()
            if due is not None and now >= due and free:
                free.pop(0).send(next(deliveries), due)
                due = next(dues, None)
                continue
            for connection in _answered(selector, max(0.0, (due or now + 1) - now)):
                waits_s.append(time.perf_counter() - connection.due)
                free.append(connection)
    return waits_s


def quantile(ordered_ms: list[float], share: float) -> str:
    return f"{ordered_ms[min(len(ordered_ms) - 1, int(share * len(ordered_ms)))]:.1f} ms"


if __name__ == "__main__":
    for what, measured, target in run():
        print(f"{what:75} {measured:>22} {target}")
