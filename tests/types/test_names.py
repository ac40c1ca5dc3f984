"""Names: one grammar of `owner/name`, used by every part that is given one; the URLs that people
paste; names of branches; and suggestions for a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.adapters.git import GitCache
from bot.adapters.github import GitHubApp
from bot.errors import BadRequest, Damaged
from bot.thread.payloads import Repository
from bot.types import Command, Job, Target
from bot.types.names import (
    MAX_COMPARED_CHARS,
    REPO_NAME,
    branch_name,
    close_names,
    is_branch_name,
    read_repo_url,
)

SERVER = "https://github.com"
JOB = Job("d-1", "comment", Target("o/r", 9, 3, comment_id=7), Command("solve", "fix"), "ada", 5)
REAL = [
    "octocat/hello-world",
    "a/b",
    "0x4D31/x",
    "mona_octocorp/tools",
    "mona_octo-corp/a_b",
    "_/_",
    "octo-/r",
    "octo--cat/r",
    "o/.github",
    "o/o.github.io",
    "o/r.js",
    "o/r.wiki",
    "o/...",
    "o/..x",
    "o/-",
    "o/_",
    "o/-r-",
    "O/R",
    "o" * 39 + "/" + "r" * 100,
]
UNREAL = [
    "",
    "o",
    "/",
    "o/",
    "/r",
    "o/r/s",
    "o//r",
    "/o/r",
    "o/r/",
    "o/.",
    "o/..",
    "./r",
    "../r",
    ".o/r",
    "o.o/r",
    "-o/r",
    "o/r\n",
    "o\n/r",
    "\no/r",
    "o/r\0",
    "o/r r",
    " o/r",
    "o/r ",
    "o/r\\s",
    "o/r?x",
    "o/r#x",
    "o/r:x",
    "o/r@x",
    "o/~r",
    "o/r*",
    "\u03bf/r",
    "o/\u0433",
    "o/r\u200b",
    "\ufb01/r",
    "\u0663/r",
    "o/r\u0301",
    "\u212a/r",
    "o/r\x85",
    "dependabot[bot]/r",
    "o" * 101 + "/r",
    "o/" + "r" * 101,
]


def by_payload(name: str) -> bool:
    try:
        return Repository(full_name=name).full_name == name
    except ValidationError:
        return False


def by_cache(name: str) -> bool:
    """A valid name is looked up in an empty cache."""
    try:
        GitCache(Path("/nowhere")).snapshot(name, "0" * 40)
    except Damaged:
        return True
    except BadRequest:
        return False
    raise AssertionError


def by_github(name: str) -> bool:
    with GitHubApp() as app:
        try:
            app.connect(name, None)
        except BadRequest:
            return False
    return True


def by_grammar(name: str) -> bool:
    return REPO_NAME.fullmatch(name) is not None


@pytest.mark.parametrize("is_taken", [by_grammar, by_payload, by_cache, by_github])
def test_every_part_takes_real_names_and_no_others(is_taken: Callable[[str], bool]) -> None:
    assert [name for name in REAL if not is_taken(name)] == []
    assert [name for name in UNREAL if is_taken(name)] == []


@pytest.mark.parametrize("name", REAL)
def test_every_address_of_a_real_name_is_read(name: str) -> None:
    assert read_repo_url(f"{SERVER}/{name}", SERVER) == (name, None)
    assert read_repo_url(f"git@github.com:{name}.git", SERVER) == (name, None)
    assert read_repo_url(f"{SERVER}/{name}/tree/main", SERVER) == (name, "main")


@pytest.mark.parametrize(
    "name", ["o.o/r", "-o/r", "o/..", "o/\u0433", "o/r%0A", "o/r%00", "\ufb01/r", "o/" + "r" * 101]
)
def test_no_address_names_anything_else(name: str) -> None:
    with pytest.raises(BadRequest):
        read_repo_url(f"https://github.com/{name}", SERVER)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "tail", ["/" * 400_000 + "x ", "r" * 400_000, ".git" * 100_000, "/tree/" + "a/" * 200_000 + " "]
)
def test_a_long_address_is_read_in_a_moment(tail: str) -> None:
    with pytest.raises(BadRequest):
        read_repo_url(f"https://github.com/o/r{tail}\nx", SERVER)


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


@pytest.mark.parametrize(
    "name", ["-x", "a b", "a..b", "a~1", "x.lock", "/a", "a/", "a.", "@{-1}", "a\x00b", "a//b", ""]
)
def test_what_git_takes_for_no_branch_is_none(name: str) -> None:
    assert not is_branch_name(name)


def test_a_branch_has_one_name_for_a_job_and_another_for_another() -> None:
    assert branch_name(JOB) == branch_name(replace(JOB, actor="bob"))
    assert branch_name(JOB).startswith("tinygen/issue-3-")
    assert branch_name(JOB) != branch_name(replace(JOB, id="d-2"))


_NAME = st.text("abc/.", max_size=12)


@given(_NAME, st.lists(_NAME, max_size=40, unique=True), st.sampled_from([0.3, 0.6, 0.8]))
def test_of_short_names_difflibs_are_the_close_ones(
    name: str, known: list[str], least: float
) -> None:
    expected = difflib.get_close_matches(name, known, n=3, cutoff=least)
    assert close_names(name, known, most=3, least_likeness=least) == expected


def test_of_long_names_the_ends_are_compared() -> None:
    far, near = "x" * 500 + "/one.py", "y" * 500 + "z" * MAX_COMPARED_CHARS
    assert close_names("z" * MAX_COMPARED_CHARS, [far, near], most=2, least_likeness=0.9) == [near]


def test_the_likest_is_found_among_many() -> None:
    known = [f"module{number}.py" for number in range(1_000)]
    assert close_names("modul500.py", known, most=1, least_likeness=0.8) == ["module500.py"]
