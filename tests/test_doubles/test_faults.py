"""Faults on order, and the journal that shows what a client did about them."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from tests.doubles.github import GitHubDouble, Repository, faults
from tests.test_doubles.conftest import C, Client, R


def test_a_fault_meets_the_next_request_that_matches(
    github: GitHubDouble, repo: Repository, bot: Client
) -> None:
    order = github.faults.add(faults.bad_gateway(), method="POST", path=r"/comments$", times=2)
    assert bot("GET", R).status_code == 200
    assert [bot("POST", C, {"body": "Hello."}).status_code for _ in range(3)] == [502, 502, 201]
    assert order.met == 2
    assert [comment.body for comment in repo.thread(1)] == ["Hello."]


def test_an_answer_may_be_lost_after_the_deed(
    github: GitHubDouble, repo: Repository, bot: Client
) -> None:
    github.faults.add(faults.dropped(acts=True), method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        bot("POST", C, {"body": "Hello."})
    github.faults.add(faults.dropped(), method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        bot("POST", C, {"body": "Hello."})
    github.faults.add(faults.bad_gateway(acts=True), method="POST")
    assert bot("POST", C, {"body": "Hello."}).status_code == 502
    assert len(repo.thread(1)) == 2
    seen = [(each.status, each.caller) for each in github.requests.of("POST", C)]
    assert seen == [(None, "installation"), (None, "installation"), (502, "installation")]


def test_githubs_limits_are_told_as_github_tells_them(github: GitHubDouble, bot: Client) -> None:
    github.faults.add(faults.secondary_limit(retry_after_s=7), path=R)
    github.faults.add(faults.secondary_limit(status=429), path=R)
    github.faults.add(faults.primary_limit(reset_at_s=2_000_000_000), path=R)
    secondary, silent, primary = (bot("GET", R) for _ in range(3))
    assert (secondary.status_code, secondary.headers["Retry-After"]) == (403, "7")
    assert (silent.status_code, "Retry-After" in silent.headers) == (429, False)
    assert "secondary rate limit" in silent.json()["message"]
    assert (primary.headers["X-RateLimit-Remaining"], primary.headers["X-RateLimit-Reset"]) == (
        "0",
        "2000000000",
    )


def test_requests_are_counted_against_the_callers_limit(github: GitHubDouble, bot: Client) -> None:
    remaining = int(bot("GET", R).headers["X-RateLimit-Remaining"])
    assert bot("GET", R).headers["X-RateLimit-Remaining"] == str(remaining - 1)
    github.limits.per_hour["installation"] = 5000 - remaining + 1
    refused = bot("GET", R)
    assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert "API rate limit exceeded" in refused.json()["message"]


def test_a_waiting_answer_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with GitHubDouble(tmp_path) as github, httpx.Client(base_url=github.api_url) as client:
        github.faults.add(faults.delayed(60))
        with pytest.raises(httpx.ReadTimeout):
            client.get("/rate_limit", timeout=0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_a_mistake_of_the_double_fails_the_test(tmp_path: Path) -> None:
    def mistaken() -> None:
        with GitHubDouble(tmp_path) as github, httpx.Client(base_url=github.api_url) as client:
            github.limits.per_hour.clear()
            with pytest.raises(httpx.RemoteProtocolError):
                client.get("/users/octocat")

    with pytest.raises(KeyError):
        mistaken()
