"""Eviction: which caches are removed to keep their total size, and which stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.adapters.git import GitCache
from bot.adapters.git.lock import locked
from tests.adapters.git_repo import make_repo, remote

MAX_BYTES = 350_000
"""For one repository of those below, with its past, and not for two."""


@pytest.fixture
def cache(tmp_path: Path) -> GitCache:
    return GitCache(tmp_path / "cache", protocols=("file",), wait=lambda _seconds: None)


def fetch(cache: GitCache, tmp_path: Path, name: str, used_at: float) -> str:
    """Fetches a repository of 100 kB, then last used at that moment; its commit."""
    origin = tmp_path / "origins" / name
    sha = make_repo(origin, {"a": os.urandom(100_000)})
    cache.fetch(f"o/{name}", remote(origin), sha)
    cache.snapshot(f"o/{name}", sha)
    os.utime(tmp_path / "cache/o" / f"{name}.git/used", (used_at, used_at))
    return sha


def cached(tmp_path: Path) -> set[str]:
    return {
        directory.name.removesuffix(".git") for directory in (tmp_path / "cache/o").glob("*.git")
    }


def test_the_least_recently_used_are_removed_until_the_rest_fits(
    cache: GitCache, tmp_path: Path
) -> None:
    for name, used_at in (("oldest", 100), ("newest", 300), ("older", 200)):
        fetch(cache, tmp_path, name, used_at)
    assert cache.evict(MAX_BYTES, unused_since=1000) == 2
    assert cached(tmp_path) == {"newest"}
    assert cache.evict(MAX_BYTES, unused_since=1000) == 0


def test_a_recently_used_cache_stays_even_over_the_size(cache: GitCache, tmp_path: Path) -> None:
    fetch(cache, tmp_path, "busy", 900)
    fetch(cache, tmp_path, "idle", 100)
    assert cache.evict(0, unused_since=500) == 1
    assert cached(tmp_path) == {"busy"}


def test_a_cache_that_is_being_fetched_into_stays(cache: GitCache, tmp_path: Path) -> None:
    fetch(cache, tmp_path, "busy", 100)
    fetch(cache, tmp_path, "idle", 200)
    with locked(tmp_path / "cache/o/busy.lock", 1.0, lambda _seconds: None):
        assert cache.evict(0, unused_since=1000) == 1
    assert cached(tmp_path) == {"busy"}


def test_reading_counts_as_use_and_a_removed_cache_can_be_fetched_again(
    cache: GitCache, tmp_path: Path
) -> None:
    sha = fetch(cache, tmp_path, "one", 100)
    cache.snapshot("o/one", sha)
    assert cache.evict(0, unused_since=500) == 0
    os.utime(tmp_path / "cache/o/one.git/used", (100, 100))
    assert cache.evict(0, unused_since=500) == 1
    cache.fetch("o/one", remote(tmp_path / "origins/one"), sha)
    assert list(cache.snapshot("o/one", sha).blobs) == ["a"]
