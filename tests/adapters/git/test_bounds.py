"""What a few kilobytes of a repository can ask of git: bounded in time, memory and disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.adapters.git import GitCache, LocalGit
from bot.adapters.git import cache as cache_module
from bot.adapters.git.objects import make_bare, scratch
from bot.adapters.git.process import Runner
from bot.errors import LimitReached, OutsideError
from tests.adapters.git_repo import commit, git, head, make_repo, remote


def tree(repo: Path, *entries: tuple[str, str, str]) -> str:
    """The id of a tree of (mode, name, id), as nobody checks it."""
    raw = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for mode, name, oid in entries)
    command = ("hash-object", "-t", "tree", "-w", "--stdin", "--literally")
    found = subprocess.run(
        ["git", "-C", str(repo), *command], input=raw, check=True, capture_output=True
    )
    return found.stdout.decode().strip()


def bomb(repo: Path, depth: int) -> str:
    """The id of a tree of 10 ** `depth` paths, some hundred bytes for each level."""
    blob = git(repo, "rev-parse", "HEAD:a").decode().strip()
    oid = tree(repo, *(("100644", f"f{number}", blob) for number in range(10)))
    for _ in range(depth - 1):
        oid = tree(repo, *(("40000", f"d{number}", oid) for number in range(10)))
    return oid


def committed(repo: Path, tree_id: str) -> str:
    """A further commit of that tree, on top of HEAD."""
    sha = git(repo, "commit-tree", "-p", "HEAD", "-m", "x", tree_id).decode().strip()
    git(repo, "update-ref", "HEAD", sha)
    return sha


def test_a_tree_of_endless_paths_in_an_old_commit_costs_a_job_only_its_history(
    tmp_path: Path,
) -> None:
    make_repo(tmp_path, {"a": b"1"})
    plain = git(tmp_path, "rev-parse", "HEAD^{tree}").decode().strip()
    committed(tmp_path, bomb(tmp_path, 9))
    sha = committed(tmp_path, plain)
    snapshot = LocalGit(tmp_path).snapshot("o/n", sha)
    assert list(snapshot.blobs) == ["a"]
    assert snapshot.history() == ()


def test_a_commit_of_endless_paths_is_refused(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": b"1"})
    with pytest.raises(LimitReached):
        LocalGit(tmp_path).snapshot("o/n", committed(tmp_path, bomb(tmp_path, 9)))


def test_the_number_of_files_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.adapters.git.objects.MAX_ENTRIES", 2)
    sha = make_repo(tmp_path, {"a": b"1", "b": b"1", "c": b"1"})
    with pytest.raises(LimitReached, match="more than 2 files"):
        LocalGit(tmp_path).snapshot("o/n", sha)


def test_git_has_a_limit_of_memory(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": os.urandom(30_000_000)})
    runner = Runner(max_memory_bytes=24 << 20)
    with pytest.raises((LimitReached, OutsideError)) as caught:
        runner.run(tmp_path / ".git", "cat-file", "blob", "HEAD:a")
    assert "memory" in caught.value.message or "killed" in caught.value.message


def test_the_difference_of_commits_is_read_only_as_far_as_it_is_wanted(tmp_path: Path) -> None:
    base = make_repo(tmp_path, {"a": b"1\n", "secret/key": b"1\n", "big": b"x\n" * 700_000})
    new = commit(
        tmp_path, {"a": b"2\n", "secret/key": b"2\n", "big": b"y\n" * 700_000, "b": b"b\n"}
    )
    store = LocalGit(tmp_path)
    text = store.difference("o/n", base, new, ["secret/key"], 10_000)
    assert "-1\n+2\n" in text
    assert "+b\n" in text
    assert "Binary files a/big and b/big differ" in text
    assert "secret" not in text
    assert store.difference("o/n", base, new, [], 50) == text[:50]


def test_a_pack_over_the_share_of_the_cache_is_refused(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    sha = make_repo(origin, {"a": os.urandom(3_000_000)})
    cache = GitCache(tmp_path / "cache", protocols=("file",), max_cache_bytes=4_000_000)
    with pytest.raises(LimitReached, match="is larger than 1 MB at that commit"):
        cache.fetch("o/n", remote(origin), sha)
    GitCache(tmp_path / "cache", protocols=("file",), max_cache_bytes=20_000_000).fetch(
        "o/n", remote(origin), sha
    )


def test_a_cache_over_its_share_begins_anew(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    make_repo(origin, {"a": os.urandom(800_000)})
    git(origin, "config", "uploadpack.allowFilter", "true")
    cache = GitCache(tmp_path / "cache", protocols=("file",), max_cache_bytes=3_000_000)
    for _ in range(4):
        commit(origin, {"a": os.urandom(800_000)})
        cache.fetch("o/n", remote(origin), head(origin))
    kept = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.pack"))
    assert kept < 3_000_000
    assert "a" in cache.snapshot("o/n", head(origin)).blobs


def test_a_full_disk_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = tmp_path / "origin"
    sha = make_repo(origin, {"a": b"1"})
    monkeypatch.setattr(cache_module, "RESERVE_BYTES", 1 << 60)
    with pytest.raises(LimitReached, match="too little space left"):
        GitCache(tmp_path / "cache", protocols=("file",)).fetch("o/n", remote(origin), sha)


LEAVE = """
import os, signal, sys
from pathlib import Path
from bot.adapters.git.objects import scratch
with scratch(Path(sys.argv[1])) as directory:
    print(directory, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_worker_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    left = Path(done.stdout.strip())
    half_made = tmp_path / "cache/o/n.git+new-abc"
    half_made.mkdir(parents=True)
    make_bare(half_made)
    assert left.is_dir()
    with scratch(tmp_path) as in_use:
        other = in_use.with_name(in_use.name.replace(f"-{os.getpid()}-", f"-{os.getppid()}-"))
        other.mkdir()
        assert GitCache(tmp_path / "cache").remove_leftovers() >= 2
        assert not left.exists()
        assert not half_made.exists()
        assert other.is_dir()  # its process lives
        other.rmdir()
