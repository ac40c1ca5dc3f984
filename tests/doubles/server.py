"""An HTTP/1.1 server on loopback for the doubles.

Werkzeug's own server closes the connection after each answer and cannot drop one in the middle. The
doubles need both: keep-alive, because clients keep connections, and answers that are lost, because
real ones are.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is percent-decoded; of a repeated query name the last value counts; header names match
    in any case."""

    method: str
    path: str
    query: Mapping[str, str]
    query_string: str
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """A body that is not `bytes` is sent piece by piece, each as soon as it is there, and closed in
    the end."""

    status: int = 200
    body: bytes | Generator[bytes, None, None] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Dropped(Exception):
    """Raised by an answer, or within its body: the connection closes there and then."""


Answer = Callable[[Request], Response]


class Server:
    """Answers on `url` from `start` to `stop`, each connection in its own thread.

    `stopping` is set first of all by `stop`: an answer that waits must wait on it. What an answer
    raises by mistake is kept in `failures`.
    """

    def __init__(self, answer: Answer, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self.failures: list[BaseException] = []
        self._address = (host, port)
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        assert self._listener is not None, "start the server first"
        return f"http://{self._address[0]}:{self._listener.server_address[1]}"

    def start(self) -> None:
        listener = self._listener = _Listener(self._address, self)
        self._thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._listener is None or self._thread is None:
            return
        self.stopping.set()
        self._listener.shutdown()
        self._thread.join()
        self._listener.close_connections()
        self._listener.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()
        if self.failures and error is None:
            raise self.failures[0]


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        super().__init__(address, _Connection)
        self.owner = owner
        self._open: dict[socket.socket, threading.Thread] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self.owner.failures.append(error)

    def close_connections(self) -> None:
        for connection, thread in list(self._open.items()):
            with suppress(OSError):  # the other side may have been quicker
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def serve(self) -> None:
        url = urlsplit(self.path)
        body = read_body(self.rfile, self.headers)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        request = Request(self.command, unquote(url.path), query, url.query, self.headers, body)
        try:
            self._send(self.server.owner.answer(request))
        except Dropped:
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = serve  # noqa: N815 - http.server looks for these

    def _send(self, response: Response) -> None:
        body = response.body
        framing = (
            f"Content-Length: {len(body)}"
            if isinstance(body, bytes)
            else "Transfer-Encoding: chunked"
        )
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        lines += [framing] if response.status != HTTPStatus.NO_CONTENT else []
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if isinstance(body, bytes):
            self.wfile.write(head + (b"" if self.command == "HEAD" else body))
            return
        self.wfile.write(head)
        with closing(body):
            for piece in body:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Writes nothing: the doubles record their requests themselves."""


def free_port() -> int:
    """A port of loopback on which nothing listens: for a server that cannot be given port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def read_body(stream: BinaryIO | Any, headers: Message) -> bytes:
    """The whole request body, in either framing of HTTP/1.1."""
    if "chunked" not in headers.get("Transfer-Encoding", "").lower():
        body: bytes = stream.read(int(headers.get("Content-Length", 0)))
        return body
    pieces = []
    while size := int(stream.readline().split(b";")[0], 16):
        pieces.append(stream.read(size))
        stream.readline()
    while stream.readline().strip():
        pass
    return b"".join(pieces)


@contextmanager
def send_for_ever(first: bytes, then: bytes) -> Iterator[str]:
    """The address of a server that begins each answer with `first` and goes on with `then`, a
    hundred times a second, for as long as its client stays."""

    def answer(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            connection.recv(65_536)
            connection.sendall(first)
            while not ended.wait(0.01):
                connection.sendall(then)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
