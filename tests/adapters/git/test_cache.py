"""The caches under the data directory: fetched once, shared by all jobs, and replaced if they are
damaged."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.adapters.git import GitCache
from bot.errors import BadRequest, LimitReached, NotFound, OutsideError
from bot.ports import Git
from bot.types.github import Remote
from bot.types.snapshot import Change
from tests.adapters.git_repo import commit, git, head, make_repo, remote


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    make_repo(tmp_path / "origin", {"a": b"1\n" * 100, "d/b": b"2\n"})
    return tmp_path / "origin"


@pytest.fixture
def cache(tmp_path: Path) -> GitCache:
    return GitCache(tmp_path / "cache", protocols=("file",))


def contents(cache: Git, sha: str) -> dict[str, bytes]:
    snapshot = cache.snapshot("o/n", sha)
    return dict(zip(snapshot.blobs, snapshot.read(snapshot.blobs.values()), strict=True))


def objects(directory: Path) -> list[Path]:
    return sorted(
        path for path in (directory / "cache/o/n.git/objects").rglob("*") if path.is_file()
    )


def test_a_fetched_commit_is_read_from_the_cache(origin: Path, cache: GitCache) -> None:
    cache.fetch("o/n", remote(origin), head(origin))

    assert contents(cache, head(origin)) == {"a": b"1\n" * 100, "d/b": b"2\n"}


def test_only_the_wanted_commit_is_fetched(origin: Path, cache: GitCache, tmp_path: Path) -> None:
    first = head(origin)
    commit(origin, {"new": b"3\n"})
    git(origin, "tag", "v1")

    cache.fetch("o/n", remote(origin), head(origin))

    refs = git(tmp_path / "cache/o/n.git", "for-each-ref", "--format=%(refname)").decode().split()
    assert refs == [f"refs/tinygen/{head(origin)}"]
    with pytest.raises(OutsideError, match="not in the cache"):
        cache.snapshot("o/n", first)


def test_nothing_is_transferred_for_a_commit_that_is_there(origin: Path, cache: GitCache) -> None:
    cache.fetch("o/n", remote(origin), head(origin))

    cache.fetch("O/N", Remote("file:///gone"), head(origin))


def test_commits_can_be_fetched_in_any_order(origin: Path, cache: GitCache) -> None:
    shas = [head(origin), *(commit(origin, {"a": b"%d\n" % number}) for number in range(4))]

    for sha in (shas[3], shas[4], shas[0], shas[2], shas[1]):
        cache.fetch("o/n", remote(origin), sha)

    assert [contents(cache, sha)["a"] for sha in shas[1:]] == [b"0\n", b"1\n", b"2\n", b"3\n"]


@pytest.mark.slow
def test_many_small_packs_become_one(origin: Path, cache: GitCache, tmp_path: Path) -> None:
    shas = [commit(origin, {"a": b"%d\n" % number}) for number in range(54)]

    for sha in shas:
        cache.fetch("o/n", remote(origin), sha)

    assert len(list(tmp_path.glob("cache/o/n.git/objects/pack/*.pack"))) < 10
    assert contents(cache, shas[0]) == {"a": b"0\n"}


def test_an_empty_repository_needs_no_cache(cache: GitCache) -> None:
    cache.fetch("o/n", Remote("file:///gone"), "")

    assert contents(cache, "") == {}
    patch = cache.diff("o/n", "", {"a": Change("a", b"1\n")})
    assert cache.apply("o/n", patch)[0] == {"a": Change("a", b"1\n")}


def test_comparing_writes_nothing_into_the_cache(
    origin: Path, cache: GitCache, tmp_path: Path
) -> None:
    cache.fetch("o/n", remote(origin), head(origin))
    before = objects(tmp_path)

    patch = cache.diff(
        "o/n", head(origin), {"a": Change("a", b"2\n"), "d/c/e": Change("d/c/e", b"3\n")}
    )
    cache.apply("o/n", patch)

    assert objects(tmp_path) == before


@pytest.mark.parametrize(
    "repo", ["", "a", "a/b/c", "../b", "a/..", "a/.", "/a/b", "a/b\n", "a b/c", "-/../x", "a/b\0"]
)
def test_a_name_that_no_repository_has_is_refused(repo: str, cache: GitCache) -> None:
    with pytest.raises(BadRequest, match="owner/name"):
        cache.fetch(repo, Remote("file:///gone"), "1" * 40)


@pytest.mark.parametrize(
    "sha", ["main", "--upload-pack=touch x", "1" * 39, "1" * 41, "A" * 40, "1" * 40 + "\n"]
)
def test_only_a_full_sha_is_fetched(sha: str, origin: Path, cache: GitCache) -> None:
    with pytest.raises(BadRequest, match="40 hexadecimal"):
        cache.fetch("o/n", remote(origin), sha)


def test_a_commit_that_the_remote_does_not_have_is_not_found(origin: Path, cache: GitCache) -> None:
    with pytest.raises(NotFound, match="o/n has no commit 111111111111"):
        cache.fetch("o/n", remote(origin), "1" * 40)
    cache.fetch("o/n", remote(origin), head(origin))
    with pytest.raises(NotFound, match="o/n has no commit 111111111111"):
        cache.fetch("o/n", remote(origin), "1" * 40)
    assert contents(cache, head(origin))


def test_a_repository_that_is_not_there_is_not_found(cache: GitCache, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no repository o/n"):
        cache.fetch("o/n", remote(tmp_path / "gone"), "1" * 40)
    assert list((tmp_path / "cache/o").iterdir()) == [tmp_path / "cache/o/n.lock"]


@pytest.mark.parametrize(
    "url", ["ext::touch sprung", "file:///x", "git://127.0.0.1/x", "ssh://127.0.0.1/x", "--help"]
)
def test_only_the_given_protocols_are_used(url: str, tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="could not fetch o/n"):
        GitCache(tmp_path, wait=lambda _: None).fetch("o/n", Remote(url), "1" * 40)


def test_a_commit_over_the_limit_is_refused_and_leaves_nothing(
    origin: Path, tmp_path: Path
) -> None:
    sha = commit(origin, {"noise": random.Random(1).randbytes(3_000_000)})
    cache = GitCache(tmp_path / "cache", protocols=("file",), max_fetch_bytes=1 << 20)

    with pytest.raises(LimitReached, match="o/n is larger than 1 MB"):
        cache.fetch("o/n", remote(origin), sha)

    assert list((tmp_path / "cache/o").iterdir()) == [tmp_path / "cache/o/n.lock"]


def truncate_pack(cache: Path) -> None:
    pack = next(cache.glob("objects/pack/*.pack"))
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:-30])


def remove_pack(cache: Path) -> None:
    next(cache.glob("objects/pack/*.pack")).unlink()


def empty_directory(cache: Path) -> None:
    git(cache.parent, "init", "-q", "--bare", "other")
    cache.rename(cache.with_name("aside"))
    cache.mkdir()


def stale_locks(cache: Path) -> None:
    (cache / "shallow.lock").touch()
    (cache / "refs/tinygen/x.lock").touch()
    (cache / "objects/pack/tmp_pack_1").touch()


def garbage_config(cache: Path) -> None:
    (cache / "config").write_bytes(b"\0\xff[[[")


def garbage_ref(cache: Path) -> None:
    for ref in (cache / "refs/tinygen").iterdir():
        ref.write_bytes(b"")


DAMAGES = [truncate_pack, remove_pack, empty_directory, stale_locks, garbage_config, garbage_ref]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("later", [False, True])
def test_fetching_repairs_a_damaged_cache(
    damage: Callable[[Path], None], later: bool, origin: Path, cache: GitCache, tmp_path: Path
) -> None:
    cache.fetch("o/n", remote(origin), head(origin))
    damage(tmp_path / "cache/o/n.git")
    sha = commit(origin, {"a": b"1\n" * 100, "c": b"3\n"}) if later else head(origin)

    cache.fetch("o/n", remote(origin), sha)

    assert contents(cache, sha)["a"] == b"1\n" * 100


def test_what_a_killed_git_left_is_removed_and_the_cache_is_kept(
    origin: Path, cache: GitCache, tmp_path: Path
) -> None:
    first = head(origin)
    cache.fetch("o/n", remote(origin), first)
    stale_locks(tmp_path / "cache/o/n.git")

    cache.fetch("o/n", remote(origin), commit(origin, {"a": b"2\n"}))

    assert contents(cache, first)["d/b"] == b"2\n"
    assert (
        list(tmp_path.glob("cache/o/n.git/**/*.lock"))
        == list(tmp_path.glob("cache/o/n.git/**/tmp_*"))
        == []
    )


def test_a_cache_found_damaged_while_it_is_read_is_removed(
    origin: Path, cache: GitCache, tmp_path: Path
) -> None:
    cache.fetch("o/n", remote(origin), head(origin))
    snapshot = cache.snapshot("o/n", head(origin))
    truncate_pack(tmp_path / "cache/o/n.git")

    with pytest.raises(OutsideError, match="cache was damaged"):
        list(snapshot.read(snapshot.blobs.values()))

    assert not (tmp_path / "cache/o/n.git").exists()
    cache.fetch("o/n", remote(origin), head(origin))
    assert len(list(snapshot.read(snapshot.blobs.values()))) == 2


def test_a_reader_of_the_old_cache_does_not_remove_the_new_one(
    origin: Path, cache: GitCache, tmp_path: Path
) -> None:
    cache.fetch("o/n", remote(origin), head(origin))
    snapshot = cache.snapshot("o/n", head(origin))
    garbage_config(tmp_path / "cache/o/n.git")
    cache.fetch("o/n", remote(origin), head(origin))
    remove_pack(tmp_path / "cache/o/n.git")

    with pytest.raises(OutsideError, match="damaged"):
        list(snapshot.read(snapshot.blobs.values()))

    assert (tmp_path / "cache/o/n.git").exists()


def test_a_disk_that_cannot_be_used_is_an_error_without_the_path(
    cache: GitCache, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("not a directory")

    with pytest.raises(
        OutsideError, match=r"disk cannot be used: (Not a directory|File exists)"
    ) as raised:
        cache.fetch("o/n", Remote("file:///gone"), "1" * 40)
    assert str(tmp_path) not in str(raised.value)


WORK = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from bot.adapters.git import GitCache
from bot.types.snapshot import Change
from bot.types.github import Remote
root, url, *shas = sys.argv[1:]
cache = GitCache(Path(root), protocols=("file",))
def work(sha):
    cache.fetch("o/n", Remote(url), sha)
    snapshot = cache.snapshot("o/n", sha)
    content = next(iter(snapshot.read([snapshot.blobs["a"]])))
    patch = cache.diff("o/n", sha, {"a": Change("a", content + b"more\\n")})
    assert cache.apply("o/n", patch)[0]["a"].content == content + b"more\\n"
with ThreadPoolExecutor(2) as pool:
    list(pool.map(work, shas * 2))
"""


def test_two_threads_of_two_processes_share_one_cache(origin: Path, tmp_path: Path) -> None:
    shas = [commit(origin, {"a": b"%d\n" % number, "b": b"same\n" * 1000}) for number in range(6)]
    command = [sys.executable, "-c", WORK, str(tmp_path / "cache"), origin.as_uri()]

    workers = [
        subprocess.Popen([*command, *order], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for order in (shas, shas[::-1])
    ]

    assert [(worker.communicate()[0], worker.returncode) for worker in workers] == [
        (b"", 0),
        (b"", 0),
    ]
