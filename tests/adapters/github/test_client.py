"""Requests: which are repeated, how long limits are waited for, and what is never sent."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from bot import errors
from bot.adapters.github import GitHubApp
from bot.adapters.github.auth import TokenCredentials
from bot.adapters.github.client import ApiClient, ApiRequest, Transport
from bot.adapters.github.errors import (
    UnclearOutcome,
    error_for,
    quote_message,
    rate_limit_wait_s,
    retry_after_s,
)
from bot.errors import NotFound, OutsideError, SetupError, TinyGenError
from tests.adapters.github.conftest import InstalledApp
from tests.doubles.github import faults
from tests.doubles.github.faults import Fault
from tests.doubles.server import Request, Response, Server

ISSUE = (
    b'{"number": 1, "title": "t", "state": "open", "new_field": [1], "body": "b", "user": {"login":'
    b' "mona"}}'
)
TOKEN = "ghp_0123456789abcdefghij"


@pytest.mark.parametrize(
    "fault",
    [
        faults.bad_gateway(),
        faults.unavailable(),
        faults.dropped(),
        Fault(500),
        Fault(504, b"<html>"),
    ],
    ids=["502", "503", "dropped", "500", "504"],
)
def test_a_read_is_repeated_with_growing_pauses(installed: InstalledApp, fault: Fault) -> None:
    installed.double.faults.add(fault, path="/issues/1$", times=3)
    assert installed.connect().thread(1).title == "It is broken"
    assert installed.pauses == [1, 2, 4]


def test_it_gives_up_after_four_tries(installed: InstalledApp) -> None:
    installed.double.faults.add(faults.bad_gateway(), path="/issues/1$", times=9)
    with pytest.raises(
        OutsideError, match=r"could not read octocat/hello#1: GitHub answered 502 \(Bad Gateway\)"
    ) as caught:
        installed.connect().thread(1)
    assert installed.count("GET", ".*/issues/1") == 4
    assert "Try again" in caught.value.next_step


def test_an_outage_lasts_as_long_as_github_says(installed: InstalledApp) -> None:
    installed.double.faults.add(faults.unavailable(retry_after_s=11), path="/issues/1$")
    installed.connect().thread(1)
    assert installed.pauses == [11]


def test_a_silent_github_is_left_after_the_timeout(installed: InstalledApp) -> None:
    installed.double.faults.add(faults.delayed(30), path="/issues/1$")
    began = time.monotonic()
    assert installed.connect(timeout_s=0.3).thread(1).title == "It is broken"
    assert time.monotonic() - began < 10
    assert installed.pauses == [1]


def test_a_server_that_is_not_there_is_named_by_what_was_wanted() -> None:
    pauses: list[float] = []
    github = GitHubApp(api_url="http://127.0.0.1:9", sleep=pauses.append)
    with (
        github,
        pytest.raises(OutsideError, match=r"read o/r#1: GitHub did not answer \(ConnectError\)"),
    ):
        github.connect("o/r", None).thread(1)
    assert pauses == [1, 2, 4]


def test_a_connection_that_never_was_lets_a_creation_be_repeated() -> None:
    pauses: list[float] = []
    transport = Transport("http://127.0.0.1:9", timeout_s=5, sleep=pauses.append, clock=time.time)
    request = ApiRequest(
        "POST",
        "/repos/o/r/issues/1/comments",
        "comment on o/r#1",
        json={"body": "x"},
        idempotent=False,
    )
    with pytest.raises(OutsideError, match="comment on o/r#1") as caught:
        ApiClient(transport, TokenCredentials(None)).send(request)
    transport.close()
    assert not isinstance(caught.value, UnclearOutcome)
    assert pauses == [1, 2, 4]


def test_a_secondary_limit_is_waited_for_as_its_header_says(installed: InstalledApp) -> None:
    installed.double.faults.add(faults.secondary_limit(retry_after_s=30), path="/issues/1$")
    assert installed.connect().thread(1).title == "It is broken"
    assert installed.pauses == [30]


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_limit_without_a_header_is_known_by_its_words(
    installed: InstalledApp, status: int
) -> None:
    installed.double.faults.add(faults.secondary_limit(status=status), path="/issues/1$")
    assert installed.connect().thread(1).title == "It is broken"
    assert installed.pauses == [60]


def test_a_limit_met_again_is_waited_for_longer_and_then_left_to_the_job(
    installed: InstalledApp,
) -> None:
    installed.double.faults.add(faults.secondary_limit(), path="/issues/1$", times=3)
    with pytest.raises(OutsideError, match="rate limit") as caught:
        installed.connect().thread(1)
    assert (installed.pauses, caught.value.retry_in_s) == ([60], 120)


def test_the_primary_limit_is_waited_for_until_its_reset(installed: InstalledApp) -> None:
    installed.double.faults.add(
        faults.primary_limit(reset_at_s=time.time() + 40), path="/issues/1$"
    )
    assert installed.connect().thread(1).title == "It is broken"
    assert 38 < installed.pauses[0] <= 41


def test_a_reset_in_an_hour_is_not_waited_for(installed: InstalledApp) -> None:
    installed.double.faults.add(
        faults.primary_limit(reset_at_s=time.time() + 3600), path="/issues/1$"
    )
    with pytest.raises(OutsideError, match=r"Try again in 6[01] minutes") as caught:
        installed.connect().thread(1)
    assert installed.pauses == []
    assert caught.value.retry_in_s == pytest.approx(3601, abs=3)


def answer(status: int, message: str = "", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"message": message}, headers=named)


def test_the_last_permitted_request_may_be_refused_for_another_reason() -> None:
    assert (
        rate_limit_wait_s(answer(403, "Resource not accessible", x_ratelimit_remaining="0"), 0)
        is None
    )


def test_times_are_githubs_and_not_this_machines() -> None:
    reset = {
        "x_ratelimit_remaining": "0",
        "x_ratelimit_reset": "1700000030",
        "date": formatdate(1_700_000_000),
    }
    assert rate_limit_wait_s(answer(403, "API rate limit exceeded", **reset), 5.0) == 31


def test_a_date_to_wait_for_is_compared_with_githubs_clock() -> None:
    dates = {"retry_after": formatdate(1_000_010, usegmt=True), "date": formatdate(1_000_000)}
    assert retry_after_s(answer(503, **dates), 5) == 10


def test_a_limit_that_is_met_again_lasts_as_long_as_its_header_says(
    installed: InstalledApp,
) -> None:
    for fault in (
        faults.secondary_limit(retry_after_s=30),
        faults.secondary_limit(retry_after_s=5),
    ):
        installed.double.faults.add(fault, path="/issues/1$")
    installed.double.faults.add(faults.unavailable(retry_after_s=1), path="/issues/1$")
    assert installed.connect().thread(1).title == "It is broken"
    assert installed.pauses == [30, 5, 1]


@pytest.mark.parametrize("reset", ["tomorrow", "nan", ""])
def test_a_limit_whose_end_is_nonsense_lasts_a_minute(reset: str) -> None:
    limited = answer(
        429, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset=reset
    )
    assert rate_limit_wait_s(limited, 0) == 60


def test_a_renamed_repository_is_read_on_and_not_written_to(installed: InstalledApp) -> None:
    installed.repo.permissions["mona"] = "admin"
    repository = installed.adapter(app_id=None, token=installed.double.add_token("mona")).connect(
        "octocat/hello", None
    )
    installed.repo.rename("hello-world")
    assert repository.thread(1).title == "It is broken"
    assert repository.resolve(None)[0] == "main"
    with pytest.raises(NotFound, match="Moved Permanently") as caught:
        repository.post_comment(1, "body", marker="no such")
    assert "renamed" in caught.value.next_step
    assert installed.repo.thread(1) == ()


def test_a_redirect_to_another_server_is_not_followed() -> None:
    def lead_away(_: Request) -> Response:
        return Response(301, b"{}", {"Location": f"{other.url}/repos/o/r/issues/1"})

    def fail(_: Request) -> Response:
        raise AssertionError("the token came here")

    # by another name, since the port alone makes no other host
    with (
        Server(fail) as other,
        Server(lead_away) as server,
        alone(server.url.replace("127.0.0.1", "localhost")) as github,
        pytest.raises(NotFound, match="301"),
    ):
        github.connect("o/r", None).thread(1)


def test_an_endless_redirect_ends() -> None:
    asked: list[str] = []

    def again(request: Request) -> Response:
        asked.append(request.path)
        return Response(302, b"{}", {"Location": f"/{len(asked)}"})

    with Server(again) as server, alone(server.url) as github, pytest.raises(NotFound):
        github.connect("o/r", None).thread(1)
    assert len(asked) == 4


def alone(api_url: str, **settings: Any) -> GitHubApp:
    return GitHubApp(api_url=api_url, token=TOKEN, sleep=lambda _: None, **settings)


def test_each_request_says_which_api_it_means_and_who_asks() -> None:
    seen: list[Request] = []

    def issue(request: Request) -> Response:
        seen.append(request)
        return Response(200, ISSUE)

    with Server(issue) as server, alone(f"{server.url}/api/v3/") as github:
        assert github.connect("o/r", None).thread(1).author == "mona"
    headers = seen[0].headers
    assert seen[0].path == "/api/v3/repos/o/r/issues/1"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["User-Agent"] == "TinyGen"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Accept"] == "application/vnd.github+json"
    assert "If-None-Match" not in headers


@pytest.mark.parametrize(
    "body", [b"<html>Sign in</html>", b"[]", b'{"number": 1', b"", b'{"number": "x", "title": 1}']
)
def test_an_answer_of_another_form_is_githubs_fault(body: bytes) -> None:
    with Server(lambda _: Response(200, body)) as server, alone(server.url) as github:
        repository = github.connect("o/r", None)
        with pytest.raises(OutsideError, match="unknown form") as caught:
            repository.thread(1)
    assert "GITHUB_API_URL" in caught.value.next_step


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 422, 500])
def test_no_error_holds_the_token(status: int) -> None:
    def echo(request: Request) -> Response:
        return Response(
            status, b'{"message": "You sent %s", "errors": ["%s"]}' % ((TOKEN.encode(),) * 2)
        )

    with Server(echo) as server, alone(server.url) as github, pytest.raises(TinyGenError) as caught:
        github.connect("o/r", None).thread(1)
    assert "You sent ***" in str(caught.value)
    for text in (str(caught.value), repr(caught.value), repr(caught.value.__cause__), repr(github)):
        assert TOKEN not in text


@pytest.mark.parametrize(
    "status", [301, 304, 400, 401, 403, 404, 405, 409, 410, 413, 415, 418, 422, 451, 500, 503]
)
def test_every_refusal_is_an_error_of_bot_errors(status: int) -> None:
    error = error_for(httpx.Response(status, content=b""), "read it", None)
    assert getattr(errors, type(error).__name__) is type(error)
    assert f"TinyGen could not read it: GitHub answered {status}" in str(error)
    assert error.next_step


def test_a_missing_permission_is_named(installed: InstalledApp) -> None:
    body = b'{"message": "Resource not accessible by integration"}'
    installed.double.faults.add(
        Fault(403, body, {"X-Accepted-GitHub-Permissions": "issues=write"}), path="/issues/1$"
    )
    with pytest.raises(SetupError) as caught:
        installed.connect().thread(1)
    assert "(issues=write)" in caught.value.next_step


def test_a_list_of_errors_is_told_in_one_short_line() -> None:
    faulty: list[object] = [
        {"field": "head", "code": "invalid"},
        {"message": "No\ncommits"},
        "odd",
        7,
        None,
        "sixth",
    ]
    response = httpx.Response(422, json={"message": "Validation Failed", "errors": faulty})
    assert (
        quote_message(response, None) == "Validation Failed; head invalid; No commits; odd; 7; None"
    )
    assert len(quote_message(httpx.Response(422, json={"message": "x" * 9999}), None)) == 300
    assert quote_message(httpx.Response(422, content=b"<html>"), None) == "Unprocessable Entity"
    assert quote_message(httpx.Response(422, json=["odd"]), None) == "Unprocessable Entity"


def test_threads_share_connections_and_do_not_meet(installed: InstalledApp) -> None:
    for number in range(2, 10):
        installed.repo.open_issue("mona", f"issue {number}")
    repository = installed.connect()
    repository.thread(1)

    def read(number: int) -> str:
        return repository.thread(number).title

    with ThreadPoolExecutor(8) as threads:
        titles = list(threads.map(read, list(range(2, 10)) * 5))
    assert titles == [f"issue {number}" for number in range(2, 10)] * 5


def test_githubkit_is_not_loaded_before_it_is_needed() -> None:
    import subprocess
    import sys

    code = (
        "import sys, bot.adapters.github, bot.adapters.model; print({'githubkit', 'openai', 'jwt'}"
        " & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
