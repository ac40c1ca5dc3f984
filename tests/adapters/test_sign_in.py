"""Signing in by GitHub, against the double."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pytest_httpserver import HTTPServer

from bot.adapters.sign_in import GitHubSignIn
from bot.errors import NotPermitted, OutsideError
from tests.doubles.github import GitHubDouble
from tests.doubles.github.state import App, Role

BACK = "https://bot.example.com/login/callback"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubDouble]:
    with GitHubDouble(tmp_path / "github") as double:
        yield double


@pytest.fixture
def app(github: GitHubDouble) -> App:
    return github.add_app(events=["issue_comment"])


def make(github: GitHubDouble, app: App, *, secret: str = "") -> GitHubSignIn:
    return GitHubSignIn(
        client_id=app.client_id,
        client_secret=secret or app.client_secret,
        server_url=github.url,
        api_url=github.api_url,
    )


def browse(github: GitHubDouble, sign_in: GitHubSignIn, login: str | None) -> dict[str, str]:
    """What the browser brings back from GitHub, with the verifier."""
    start = sign_in.begin(BACK)
    github.world.at_browser = github.world.user(login) if login else None
    answer = httpx.get(start.url)
    assert answer.status_code == 302
    back = {
        name: value[0]
        for name, value in parse_qs(urlsplit(answer.headers["Location"]).query).items()
    }
    assert back.pop("state") == start.state
    return back | {"verifier": start.verifier}


def test_a_person_signs_in_and_is_known_by_id_and_login(github: GitHubDouble, app: App) -> None:
    sign_in = make(github, app)
    back = browse(github, sign_in, "octocat")
    person = sign_in.finish(BACK, back["code"], back["verifier"])
    assert (person.id, person.login) == (github.world.user("octocat").id, "octocat")
    with pytest.raises(NotPermitted):  # a code counts once
        sign_in.finish(BACK, back["code"], back["verifier"])


def test_another_browsers_code_or_another_apps_secret_signs_nobody_in(
    github: GitHubDouble, app: App
) -> None:
    sign_in = make(github, app)
    back = browse(github, sign_in, "octocat")
    with pytest.raises(NotPermitted):
        sign_in.finish(BACK, back["code"], "another-verifier-" * 4)
    back = browse(github, sign_in, "octocat")
    with pytest.raises(OutsideError, match="client secret"):  # the operator's to mend
        make(github, app, secret="wrong").finish(BACK, back["code"], back["verifier"])


def test_the_login_is_the_one_that_github_has_now(github: GitHubDouble, app: App) -> None:
    sign_in = make(github, app)
    back = browse(github, sign_in, "octocat")
    token = sign_in.finish(BACK, back["code"], back["verifier"]).token
    assert sign_in.login(token) == "octocat"
    assert sign_in.login("ghu_none") is None


def test_a_person_who_denies_it_brings_no_code(github: GitHubDouble, app: App) -> None:
    assert "code" not in browse(github, make(github, app), None)


@pytest.mark.parametrize("role", ["admin", "maintain", "write", "triage", "read"])
def test_the_permission_is_githubs(github: GitHubDouble, app: App, role: Role) -> None:
    repo = github.add_repository("acme/plans", private=True, permissions={"ada": role})
    sign_in = make(github, app)
    back = browse(github, sign_in, "ada")
    token = sign_in.finish(BACK, back["code"], back["verifier"]).token
    assert sign_in.permission(token, repo.id) == role


def test_a_private_repository_is_nothing_to_others_and_a_public_one_is_read(
    github: GitHubDouble, app: App
) -> None:
    private = github.add_repository("acme/plans", private=True)
    public = github.add_repository("acme/site")
    sign_in = make(github, app)
    back = browse(github, sign_in, "eve")
    token = sign_in.finish(BACK, back["code"], back["verifier"]).token
    assert sign_in.permission(token, private.id) == "none"
    assert sign_in.permission(token, 999) == "none"
    assert sign_in.permission(token, public.id) == "read"
    assert sign_in.permission("ghu_none", public.id) is None


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"access_token": 1}', '{"access_token": "a b"}', "<html>"]
)
def test_an_odd_answer_is_an_error_that_says_so(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/login/oauth/access_token").respond_with_data(
        body, content_type="application/json"
    )
    url = httpserver.url_for("")
    sign_in = GitHubSignIn(client_id="i", client_secret="s", server_url=url, api_url=url)
    with pytest.raises((OutsideError, NotPermitted)):
        sign_in.finish(BACK, "code", "verifier")


@pytest.mark.parametrize("status", [301, 418, 500, 503])
def test_a_server_that_fails_gives_no_permission(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/repositories/1").respond_with_data("{}", status=status)
    url = httpserver.url_for("").rstrip("/")
    sign_in = GitHubSignIn(client_id="i", client_secret="s", server_url=url, api_url=url)
    with pytest.raises(OutsideError):
        sign_in.permission("t", 1)


def test_a_server_that_is_away_is_told_without_a_secret() -> None:
    url = "http://127.0.0.1:9"
    sign_in = GitHubSignIn(client_id="i", client_secret="hush", server_url=url, api_url=url)
    with pytest.raises(OutsideError) as caught:
        sign_in.finish(BACK, "code", "verifier")
    assert "hush" not in str(caught.value)
