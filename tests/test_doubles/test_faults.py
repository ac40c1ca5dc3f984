"""The faults that a test can order from the double, and the record of all requests."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from tests.doubles.github import GitHubDouble, Repository, faults
from tests.test_doubles.conftest import COMMENTS, REPO, Client


def test_a_fault_is_the_answer_to_the_next_requests_that_match(
    github: GitHubDouble, repo: Repository, bot: Client
) -> None:
    order = github.faults.add(faults.bad_gateway(), method="POST", path=r"/comments$", times=2)
    assert bot("GET", REPO).status_code == 200
    assert [bot("POST", COMMENTS, {"body": "Hello."}).status_code for _ in range(3)] == [
        502,
        502,
        201,
    ]
    assert order.met == 2
    assert [comment.body for comment in repo.thread(1)] == ["Hello."]


def test_a_request_may_take_effect_though_its_answer_is_lost(
    github: GitHubDouble, repo: Repository, bot: Client
) -> None:
    github.faults.add(faults.dropped(acts=True), method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        bot("POST", COMMENTS, {"body": "Hello."})
    github.faults.add(faults.dropped(), method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        bot("POST", COMMENTS, {"body": "Hello."})
    github.faults.add(faults.bad_gateway(acts=True), method="POST")
    assert bot("POST", COMMENTS, {"body": "Hello."}).status_code == 502
    assert len(repo.thread(1)) == 2
    seen = [(each.status, each.caller) for each in github.requests.of("POST", COMMENTS)]
    assert seen == [(None, "installation"), (None, "installation"), (502, "installation")]


def test_rate_limits_have_the_status_headers_and_messages_that_github_sends(
    github: GitHubDouble, bot: Client
) -> None:
    github.faults.add(faults.secondary_limit(retry_after_s=7), path=REPO)
    github.faults.add(faults.secondary_limit(status=429), path=REPO)
    github.faults.add(faults.primary_limit(reset_at_s=2_000_000_000), path=REPO)
    secondary, without_header, primary = (bot("GET", REPO) for _ in range(3))
    assert (secondary.status_code, secondary.headers["Retry-After"]) == (403, "7")
    assert (without_header.status_code, "Retry-After" in without_header.headers) == (429, False)
    assert "secondary rate limit" in without_header.json()["message"]
    assert (primary.headers["X-RateLimit-Remaining"], primary.headers["X-RateLimit-Reset"]) == (
        "0",
        "2000000000",
    )


def test_requests_are_counted_against_the_callers_limit(github: GitHubDouble, bot: Client) -> None:
    remaining = int(bot("GET", REPO).headers["X-RateLimit-Remaining"])
    assert bot("GET", REPO).headers["X-RateLimit-Remaining"] == str(remaining - 1)
    github.limits.per_hour["installation"] = 5000 - remaining + 1
    refused = bot("GET", REPO)
    assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert "API rate limit exceeded" in refused.json()["message"]


def test_a_delayed_answer_does_not_delay_the_stop_of_the_double(tmp_path: Path) -> None:
    with GitHubDouble(tmp_path) as github, httpx.Client(base_url=github.api_url) as client:
        github.faults.add(faults.delayed(60))
        with pytest.raises(httpx.ReadTimeout):
            client.get("/rate_limit", timeout=0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_an_exception_in_the_double_fails_the_test(tmp_path: Path) -> None:
    def use_a_broken_double() -> None:
        with GitHubDouble(tmp_path) as github, httpx.Client(base_url=github.api_url) as client:
            github.limits.per_hour.clear()
            with pytest.raises(httpx.RemoteProtocolError):
                client.get("/users/octocat")

    with pytest.raises(KeyError):
        use_a_broken_double()
