"""GitHub, or a server in its place, may send anything, of any length and form."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.github import GitHubApp
from bot.adapters.github.client import parse_link_param
from bot.adapters.github.errors import (
    error_for,
    quote_message,
    rate_limit_wait_s,
    retry_after_s,
    server_time_s,
)
from bot.adapters.github.repository import Repository
from bot.errors import BadRequest, OutsideError, TinyGenError
from bot.metrics import MetricsBuffer
from bot.ports import MetricSample, MetricsSink
from tests.adapters.github.conftest import InstalledApp
from tests.doubles.server import Request, Response, Server, send_for_ever

MB = 1_000_000
DAY_S = 86_400
SHA = "0" * 40
USER = {"login": "mona", "id": 1}
ISSUE = {"number": 1, "title": "t", "state": "open", "body": "b", "user": USER}
COMMENT = {"id": 1, "body": "b", "user": USER, "created_at": "2026", "updated_at": "2026"}
LINE_COMMENT = {**COMMENT, "path": "a", "line": 1, "commit_id": SHA}
SIDE = {"ref": "main", "sha": SHA, "repo": {"full_name": "o/r"}}
PULL = {
    "number": 1,
    "html_url": "https://github.test/o/r/pull/1",
    "state": "open",
    "head": SIDE,
    "base": SIDE,
}
FILE = {"type": "file", "size": 1, "content": "eA=="}
ODD_NUMBERS = [-1, 2**63, 10**30, 1.5, "x", None, [], {}]


def read_answer(
    body: object,
    read: Callable[[Repository], object],
    status: int = 200,
    metrics: MetricsSink | None = None,
    **headers: str,
) -> object:
    """What `read` returns if each request gets this answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with (
        Server(lambda _request: Response(status, raw, named)) as server,
        GitHubApp(api_url=server.url, sleep=lambda _: None, metrics=metrics) as github,
    ):
        return read(github.connect("o/r", None))


def always(status: int, body: bytes) -> Callable[[Request], Response]:
    return lambda _request: Response(status, body)


def expect_unknown_form(body: object, read: Callable[[Repository], object]) -> None:
    with pytest.raises(OutsideError, match="unknown form"):
        read_answer(body, read)


def test_an_answer_that_never_ends_is_left_in_time() -> None:
    for first, then in (
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    ):
        with (
            send_for_ever(first, then) as url,
            GitHubApp(api_url=url, timeout_s=0.1, sleep=lambda _: None) as github,
            pytest.raises(OutsideError, match="did not answer"),
        ):
            github.connect("o/r", None).thread(1)


def endless(_request: Request) -> Response:
    def body() -> Iterator[bytes]:
        while True:
            yield b" " * 500_000

    return Response(200, body(), {})  # type: ignore[arg-type]


def test_an_answer_without_end_is_left() -> None:
    with (
        Server(endless) as server,
        GitHubApp(api_url=server.url, sleep=lambda _: None) as github,
        pytest.raises(OutsideError, match="BodyTooLong"),
    ):
        github.connect("o/r", None).thread(1)


def test_an_answer_may_be_packed_and_is_asked_for_so() -> None:
    asked: list[str] = []

    def packed(request: Request) -> Response:
        asked.append(request.headers["Accept-Encoding"])
        return Response(
            200, gzip.compress(json.dumps(ISSUE).encode()), {"Content-Encoding": "gzip"}
        )

    with Server(packed) as server, GitHubApp(api_url=server.url) as github:
        assert github.connect("o/r", None).thread(1).title == "t"
    assert asked == ["gzip"]


def test_a_little_that_unpacks_to_very_much_is_left() -> None:
    bomb = gzip.compress(b" " * (70 << 20))
    with pytest.raises(OutsideError, match="BodyTooLong"):
        read_answer(bomb, lambda repository: repository.thread(1), Content_Encoding="gzip")
    with pytest.raises(OutsideError, match="DecodingError"):
        read_answer(
            gzip.compress(bomb),
            lambda repository: repository.thread(1),
            Content_Encoding="gzip, gzip",
        )


@pytest.mark.parametrize("charset", ["zlib", "utf-16", "hex", "x" * 1000])
def test_an_error_is_read_in_no_way_that_it_names_itself(charset: str) -> None:
    response = httpx.Response(
        403,
        content=b'{"message": "No."}',
        headers={"Content-Type": f"text/plain; charset={charset}"},
    )
    assert "GitHub answered 403 (No)" in str(error_for(response, "read it", None))
    assert rate_limit_wait_s(response, 0) is None


