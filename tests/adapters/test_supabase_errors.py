"""The errors of the request log for each answer that Supabase may give when it fails."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from bot.adapters.supabase import SupabaseStore
from bot.errors import OutsideError, SetupError, TimedOut
from bot.types import Report
from tests.adapters.database.stored import job
from tests.doubles.server import Dropped, Request, Response, Server, send_for_ever

KEY = "sb_secret_planted"
QUEUED = Report(job(prompt="the prompt"), "queued")


class Project:
    """Answers every request with `response`; None drops the connection."""

    def __init__(self) -> None:
        self.response: Response | None = None
        self.requests = 0

    def answer(self, _request: Request) -> Response:
        self.requests += 1
        if self.response is None:
            raise Dropped
        return self.response


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
def store(project: Project) -> Iterator[SupabaseStore]:
    with Server(project.answer) as server, closing(SupabaseStore(server.url, KEY)) as store:
        yield store


def error_answer(status: int, code: str | None = None, **headers: str) -> Response:
    body = json.dumps(
        {
            "message": f"secret words about {KEY}",
            "code": code,
            "details": "the prompt",
            "hint": None,
        }
    )
    return Response(status, body.encode(), {"Content-Type": "application/json"} | headers)


def error_text(store: SupabaseStore, kind: type[OutsideError | SetupError]) -> str:
    with pytest.raises(kind) as caught:
        store.write(QUEUED)
    text = f"{caught.value} {caught.value.__cause__}"
    assert KEY not in text
    assert "the prompt" not in text
    return text


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_outage_is_told_as_one_and_the_library_repeats_nothing(
    project: Project, store: SupabaseStore, status: int
) -> None:
    project.response = error_answer(status)
    assert f"Supabase answered {status}." in error_text(store, OutsideError)
    assert project.requests == 1
    with pytest.raises(OutsideError):
        store.check()
    assert project.requests == 2


@pytest.mark.parametrize(
    ("header", "wait_s"), [("30", 30.0), ("soon", None), ("", None), ("9" * 5000, None)]
)
def test_retry_after_is_passed_on(
    project: Project, store: SupabaseStore, header: str, wait_s: float | None
) -> None:
    project.response = error_answer(429, **{"Retry-After": header})
    with pytest.raises(OutsideError) as caught:
        store.write(QUEUED)
    assert caught.value.retry_in_s == wait_s


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (error_answer(404, "PGRST205"), "deploy/supabase/migrations"),
        (error_answer(404, "42P01"), "deploy/supabase/migrations"),
        (Response(404, b"{}", {"Content-Type": "application/json"}), "deploy/supabase/migrations"),
        (error_answer(400, "PGRST204"), "deploy/supabase/migrations"),
        (error_answer(401), "SUPABASE_KEY"),
        (error_answer(401, "PGRST301"), "SUPABASE_KEY"),
        (error_answer(403, "42501"), "SUPABASE_KEY"),
        (error_answer(405, "25006"), "25006"),
        (error_answer(404), "SUPABASE_URL"),
        (Response(404, b"<html>"), "SUPABASE_URL"),
        (Response(200, b"<html>"), "SUPABASE_URL"),
        (Response(200, b""), "SUPABASE_URL"),
        (Response(302, b"", {"Location": "https://example.com/"}), "SUPABASE_URL"),
        (Response(400, b'["code"]', {"Content-Type": "application/json"}), "SUPABASE_URL"),
        (Response(400, b'{"code": 1}', {"Content-Type": "application/json"}), "SUPABASE_URL"),
        (Response(400, b"\xff{", {"Content-Type": "application/json"}), "SUPABASE_URL"),
    ],
)
def test_what_the_operator_must_mend_is_named(
    project: Project, store: SupabaseStore, response: Response, words: str
) -> None:
    project.response = response
    assert words in error_text(store, SetupError)


def test_a_dropped_connection_is_an_outage_and_the_library_repeats_nothing(
    project: Project, store: SupabaseStore
) -> None:
    assert "cannot be reached" in error_text(store, OutsideError)
    with pytest.raises(OutsideError):
        store.check()
    assert project.requests == 2


def test_an_answer_that_cannot_be_unpacked_is_an_outage(
    project: Project, store: SupabaseStore
) -> None:
    project.response = Response(500, b"no gzip", {"Content-Encoding": "gzip"})
    assert "cannot be reached (DecodingError)" in error_text(store, OutsideError)


def test_an_answer_that_unpacks_to_very_much_is_an_outage(
    project: Project, store: SupabaseStore
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for status in (200, 500):
        project.response = Response(status, gzip.compress(b" " * (20 << 20)), headers)
        assert "cannot be reached (BodyTooLong)" in error_text(store, OutsideError)
        project.response = Response(status, b"", {**headers, "Content-Encoding": "gzip, gzip"})
        assert "cannot be reached (DecodingError)" in error_text(store, OutsideError)


def test_no_redirect_is_followed(project: Project, store: SupabaseStore) -> None:
    for status in (301, 302, 303, 307, 308):
        project.response = Response(
            status, b"[]", {"Location": "/rest/v1/elsewhere", "Content-Type": "application/json"}
        )
        before = project.requests
        error_text(store, SetupError)
        assert project.requests == before + 1


@pytest.mark.parametrize("seconds", ["86401", "9" * 300])
def test_a_wait_is_a_day_at_most(project: Project, store: SupabaseStore, seconds: str) -> None:
    project.response = error_answer(503, **{"Retry-After": seconds})
    with pytest.raises(OutsideError) as caught:
        store.write(QUEUED)
    assert caught.value.retry_in_s == 86_400


@pytest.mark.parametrize("code", ["x" * 21, "a\x1b[31m", "a b", "", "\u202e1"])
def test_a_code_that_is_none_is_not_repeated(
    project: Project, store: SupabaseStore, code: str
) -> None:
    project.response = error_answer(400, code)
    assert error_text(store, SetupError).startswith(
        "What answers at SUPABASE_URL is not Supabase (400)."
    )


@pytest.mark.parametrize(
    "body", [b"[" * 60_000, b'{"code": "42P01"}' + b" " * 70_000 + b"{", b'{"a":' * 10_000]
)
def test_an_error_in_no_form_is_told(project: Project, store: SupabaseStore, body: bytes) -> None:
    project.response = Response(400, body, {"Content-Type": "application/json"})
    error_text(store, SetupError)


def test_a_project_that_is_not_there_is_an_outage() -> None:
    with closing(SupabaseStore("http://127.0.0.1:1", KEY)) as store:
        assert "cannot be reached (ConnectError)" in error_text(store, OutsideError)


def test_a_project_that_does_not_answer_is_waited_for_only_so_long() -> None:
    def never(_request: Request) -> Response:
        server.stopping.wait()
        raise Dropped

    server = Server(never)
    with server, closing(SupabaseStore(server.url, KEY, timeout_s=0.1)) as store:
        assert "did not answer" in error_text(store, TimedOut)


@pytest.mark.parametrize("key", ["with space", "line\nbreak", "ünïcode", ""])
def test_a_key_that_no_header_can_hold_is_a_fault_of_the_settings(key: str) -> None:
    store = SupabaseStore("http://127.0.0.1:1", key)
    with pytest.raises(SetupError, match="SUPABASE_KEY") as caught:
        store.check()
    assert not key or key not in f"{caught.value} {caught.value.__cause__}"


def test_a_url_that_is_none_is_a_fault_of_the_settings() -> None:
    with (
        closing(SupabaseStore("project.supabase.co", KEY)) as store,
        pytest.raises(SetupError, match="SUPABASE_URL"),
    ):
        store.check()


def test_an_answer_that_never_ends_is_left_in_time() -> None:
    for first, then in (
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    ):
        with (
            send_for_ever(first, then) as url,
            closing(SupabaseStore(url, KEY, timeout_s=0.1)) as store,
        ):
            assert "did not answer in time" in error_text(store, TimedOut)
