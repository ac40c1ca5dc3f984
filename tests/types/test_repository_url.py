"""The addresses that people paste."""

from __future__ import annotations

import pytest

from bot.errors import BadRequest
from bot.types.names import read_repo_url

SERVER = "https://github.com"


@pytest.mark.parametrize(
    ("text", "repo", "ref"),
    [
        ("https://github.com/o/r", "o/r", None),
        (" https://github.com/o/r.git\n", "o/r", None),
        ("https://github.com/o/r/", "o/r", None),
        ("http://www.github.com/o/r.git/", "o/r", None),
        ("HTTPS://GitHub.com/O/r", "O/r", None),
        ("github.com/o/r", "o/r", None),
        ("git@github.com:o/r.git", "o/r", None),
        ("ssh://git@github.com/o/r.git", "o/r", None),
        ("git://github.com/o/r", "o/r", None),
        ("https://github.com/o/r?tab=readme-ov-file#top", "o/r", None),
        ("https://github.com/o/r.js/tree/main/", "o/r.js", "main"),
        ("https://github.com/o/r/tree/feature/x", "o/r", "feature/x"),
        ("https://github.com/o/o.github.io", "o/o.github.io", None),
    ],
)
def test_every_form_names_its_repository(text: str, repo: str, ref: str | None) -> None:
    assert read_repo_url(text, SERVER) == (repo, ref)


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/o/r",
        "https://github.com@evil.example/o/r",
        "https://github.com.evil.example/o/r",
        "https://github.com:8443/o/r",
        "git@evil.example:o/r",
        "file:///etc/passwd",
        "file://github.com/o/r",
        "/etc",
        "o/r",
        "https://[::1/o/r",
        "",
    ],
)
def test_only_the_configured_server_is_named(text: str) -> None:
    with pytest.raises(BadRequest, match=r"must be on github\.com"):
        read_repo_url(text, SERVER)


@pytest.mark.parametrize(
    "path", ["o", "o/", "o/..", "o/.", "o/r/issues/1", "../..", "o/r%20r", "o/r%00", "%2e%2e/r"]
)
def test_what_is_no_repository_is_refused(path: str) -> None:
    with pytest.raises(BadRequest, match="does not name a repository"):
        read_repo_url(f"https://github.com/{path}", SERVER)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadRequest) as error:
        read_repo_url("https://me:hunter2@github.com/o/r", SERVER)
    assert "hunter2" not in str(error.value)


def test_another_server_may_have_a_port() -> None:
    assert read_repo_url("http://127.0.0.1:8000/o/r.git", "http://127.0.0.1:8000") == ("o/r", None)
