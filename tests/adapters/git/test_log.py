"""The commits that touched a file or some of its lines, from a local repository and from the
cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.git import GitCache, LocalGit
from bot.types.github import Remote
from bot.types.snapshot import LineRange, Snapshot
from tests.adapters.git_repo import commit, git, head, make_repo, remote

TEN = [f"line {number}\n" for number in range(1, 11)]


def text(lines: list[str]) -> bytes:
    return "".join(lines).encode()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """`a` is added, its line 9 is changed, two lines are put above all, and `b` is changed."""
    origin = tmp_path / "origin"
    make_repo(origin, {"b": b"0"})
    commit(origin, {"a": text(TEN), "b": b"0"})
    changed = [*TEN[:8], "nine\n", TEN[9]]
    commit(origin, {"a": text(changed), "b": b"0"})
    grown = ["one\n", "two\n", *changed]
    commit(origin, {"a": text(grown), "b": b"0"})
    commit(origin, {"a": text(grown), "b": b"1"})
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    return origin


def added(snapshot: Snapshot, lines: LineRange | None = None, path: str = "a") -> list[str]:
    """The lines that each commit of the log added, newest first."""
    return [
        " ".join(line[1:] for line in each.diff.split("\n") if line.startswith("+"))
        for each in snapshot.log(path, lines)
    ]


def test_the_log_of_a_file_is_that_of_its_commits_newest_first(origin: Path) -> None:
    snapshot = LocalGit(origin).snapshot("o/n", head(origin))
    assert added(snapshot) == ["one two", "nine", text(TEN).decode().strip().replace("\n", " ")]
    (latest, *_) = snapshot.log("a", None)
    assert latest.diff == "@@ -0,0 +1,2 @@\n+one\n+two"
    assert len(latest.sha) == 40
    assert len(latest.date) == 10


def test_lines_are_followed_from_commit_to_commit(origin: Path) -> None:
    snapshot = LocalGit(origin).snapshot("o/n", head(origin))
    assert [each[:4] for each in added(snapshot, (11, 11))] == ["nine", "line"]
    assert [each[:4] for each in added(snapshot, (1, 2))] == ["one "]
    assert [each[:4] for each in added(snapshot, (5, 6))] == ["line"]


def test_a_path_that_no_commit_touched_has_no_log(origin: Path) -> None:
    assert LocalGit(origin).snapshot("o/n", head(origin)).log("c", None) == ()


def test_a_pattern_is_only_a_name(origin: Path) -> None:
    commit(origin, {"a*": b"1", "a": b"2"})
    commit(origin, {"a*": b"1", "a": b"3"})
    snapshot = LocalGit(origin).snapshot("o/n", head(origin))
    assert added(snapshot, path="a*") == ["1"]


def open_cache(tmp_path: Path, origin: Path, log_remote: Remote | None) -> Snapshot:
    cache = GitCache(tmp_path / "cache", protocols=("file",))
    cache.fetch("o/n", remote(origin), head(origin))
    open_remote = None if log_remote is None else lambda: log_remote
    return cache.snapshot("o/n", head(origin), open_remote)


def test_the_cache_fetches_the_contents_of_that_file_alone(origin: Path, tmp_path: Path) -> None:
    snapshot = open_cache(tmp_path, origin, remote(origin))
    assert added(snapshot)[:2] == ["one two", "nine"]
    past = tmp_path / "cache/o/n.git/past"
    kinds = git(past, "cat-file", "--batch-all-objects", "--batch-check").split()[1::3]
    assert kinds.count(b"blob") == 3


@pytest.mark.parametrize("is_gone", [True, False])
def test_without_the_earlier_contents_there_is_no_log(
    origin: Path, tmp_path: Path, is_gone: bool
) -> None:
    gone = remote(tmp_path / "nothing") if is_gone else None
    assert open_cache(tmp_path, origin, gone).log("a", None) == ()
