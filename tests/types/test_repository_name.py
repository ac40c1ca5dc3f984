"""One grammar of `owner/name`, held by every door that a repository's name comes in through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.adapters.git import GitCache
from bot.adapters.github import GitHubApp
from bot.errors import BadRequest, Damaged
from bot.thread.webhooks import Repository
from bot.types.names import REPO_NAME, read_repo_url

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
    """A name is looked up, and not there."""
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
def test_every_door_takes_real_names_and_no_others(is_taken: Callable[[str], bool]) -> None:
    assert [name for name in REAL if not is_taken(name)] == []
    assert [name for name in UNREAL if is_taken(name)] == []


@pytest.mark.parametrize("name", REAL)
def test_every_address_of_a_real_name_is_read(name: str) -> None:
    server = "https://github.com"
    assert read_repo_url(f"{server}/{name}", server) == (name, None)
    assert read_repo_url(f"git@github.com:{name}.git", server) == (name, None)
    assert read_repo_url(f"{server}/{name}/tree/main", server) == (name, "main")


@pytest.mark.parametrize(
    "name", ["o.o/r", "-o/r", "o/..", "o/\u0433", "o/r%0A", "o/r%00", "\ufb01/r", "o/" + "r" * 101]
)
def test_no_address_names_anything_else(name: str) -> None:
    with pytest.raises(BadRequest):
        read_repo_url(f"https://github.com/{name}", "https://github.com")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "tail", ["/" * 400_000 + "x ", "r" * 400_000, ".git" * 100_000, "/tree/" + "a/" * 200_000 + " "]
)
def test_a_long_address_is_read_in_a_moment(tail: str) -> None:
    with pytest.raises(BadRequest):
        read_repo_url(f"https://github.com/o/r{tail}\nx", "https://github.com")
