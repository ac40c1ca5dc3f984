"""Bodies of HTTP answers under a bound, for every adapter whose client library rests on httpx.

httpx itself unpacks whatever an answer says that it is packed in, however often, and reads as long as bytes come: some
kilobytes may become gigabytes, and an answer that never ends holds its thread for ever.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from typing import cast

import httpx

ACCEPT_ENCODING = "gzip"
"""What may be asked for: nothing else is unpacked."""

_MAX_S = 120.0
"""For a body's end to come, from its first bytes."""
_PIECE_BYTES = 64 * 1024


class BodyTooLong(httpx.DecodingError):
    """It is longer than was to be read, or took longer to come."""


def bound_body(max_bytes: int, *, clock: Callable[[], float] = time.monotonic) -> Callable[[httpx.Response], None]:
    """A hook for answers, before anything of theirs is read: raises httpx.DecodingError where the body is packed in
    another way than gzip; what reads a body of more than `max_bytes`, unpacked, gets a BodyTooLong."""

    def bound(response: httpx.Response) -> None:
        encoding = response.headers.pop("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip"):
            raise httpx.DecodingError("The answer is packed in a way that was not asked for.")
        stream = cast(httpx.SyncByteStream, response.stream)
        response.stream = _Bounded(stream, encoding == "gzip", max_bytes, clock)

    return bound


class _Bounded(httpx.SyncByteStream):
    """The stream, unpacked. Nothing else of httpx unpacks it again: the header that says so is gone."""

    def __init__(
        self, stream: httpx.SyncByteStream, is_packed: bool, max_bytes: int, clock: Callable[[], float]
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._is_packed = is_packed
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if self._is_packed else None
        came_bytes = given_bytes = 0
        until = self._clock() + _MAX_S
        for piece in self._stream:
            came_bytes += len(piece)
            if came_bytes > self._max_bytes or self._clock() > until:  # it may unpack to nothing
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
