"""The history of a snapshot, from a local repository and from the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.git import GitCache, LocalGit
from bot.types.snapshot import PastCommit, Snapshot
from tests.adapters.git_repo import commit, git, head, make_repo, remote


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    origin = tmp_path / "origin"
    make_repo(origin, {"a": b"1"})
    commit(origin, {"a": b"2", "dir/b\n": b"1"})
    commit(origin, {"a": b"2", "dir/b\n": b"2"})
    return origin


HISTORY = (PastCommit("", ("dir/b\n",)), PastCommit("", ("a", "dir/b\n")))
"""The first commit has no parent, and is left out."""


def snapshot(cache: GitCache, origin: Path) -> Snapshot:
    cache.fetch("o/n", remote(origin), head(origin))
    return cache.snapshot("o/n", head(origin))


def test_a_local_repository_gives_its_commits_newest_first(origin: Path) -> None:
    assert LocalGit(origin).snapshot("o/n", head(origin)).history() == HISTORY


def test_a_shallow_clone_gives_the_commits_that_it_has(origin: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=2", origin.as_uri(), "shallow")

    assert LocalGit(tmp_path / "shallow").snapshot("o/n", head(origin)).history() == HISTORY[:1]


def test_the_cache_fetches_earlier_commits_without_their_files(
    origin: Path, tmp_path: Path
) -> None:
    git(origin, "config", "uploadpack.allowFilter", "true")

    assert snapshot(GitCache(tmp_path / "cache", protocols=("file",)), origin).history() == HISTORY

    kinds = git(
        tmp_path / "cache/o/n.git/past", "cat-file", "--batch-all-objects", "--batch-check"
    ).split()[1::3]
    assert set(kinds) == {b"commit", b"tree"}


def test_a_later_fetch_adds_to_the_history(origin: Path, tmp_path: Path) -> None:
    cache = GitCache(tmp_path / "cache", protocols=("file",))
    snapshot(cache, origin)
    commit(origin, {"c": b"1"})

    assert snapshot(cache, origin).history() == (PastCommit("", ("a", "c", "dir/b\n")), *HISTORY)


def test_a_damaged_history_is_empty_and_leaves_the_snapshot_readable(
    origin: Path, tmp_path: Path
) -> None:
    found = snapshot(GitCache(tmp_path / "cache", protocols=("file",)), origin)
    for pack in (tmp_path / "cache/o/n.git/past/objects/pack").iterdir():
        pack.unlink()

    assert found.history() == ()
    assert list(found.read([found.blobs["a"]])) == [b"2"]
