"""Who may do what, by which credential."""

from __future__ import annotations

from pathlib import Path

import httpx
import jwt
import pytest

from tests.doubles.clock import ManualClock
from tests.doubles.github import GitHubDouble
from tests.doubles.github.state import App, Installation
from tests.test_doubles.conftest import COMMENTS, REPO, Client, mint, sign_jwt


@pytest.mark.parametrize(
    "claims",
    [{"exp": 10**10}, {"exp": 1}, {"iat": 10**10}],
    ids=["longer than ten minutes", "expired", "issued in the future"],
)
def test_a_jwt_that_github_would_refuse_is_refused(
    github: GitHubDouble, http: httpx.Client, app: App, claims: dict[str, int]
) -> None:
    assert Client(http, sign_jwt(github, app))("GET", "/app").status_code == 200
    assert Client(http, sign_jwt(github, app, **claims))("GET", "/app").status_code == 401


def test_a_jwt_of_another_key_is_refused(
    github: GitHubDouble, http: httpx.Client, app: App
) -> None:
    now = int(github.world.clock())
    forged = jwt.encode({"iss": str(app.id), "iat": now - 60, "exp": now + 540}, "k" * 32, "HS256")
    answer = Client(http, forged)("GET", "/app")
    assert (answer.status_code, answer.json()["message"]) == (
        401,
        "A JSON web token could not be decoded",
    )


def test_a_token_ends_after_an_hour(tmp_path: Path) -> None:
    clock = ManualClock(1_700_000_000.0)
    with (
        GitHubDouble(tmp_path, clock=clock) as github,
        httpx.Client(base_url=github.api_url) as http,
    ):
        github.add_repository("octocat/hello", private=True)
        token = mint(github, http, github.install(github.add_app(), "octocat"))
        assert token["expires_at"] == "2023-11-14T23:13:20Z"
        bot = Client(http, token["token"])
        assert bot("GET", REPO).status_code == 200
        clock.now_s += 3600
        assert bot("GET", REPO).status_code == 401


def test_a_revoked_or_unknown_token_is_refused(github: GitHubDouble, bot: Client) -> None:
    assert Client(bot.http, "ghs_nobody")("GET", REPO).status_code == 401
    github.revoke_tokens()
    assert bot("GET", REPO).status_code == 401


def test_a_token_holds_no_more_than_was_asked_for(
    github: GitHubDouble, http: httpx.Client, installation: Installation
) -> None:
    github.add_repository("octocat/secret", private=True)
    github.add_repository("octocat/open")
    narrow = mint(
        github, http, installation, repositories=["hello"], permissions={"contents": "read"}
    )
    bot = Client(http, narrow["token"])
    assert bot("GET", f"{REPO}/git/ref/heads/main").status_code == 200
    refused = bot("POST", COMMENTS, {"body": "Hello."})
    assert refused.json()["message"] == "Resource not accessible by integration"
    assert refused.headers["X-Accepted-GitHub-Permissions"] == "issues=write; pull_requests=write"
    assert bot("GET", "/repos/octocat/secret").status_code == 404
    assert bot("GET", "/repos/octocat/open").status_code == 200
    assert bot("POST", "/repos/octocat/open/issues", {"title": "Hello"}).status_code == 403


def test_a_token_cannot_hold_more_than_the_installation(
    github: GitHubDouble, http: httpx.Client, installation: Installation
) -> None:
    assert (
        "not granted"
        in mint(github, http, installation, permissions={"workflows": "write"})["message"]
    )
    assert "does not exist" in mint(github, http, installation, repositories=["nobody"])["message"]


def test_without_a_credential_only_public_repositories_can_be_read(
    github: GitHubDouble, http: httpx.Client
) -> None:
    github.add_repository("octocat/open")
    github.add_repository("octocat/private", private=True)
    anonymous = Client(http)
    assert anonymous("GET", "/repos/octocat/open").status_code == 200
    assert anonymous("POST", "/repos/octocat/open/issues", {"title": "Hello"}).status_code == 401
    assert anonymous("GET", "/repos/octocat/private").status_code == 404


@pytest.mark.parametrize(
    ("login", "level", "role"),
    [("octocat", "admin", "admin"), ("mona", "write", "maintain"), ("lisa", "none", "none")],
)
def test_a_permission_is_answered_as_a_level_and_as_a_role(
    github: GitHubDouble, bot: Client, login: str, level: str, role: str
) -> None:
    github.add_user("lisa")
    answer = bot("GET", f"{REPO}/collaborators/{login}/permission").json()
    assert (answer["permission"], answer["role_name"]) == (level, role)
    assert bot("GET", f"{REPO}/collaborators/nobody/permission").status_code == 404
