"""HTTP answers: decompressed up to the limits of size and time, whatever their headers say; and
`Retry-After`."""

from __future__ import annotations

import gzip
import itertools
import os
import socket
import tracemalloc
import zlib
from collections.abc import Iterator
from email.utils import formatdate

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.http import (
    BodyTooLong,
    bound_body,
    bound_time,
    find_connection_fault,
    parse_retry_after,
)
from tests.doubles.server import Response, Server, send_for_ever

MB = 1_000_000
DAY_S = 86_400.0


class Pieces(httpx.SyncByteStream):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


def read(
    pieces: Iterator[bytes],
    encoding: str | None = None,
    *,
    max_bytes: int = MB,
) -> bytes:
    """What a client with the hook reads of an answer that comes in these pieces."""
    headers = {} if encoding is None else {"Content-Encoding": encoding}
    transport = httpx.MockTransport(
        lambda _request: httpx.Response(200, headers=headers, stream=Pieces(pieces))
    )
    with httpx.Client(
        transport=transport, event_hooks={"response": [bound_body(max_bytes)]}
    ) as client:
        return client.get("http://server.test/").content


def cut(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


@settings(max_examples=40)
@given(
    st.binary(max_size=2_000) | st.binary(max_size=20).map(lambda part: part * 10_000),
    st.sampled_from([1, 7, 9999]),
)
def test_a_body_is_what_was_sent_packed_or_not(body: bytes, size: int) -> None:
    for encoding in (None, "", "identity"):
        assert read(cut(body, size), encoding) == body
    for encoding in ("gzip", " GZIP "):
        assert read(cut(gzip.compress(body), size), encoding) == body


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate", "br", "zstd", "identity, gzip", "x"])
def test_what_is_packed_in_another_way_is_not_unpacked(encoding: str) -> None:
    with pytest.raises(httpx.DecodingError):
        read(cut(b"x", 1), encoding)


def test_a_body_of_the_greatest_length_is_read_and_one_byte_more_is_not() -> None:
    for pack, encoding in ((bytes, "identity"), (gzip.compress, "gzip")):
        assert len(read(cut(pack(b"x" * MB), 9_999), encoding)) == MB
        with pytest.raises(BodyTooLong):
            read(cut(pack(b"x" * (MB + 1)), 9_999), encoding)


def endless(packed: bool) -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    while True:
        yield (
            packer.compress(b"\0" * MB) + packer.flush(zlib.Z_FULL_FLUSH)
            if packed
            else b"\0" * 1000
        )


@pytest.mark.parametrize("packed", [True, False])
def test_a_body_without_end_costs_no_more_than_the_bound(packed: bool) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLong):
            read(endless(packed), "gzip" if packed else None, max_bytes=10 * MB)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 25 * MB


def test_what_unpacks_to_nothing_for_ever_is_left_too() -> None:
    def nothing() -> Iterator[bytes]:
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        yield packer.compress(b"x")
        block = packer.flush(zlib.Z_FULL_FLUSH)[-5:]
        assert block == b"\0\0\0\xff\xff"  # an empty one
        while True:
            yield block * 100

    def rest() -> Iterator[bytes]:
        yield gzip.compress(b"x")
        while True:
            yield b"after the end"

    for pieces in (nothing(), rest()):
        with pytest.raises(BodyTooLong):
            read(pieces, "gzip")


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"x" * 99)[:-20] + b"\xff" * 40])
def test_what_is_not_packed_as_it_says_is_an_error(body: bytes) -> None:
    with pytest.raises(httpx.DecodingError):
        read(cut(body, 5), "gzip")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["interim answers", "headers", "one header", "body", "chunks"],
)
@pytest.mark.parametrize("is_proxy", [False, True])
def test_an_answer_that_comes_for_ever_is_left_in_time(
    first: bytes, then: bytes, is_proxy: bool
) -> None:
    ten_seconds_later = itertools.count(step=10.0).__next__
    with (
        send_for_ever(first, then) as url,
        httpx.Client(timeout=30, proxy=url if is_proxy else None) as client,
    ):
        bound_time(client, clock=ten_seconds_later)
        with pytest.raises(httpx.ReadTimeout):
            client.get("http://github.test/" if is_proxy else url)


def test_a_request_that_is_taken_for_ever_is_left_in_time() -> None:
    ten_seconds_later = itertools.count(step=10.0).__next__
    with Server(lambda _request: Response()) as server, httpx.Client(timeout=30) as client:
        bound_time(client, clock=ten_seconds_later)
        assert client.post(server.url, content=bytes(MB // 2)).status_code == 200
        with pytest.raises(httpx.WriteTimeout):
            client.post(server.url, content=bytes(2 * MB))


def test_the_time_of_an_answer_begins_with_its_own_request() -> None:
    now_s = 0.0
    with (
        Server(lambda _request: Response(body=b"here")) as server,
        httpx.Client(timeout=30) as client,
    ):
        bound_time(client, clock=lambda: now_s)
        for _ in range(3):
            assert client.get(server.url).content == b"here"
            now_s += 1_000


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("9" * 5000, None),
        ("", None),
        ("86401", DAY_S),
        ("9" * 300, DAY_S),
        ("1e300", DAY_S),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY_S),
        (formatdate(1_000_010, usegmt=True), 10.0),
        (formatdate(999_990, usegmt=True), 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(
    text: str, wait_s: float | None
) -> None:
    assert parse_retry_after(httpx.Headers({"Retry-After": text}), 1_000_000) == wait_s


def test_without_retry_after_there_is_no_wait() -> None:
    assert parse_retry_after({}, 1_000_000) is None


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy in the environment."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.usefixtures("direct")
def test_a_server_that_takes_no_connection_is_known_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert find_connection_fault(f"http://{address}/v1", within_s=5) == ""
    assert "nothing listens" in find_connection_fault(f"http://{address}/v1", within_s=5)
    assert "name" in find_connection_fault("http://nowhere.invalid", within_s=5)
    assert "name" in find_connection_fault(f"http://{'a' * 70}.test", within_s=5)
    assert find_connection_fault("http://127.0.0.1:99999", within_s=5) != ""
    with socket.socket() as full:  # Linux answers nobody beyond the queue of its listener
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            assert "did not answer within 0.1" in find_connection_fault(url, within_s=0.1)


@pytest.mark.usefixtures("direct")
def test_a_server_behind_a_proxy_is_not_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert find_connection_fault("http://nowhere.invalid", within_s=5) == ""
    monkeypatch.setenv("no_proxy", "nowhere.invalid")
    assert find_connection_fault("http://nowhere.invalid", within_s=5) != ""
