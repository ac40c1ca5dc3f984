"""What every adapter that speaks HTTP needs: an answer with a limited size and a limited time, the
reading of `Retry-After`, and text that a request can carry.

httpx decompresses whatever an answer names in `Content-Encoding`, any number of times, and reads as
long as bytes arrive. A few kilobytes may become gigabytes, and an answer that never ends, in its
headers or its body, holds its thread for ever.
"""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from queue import Empty, SimpleQueue
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from bot.errors import OutsideError, TimedOut

ACCEPT_ENCODING = "gzip"
"""The value of the request's header: no other encoding is decompressed here."""
TRY_LATER = "Try again later."
MAX_WAIT_S = 86_400.0
"""A server's request to wait longer than a day counts as a day."""

_MAX_READ_TIMEOUTS = 6
"""One exchange may take as many read timeouts of its client: some minutes for each of ours."""
_CHUNK_BYTES = 64 * 1024


class BodyTooLong(httpx.DecodingError):
    """The body is longer than its limit."""


def bound_body(max_bytes: int) -> Callable[[httpx.Response], None]:
    """A response hook for an httpx client, which runs before the body is read.

    It raises httpx.DecodingError for any encoding but gzip. Whoever reads more than `max_bytes` of
    the body, compressed or decompressed, gets BodyTooLong.
    """

    def bound(response: httpx.Response) -> None:
        # Without the header, httpx does not decompress the body a second time.
        encoding = response.headers.pop("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip"):
            raise httpx.DecodingError("The answer is packed in a way that was not asked for.")
        stream = cast(httpx.SyncByteStream, response.stream)
        response.stream = _BoundedStream(stream, encoding == "gzip", max_bytes)

    return bound


class _BoundedStream(httpx.SyncByteStream):
    """The decompressed body."""

    def __init__(self, stream: httpx.SyncByteStream, is_gzip: bool, max_bytes: int) -> None:
        self._stream = stream
        self._is_gzip = is_gzip
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16) if self._is_gzip else None
        received_bytes = 0
        returned_bytes = 0
        for received in self._stream:
            # Counted too, since endless compressed data may decompress to nothing.
            received_bytes += len(received)
            self._check(received_bytes)
            for chunk in _decompress(received, decompressor):
                returned_bytes += len(chunk)
                self._check(returned_bytes)
                yield chunk

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise BodyTooLong("The answer is too long.")

    def close(self) -> None:
        self._stream.close()


def _decompress(received: bytes, decompressor: zlib._Decompress | None) -> Iterator[bytes]:
    """At most `_CHUNK_BYTES` at a time. What follows the end of the gzip data is dropped."""
    if decompressor is None:
        yield received
        return
    while received and not decompressor.eof:
        try:
            yield decompressor.decompress(received, _CHUNK_BYTES)
        except zlib.error:
            raise httpx.DecodingError("The answer is not packed as it says.") from None
        received = decompressor.unconsumed_tail


def bound_time(
    client: httpx.Client,
    *,
    max_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Limits each exchange of the client, from the first byte of the request to the last byte of
    the answer, to `max_s`; without it, to six of its read timeouts. Then httpx.WriteTimeout or
    httpx.ReadTimeout is raised.

    The read timeout alone does not suffice: it starts again with each byte, and with each interim
    answer (1xx), of which a server may send any number. The backend is set in private attributes,
    since httpx takes one only with a transport of one's own, which ignores the environment's
    proxies.
    """
    if client.timeout.read is None:
        raise ValueError("The client has no read timeout to be bounded by.")
    limit_s = client.timeout.read * _MAX_READ_TIMEOUTS if max_s is None else max_s
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _TimedBackend(pool._network_backend, limit_s, clock)


class _TimedBackend(httpcore.NetworkBackend):
    """Opens connections whose exchanges are limited to `max_s`."""

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
    """One connection. An exchange begins with the first write after a read, and must end within
    `max_s`."""

    def __init__(
        self, stream: httpcore.NetworkStream, max_s: float, clock: Callable[[], float]
    ) -> None:
        self._stream = stream
        self._max_s = max_s
        self._clock = clock
        self._deadline = clock() + max_s
        self._has_read = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._has_read = True
        limit_s = self._limit_s(timeout, httpcore.ReadTimeout)
        return self._stream.read(max_bytes, limit_s)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._has_read:
            self._has_read = False
            self._deadline = self._clock() + self._max_s
        # In chunks, since the timeout of one write starts again with each byte that is taken.
        for start in range(0, len(buffer), _CHUNK_BYTES):
            limit_s = self._limit_s(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + _CHUNK_BYTES], limit_s)

    def _limit_s(self, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
        """The timeout, or what is left of the exchange's time if that is less."""
        left_s = self._deadline - self._clock()
        if left_s <= 0:
            raise error("The exchange took too long.")
        return left_s if timeout is None else min(timeout, left_s)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        encrypted = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _TimedStream(encrypted, self._max_s, self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


def find_connection_fault(url: str, *, within_s: float) -> str:
    """Why the URL's server takes no connection, in a few words; "" if it takes one, or is to be asked
    through a proxy. The look-up of its name counts too, which no timeout of a client limits."""
    parts = urlsplit(url)
    proxies = getproxies()
    if (parts.scheme in proxies or "all" in proxies) and not proxy_bypass(parts.hostname or ""):
        return ""
    fault: SimpleQueue[str] = SimpleQueue()

    def connect() -> None:
        fault.put(_connection_fault(parts, within_s))

    threading.Thread(target=connect, daemon=True).start()  # nobody waits for it at the end
    try:
        return fault.get(timeout=within_s)
    except Empty:
        return f"it did not answer within {within_s:g} seconds"


def _connection_fault(url: SplitResult, timeout_s: float) -> str:
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
        socket.create_connection((url.hostname or "", port), timeout_s).close()
    except TimeoutError:
        return f"it did not answer within {timeout_s:g} seconds"
    except (socket.gaierror, UnicodeError):
        return "nobody knows a server of that name"
    except ConnectionRefusedError:
        return "nothing listens there"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or type(error).__name__
    return ""


@contextmanager
def named_errors(server: str) -> Iterator[None]:
    """Turns httpx's errors into ours. Their text is dropped, since it may quote a request."""
    try:
        yield
    except httpx.TimeoutException:
        raise TimedOut(f"{server} did not answer in time.", next_step=TRY_LATER) from None
    except httpx.HTTPError as error:
        message = f"{server} cannot be reached ({type(error).__name__})."
        raise OutsideError(message, next_step=TRY_LATER) from None


def parse_retry_after(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds to wait by `Retry-After`, from 0 to MAX_WAIT_S; None if it is absent or unreadable.

    `now_s` is the time since 1970 that a date in the header is compared with.
    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    text = headers.get("Retry-After", "").strip()
    seconds = parse_number(text)
    if seconds is not None:
        return clamp_wait_s(seconds)
    date_s = parse_http_date(text)
    if date_s is None:
        return None
    return clamp_wait_s(date_s - now_s)


def clamp_wait_s(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_WAIT_S)


def parse_number(text: str) -> float | None:
    """None if the text is no number, or not a finite one."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def parse_http_date(text: str) -> float | None:
    """Seconds since 1970; None if the text is no date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def encode_text(text: str) -> bytes:
    """The text in UTF-8. A surrogate stands for a byte of a path that is not UTF-8: no request can
    carry it, so it becomes a question mark."""
    return text.encode("utf-8", "replace")