@pytest.mark.parametrize(
    "body", [b"[" * MB, b'{"a":' * MB, b'{"title": ' + b"[" * 300 + b"]" * 300 + b"}"]
)
def test_an_answer_that_is_nested_deeply_has_an_unknown_form(body: bytes) -> None:
    expect_unknown_form(body, lambda repository: repository.thread(1))
    assert quote_message(httpx.Response(422, content=body), None) == "Unprocessable Entity"


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (COMMENT, lambda repository: repository.comments(1)),
        (LINE_COMMENT, lambda repository: repository.line_comments(1)),
        (PULL, lambda repository: repository.open_pull("a", "b", title="t", body="", draft=False)),
    ],
)
def test_a_page_of_more_than_was_asked_for_has_an_unknown_form(
    item: object, read: Callable[[Repository], object]
) -> None:
    expect_unknown_form([item] * 101, read)


def linked(url: str, to: str = "last") -> httpx.Response:
    return httpx.Response(200, headers={"Link": f'<{url}>; rel="{to}"'})


@pytest.mark.parametrize("page", ["9" * 5000, "9" * 10, "-1", "1e9", "²", "", "x"])
def test_a_number_of_pages_that_is_none_is_one_page(page: str) -> None:
    link = f'<https://github.test/?page={page}>; rel="last"'.encode().decode("latin-1")
    comments = read_answer([COMMENT], lambda repository: repository.comments(1), Link=link)
    assert isinstance(comments, tuple)
    assert len(comments) == 1


def test_of_very_many_pages_a_hundred_more_are_read() -> None:
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.query.get("page", "1"))
        return Response(200, b"[]", {"Link": '<https://github.test/?page=999999999>; rel="last"'})

    with Server(answer) as server, GitHubApp(api_url=server.url, token="t") as github:
        github.connect("o/r", None).comments(1)
    assert len(asked) == 101


@pytest.mark.parametrize("url", ["https://[::1", "https://a/?cursor=" + "x" * 1001, "//"])
def test_an_address_that_is_none_has_no_parameters(url: str) -> None:
    assert parse_link_param(linked(url, "next"), "next", "cursor") is None


def test_deliveries_without_a_time_zone_or_with_odd_numbers_have_an_unknown_form(
    installed: InstalledApp,
) -> None:
    usual = {
        "id": 1,
        "guid": "g",
        "event": "ping",
        "status_code": 200,
        "delivered_at": "2026-01-01T00:00:00Z",
    }
    for odd in (
        {"delivered_at": "2026-01-01T00:00:00"},
        {"id": 10**30},
        {"status_code": -1},
        {"guid": "g" * 999},
    ):
        body = json.dumps([{**usual, **odd}]).encode()
        with (
            Server(always(200, body)) as server,
            pytest.raises(OutsideError, match="unknown form"),
        ):
            installed.adapter(api_url=server.url).deliveries().recent(
                datetime(2020, 1, 1, tzinfo=UTC)
            )


@pytest.mark.parametrize("reset", ["9" * 300, "1e300", "99999999999"])
def test_a_limit_ends_within_a_day(reset: str) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    response = httpx.Response(429, json={"message": "API rate limit exceeded"}, headers=headers)
    assert rate_limit_wait_s(response, 0) == DAY_S + 1


DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "", "x"]),
    st.integers(-99, 99) | st.integers(),
    st.sampled_from(["Jan", "Feb", "Dec", "x", "13"]),
    st.integers(-1, 10_001) | st.integers(),
    *[st.integers(-1, 99) | st.integers()] * 3,
    st.sampled_from(["GMT", "-0000", "+9999", "-9959", "+99999999999999", "x", ""]),
)


@given(
    st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=60)
    | DATES
    | st.just("9" * 5000)
)
def test_no_header_breaks_the_reading_of_times(text: str) -> None:
    named = [
        (name, text.encode("latin-1")) for name in (b"Retry-After", b"Date", b"X-RateLimit-Reset")
    ]
    response = httpx.Response(
        429, headers=[*named, (b"X-RateLimit-Remaining", b"0")], content=b"rate limit"
    )
    wait_s, limit_s = retry_after_s(response, 0), rate_limit_wait_s(response, 0)
    assert wait_s is None or 0 <= wait_s <= DAY_S
    assert limit_s is not None
    assert 0 <= limit_s <= DAY_S + 1
    server_time_s(response, 0)


@pytest.mark.parametrize(
    ("header", "counted"), [("4998", [4998]), ("0", [0]), ("9" * 5000, []), ("-1", []), ("", [])]
)
def test_requests_left_are_counted_unless_the_number_is_odd(
    header: str, counted: list[int]
) -> None:
    metrics, samples = MetricsBuffer(), list[MetricSample]()
    read_answer(
        ISSUE,
        lambda repository: repository.thread(1),
        metrics=metrics,
        X_RateLimit_Remaining=header,
    )
    metrics.flush(lambda _added, latest: samples.extend(latest))
    assert [sample.value for sample in samples] == counted


