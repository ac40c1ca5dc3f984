"""The server itself, over sockets: requests that arrive too slowly, or not as HTTP says, and
answers that are not taken."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gunicorn.config import Config as GunicornConfig

from bot.cli.http_server import QuietLogger
from tests import ROOT
from tests.polling import poll

THREADS = 2
LIMIT_S = 1.0
LARGE_BYTES = 2_000_000
SERVER = f"""
import os, sys
from bot.app import build_database, build_stores
from bot.cli import http_server
from bot.config import load_config
from bot.web import create_app

http_server.READ_S = http_server.WRITE_S = {LIMIT_S}
config = load_config(os.environ, None)
database = build_database(config)
app = create_app(config, build_stores(database), lambda: bytes({LARGE_BYTES}))
http_server.Server(config, app).serve()
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number = listener.getsockname()[1]
    data: Path = tmp_path_factory.mktemp("data")
    environment = {
        "PATH": "/usr/bin:/bin",
        "GITHUB_WEBHOOK_SECRET": "secret-of-the-test",
        "TINYGEN_DATA_DIR": str(data),
        "TINYGEN_PORT": str(number),
        "TINYGEN_WEB_PROCESSES": "1",
        "TINYGEN_WEB_THREADS": str(THREADS),
    }
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        try:
            assert poll(lambda: answer(number, b"GET /healthz HTTP/1.1\r\n"), within_s=30)
            yield number
        finally:
            process.terminate()


def answer(port: int, head: bytes, body: bytes = b"") -> bytes:
    """The status line; b"" if there is no answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(head + b"Host: localhost\r\nConnection: close\r\n\r\n" + body)
            return connection.makefile("rb").readline().strip()
    except ConnectionError:
        return b""


LARGE = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""Answered with LARGE_BYTES."""
CHUNKED = (
    b"POST /webhook HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX-Hub-Signature-256: sha256="
    + b"0" * 64
    + b"\r\n"
)


@pytest.mark.parametrize(
    "body",
    [
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"-7\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"zz\r\n",
        b"\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b'5;a="b\r\nhello\r\n0\r\n\r\n',
        b"\xb2\r\nhi\r\n0\r\n\r\n",
    ],
)
def test_malformed_chunks_are_the_callers_mistake(port: int, body: bytes) -> None:
    assert answer(port, CHUNKED, body) == b"HTTP/1.1 400 BAD REQUEST"


def test_well_formed_chunks_are_read(port: int) -> None:
    assert answer(port, CHUNKED, b"5\r\nhello\r\n0\r\n\r\n") == b"HTTP/1.1 401 UNAUTHORIZED"


@pytest.mark.parametrize(
    "part",
    [
        b"GET /healthz HTTP/1.1\r\nHost: a",
        CHUNKED + b"Host: localhost\r\n\r\n5\r\nhe",
        CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 99")
        + b"Host: localhost\r\n\r\nhe",
    ],
    ids=["head", "chunk", "body"],
)
def test_slow_clients_hold_the_threads_only_for_a_while(port: int, part: bytes) -> None:
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(2 * THREADS)]
    for connection in slow:
        connection.sendall(part)
    assert answer(port, b"GET /healthz HTTP/1.1\r\n") == b"HTTP/1.1 200 OK"
    for connection in slow:
        connection.close()


def test_clients_that_do_not_take_the_answer_hold_the_threads_only_for_a_while(port: int) -> None:
    slow = []
    for _ in range(2 * THREADS):
        connection = socket.socket()
        # Small segments, since the system buffers whole answers for a fast connection.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 200)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", port))
        connection.sendall(LARGE)
        slow.append(connection)
    assert answer(port, b"GET /healthz HTTP/1.1\r\n") == b"HTTP/1.1 200 OK"
    for connection in slow:
        connection.close()


def test_a_child_that_ends_by_the_signal_to_stop_is_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = QuietLogger(GunicornConfig())
    logger.error_log.propagate = True
    message = "Worker (pid:%s) was sent %s!"
    for signal_name in ("SIGQUIT", "SIGSEGV"):
        logger.warning(message, 7, signal_name)
    assert [record.getMessage() for record in caplog.records] == [
        "Worker (pid:7) was sent SIGSEGV!"
    ]
