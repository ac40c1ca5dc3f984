"""HTTP answers under bounds of size and time, for every adapter whose client library rests on
httpx.

httpx itself unpacks whatever an answer says that it is packed in, however often, and reads as long
as bytes come: some kilobytes may become gigabytes, and an answer that never ends, in its body or
before it, holds its thread for ever.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import httpcore
import httpx

ACCEPT_ENCODING = "gzip"
"""What may be asked for: nothing else is unpacked."""

_MOST_SILENCES = 6
"""How many times the longest silence that a client bears its whole answer may take: minutes, for
any of ours."""
_PIECE_BYTES = 64 * 1024


class BodyTooLong(httpx.DecodingError):
    """It is longer than was to be read."""


def bound_body(max_bytes: int) -> Callable[[httpx.Response], None]:
    """A hook for answers, before anything of theirs is read: raises httpx.DecodingError where the
    body is packed in another way than gzip; what reads a body of more than `max_bytes`, unpacked,
    gets a BodyTooLong."""

    def bound(response: httpx.Response) -> None:
        encoding = response.headers.pop("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip"):
            raise httpx.DecodingError("The answer is packed in a way that was not asked for.")
        stream = cast(httpx.SyncByteStream, response.stream)
        response.stream = _Bounded(stream, encoding == "gzip", max_bytes)

    return bound


class _Bounded(httpx.SyncByteStream):
    """The stream, unpacked. Nothing else of httpx unpacks it again: the header that says so is
    gone."""

    def __init__(self, stream: httpx.SyncByteStream, is_packed: bool, max_bytes: int) -> None:
        self._stream = stream
        self._is_packed = is_packed
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if self._is_packed else None
        came_bytes = given_bytes = 0
        for piece in self._stream:
            came_bytes += len(piece)
            if came_bytes > self._max_bytes:  # it may unpack to nothing
                raise BodyTooLong("The answer is too long.")
            for part in _unpacked(piece, unpacker) if unpacker else (piece,):
                given_bytes += len(part)
                if given_bytes > self._max_bytes:
                    raise BodyTooLong("The answer is too long.")
                yield part

    def close(self) -> None:
        self._stream.close()


def _unpacked(piece: bytes, unpacker: zlib._Decompress) -> Iterator[bytes]:
    while piece and not unpacker.eof:
        try:
            yield unpacker.decompress(piece, _PIECE_BYTES)
        except zlib.error:
            raise httpx.DecodingError("The answer is not packed as it says.") from None
        piece = unpacker.unconsumed_tail


def bound_time(client: httpx.Client, *, clock: Callable[[], float] = time.monotonic) -> None:
    """From now on an exchange, from its request's first byte to its answer's last, may take six
    read timeouts of the client; then httpx.WriteTimeout or httpx.ReadTimeout is raised.

    The timeout itself begins anew with each byte that comes, and with each of the interim answers
    (1xx) of which a server may send any number. httpx has no place for a network backend of one's
    own, but where one gives up the proxies of the environment.
    """
    if client.timeout.read is None:
        raise ValueError("The client has no read timeout to be bounded by.")
    max_s = client.timeout.read * _MOST_SILENCES
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _TimedBackend(pool._network_backend, max_s, clock)


class _TimedBackend(httpcore.NetworkBackend):
    def __init__(
        self, backend: httpcore.NetworkBackend, max_s: float, clock: Callable[[], float]
    ) -> None:
        self._backend = backend
        self._max_s = max_s
        self._clock = clock

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _TimedStream(stream, self._max_s, self._clock)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _TimedStream(httpcore.NetworkStream):
    """One connection. An exchange on it begins with the first write after a read, and must end
    within `max_s`."""

    def __init__(
        self, stream: httpcore.NetworkStream, max_s: float, clock: Callable[[], float]
    ) -> None:
        self._stream = stream
        self._max_s = max_s
        self._clock = clock
        self._until = clock() + max_s
        self._has_read = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._has_read = True
        return self._stream.read(max_bytes, self._bound_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._has_read:
            self._has_read = False
            self._until = self._clock() + self._max_s
        for at in range(
            0, len(buffer), _PIECE_BYTES
        ):  # one write waits anew for each byte that is taken of it
            self._stream.write(
                buffer[at : at + _PIECE_BYTES], self._bound_s(timeout, httpcore.WriteTimeout)
            )

    def _bound_s(self, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
        left_s = self._until - self._clock()
        if left_s <= 0:
            raise error("The exchange took too long.")
        return left_s if timeout is None else min(timeout, left_s)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _TimedStream(secured, self._max_s, self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()