@pytest.mark.parametrize("number", ODD_NUMBERS)
def test_numbers_that_fit_no_database_have_an_unknown_form(number: object) -> None:
    expect_unknown_form({**ISSUE, "number": number}, lambda repository: repository.thread(1))
    expect_unknown_form([{**COMMENT, "id": number}], lambda repository: repository.comments(1))
    expect_unknown_form(
        [{**LINE_COMMENT, "id": number}], lambda repository: repository.line_comments(1)
    )
    expect_unknown_form({**PULL, "number": number}, lambda repository: repository.pull(1))
    expect_unknown_form(
        {**FILE, "size": number}, lambda repository: repository.file("a", max_bytes=99)
    )


@pytest.mark.parametrize(
    "sha", ["", "main", "0" * 39, "0" * 41, "g" * 40, "0" * 40 + "\n", "../../x"]
)
def test_a_sha_is_40_digits(sha: str) -> None:
    expect_unknown_form(
        {**PULL, "head": {**SIDE, "sha": sha}}, lambda repository: repository.pull(1)
    )
    expect_unknown_form({"object": {"sha": sha}}, lambda repository: repository.resolve("main"))
    expect_unknown_form(
        {"sha": sha, "tree": {"sha": SHA}, "parents": []},
        lambda repository: repository.resolve(SHA),
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"user": {"login": "x" * 201}},
        {"user": {"login": "mona", "type": "x" * 201}},
        {"created_at": "x" * 201},
        {"path": "x" * 4097},
        {"side": "x" * 201},
    ],
    ids=lambda odd: next(iter(odd)),
)
def test_names_that_are_too_long_have_an_unknown_form(odd: dict[str, Any]) -> None:
    expect_unknown_form([{**LINE_COMMENT, **odd}], lambda repository: repository.line_comments(1))


def test_addresses_and_branches_that_are_too_long_have_an_unknown_form() -> None:
    expect_unknown_form(
        {**PULL, "html_url": "https://github.test/" + "x" * 2000},
        lambda repository: repository.pull(1),
    )
    expect_unknown_form(
        {**PULL, "base": {**SIDE, "ref": "x" * 1001}}, lambda repository: repository.pull(1)
    )
    expect_unknown_form({"default_branch": "x" * 1001}, lambda repository: repository.resolve(None))


def test_what_people_write_is_cut() -> None:
    long = {"title": "t" * MB, "body": "b" * MB}
    thread = read_answer({**ISSUE, **long}, lambda repository: repository.thread(1))
    assert (len(thread.title), len(thread.body)) == (1_000, 300_000)  # type: ignore[attr-defined]


def test_a_file_is_never_longer_than_it_may_be_whatever_it_says() -> None:
    body = {**FILE, "content": base64.b64encode(b"x" * 1000).decode()}
    with pytest.raises(BadRequest, match="larger than 999 bytes"):
        read_answer(body, lambda repository: repository.file("a", max_bytes=999))
    assert read_answer(body, lambda repository: repository.file("a", max_bytes=1000)) == b"x" * 1000


@pytest.mark.parametrize("content", ["e", "eA", "\ud800", 5, [], None])
def test_a_file_in_no_base64_has_an_unknown_form(content: object) -> None:
    expect_unknown_form(
        {**FILE, "content": content}, lambda repository: repository.file("a", max_bytes=99)
    )


def test_permissions_without_end_have_an_unknown_form(installed: InstalledApp) -> None:
    app = {"id": 1, "slug": "s"}
    for odd in (
        {"permissions": {str(number): "read" for number in range(501)}},
        {"permissions": {"x" * 201: "read"}},
        {"permissions": {"x": "r" * 201}},
        {"events": ["e"] * 501},
        {"slug": "s" * 201},
        {"id": 10**30},
    ):
        body = json.dumps({**app, **odd}).encode()
        with (
            Server(always(200, body)) as server,
            pytest.raises(OutsideError, match="unknown form"),
        ):
            installed.adapter(api_url=server.url).fetch_registration()


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Injected: 1", "é", "t" * 2001])
def test_a_token_that_no_header_can_hold_has_an_unknown_form(
    installed: InstalledApp, token: str
) -> None:
    minted = json.dumps({"token": token, "expires_at": "2099-01-01T00:00:00Z"}).encode()
    with (
        Server(always(201, minted)) as server,
        pytest.raises(OutsideError, match="unknown form"),
    ):
        installed.adapter(api_url=server.url).connect("o/r", 1).remote()


def test_the_words_of_an_error_are_few_and_print() -> None:
    words = "a\x1b[31mb\x00c\u202ed\u2028e\r\nf\x85g" + "h" * 10_000
    for body in (
        {"message": words},
        {"message": "", "errors": [words, {"message": words}, {"field": words}, [words]]},
    ):
        with pytest.raises(TinyGenError) as caught:
            read_answer(body, lambda repository: repository.thread(1), status=422)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600
