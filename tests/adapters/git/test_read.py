"""A commit read without a checkout: every kind of entry, in bulk, and no more than is asked for."""

from __future__ import annotations

import tracemalloc
from collections.abc import Generator
from itertools import islice
from pathlib import Path
from typing import cast

import pytest

from bot.adapters.git import LocalGit
from bot.adapters.git.process import Runner
from bot.errors import LimitReached, OutsideError, TimedOut
from bot.types.snapshot import Blob
from tests.adapters.git_repo import File, files_of, git, make_repo


def test_a_snapshot_holds_every_entry_with_gits_mode_and_size_in_gits_order(tmp_path: Path) -> None:
    files: dict[str, bytes | File] = {
        "a.b": b"1\n",
        "a/b": (b"#!/bin/sh\n", "100755"),
        "a0": b"",
        "link": (b"a/b", "120000"),
        "sub": (b"1" * 40, "160000"),
        "pointer.bin": (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 123456789\n"
        ),
    }
    sha = make_repo(tmp_path, files)

    blobs = LocalGit(tmp_path).snapshot("o/n", sha).blobs

    assert list(blobs) == ["a.b", "a/b", "a0", "link", "pointer.bin", "sub"]
    assert {path: (blob.mode, blob.size_bytes) for path, blob in blobs.items()} == {
        "a.b": ("100644", 2),
        "a/b": ("100755", 10),
        "a0": ("100644", 0),
        "link": ("120000", 3),
        "pointer.bin": ("100644", 71),
        "sub": ("160000", 0),
    }


def test_contents_come_back_as_they_are(tmp_path: Path) -> None:
    files = {
        ' tab\tnewline\nquote" ': b"1\n",
        "\udcff\udcfe": "caf\xe9".encode("latin-1"),
        "\u4e2d\u6587": "\u4e2d\r\n".encode(),
        "nul": b"\0" * 5000,
        "like a header": b"0123456789012345678901234567890123456789 blob 5\nabcde\n",
        "empty": b"",
    }
    sha = make_repo(tmp_path, files)

    snapshot = LocalGit(tmp_path).snapshot("o/n", sha)

    assert dict(zip(snapshot.blobs, snapshot.read(snapshot.blobs.values()), strict=True)) == files
    assert {path: content for path, (content, _) in files_of(tmp_path, sha).items()} == files


def test_contents_come_in_the_order_of_the_given_blobs(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"a": b"1", "b": b"2"})
    snapshot = LocalGit(tmp_path).snapshot("o/n", sha)

    a, b = snapshot.blobs["a"], snapshot.blobs["b"]

    assert list(snapshot.read(blob for blob in (b, a, b))) == [b"2", b"1", b"2"]


def test_many_files_are_read_at_once(tmp_path: Path) -> None:
    """More ids, and more content, than the pipes between two processes hold."""
    files = {f"{number:05}": b"%d\n" % number * 20 for number in range(10_000)}
    sha = make_repo(tmp_path, files)

    snapshot = LocalGit(tmp_path).snapshot("o/n", sha)

    assert dict(zip(snapshot.blobs, snapshot.read(snapshot.blobs.values()), strict=True)) == files


@pytest.mark.slow
def test_a_big_file_costs_nothing_until_it_is_read(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"big": b"x" * 100_000_000, "small": b"1"})
    tracemalloc.start()

    snapshot = LocalGit(tmp_path).snapshot("o/n", sha)
    assert list(snapshot.read([snapshot.blobs["small"]])) == [b"1"]

    assert snapshot.blobs["big"].size_bytes == 100_000_000
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert [len(content) for content in snapshot.read([snapshot.blobs["big"]])] == [100_000_000]


def child_pids() -> set[str]:
    """The ids of the child processes that still exist. Other tests may have left some."""
    return set(
        " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split()
    )


def test_reading_may_stop_early(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {f"{number}": b"x" * 100_000 for number in range(20)})
    snapshot = LocalGit(tmp_path).snapshot("o/n", sha)

    before = child_pids()
    contents = cast(Generator[bytes, None, None], snapshot.read(snapshot.blobs.values()))

    assert [len(content) for content in islice(contents, 2)] == [100_000, 100_000]
    assert child_pids() - before
    contents.close()
    assert child_pids() <= before


def test_a_submodule_has_no_content_to_read(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"s": (b"1" * 40, "160000")})
    snapshot = LocalGit(tmp_path).snapshot("o/n", sha)

    with pytest.raises(ValueError, match="submodule"):
        list(snapshot.read(snapshot.blobs.values()))


def test_an_empty_repository_has_the_empty_snapshot(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")

    snapshot = LocalGit(tmp_path).snapshot("o/n", "")

    assert (snapshot.sha, dict(snapshot.blobs), list(snapshot.read([]))) == ("", {}, [])


def test_a_missing_object_is_an_outside_error(tmp_path: Path) -> None:
    snapshot = LocalGit(tmp_path).snapshot("o/n", make_repo(tmp_path, {"a": b"1"}))

    with pytest.raises(OutsideError, match="cannot read all"):
        list(snapshot.read([Blob("b", "100644", "1" * 40, 1)]))


def test_a_repository_with_too_many_files_to_list_is_refused(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {f"{number:0100}": b"" for number in range(100)})

    with pytest.raises(LimitReached, match="smaller repository"):
        LocalGit(tmp_path, max_output_bytes=10_000).snapshot("o/n", sha)


def test_a_git_that_hangs_is_ended_at_the_deadline(tmp_path: Path) -> None:
    make_repo(tmp_path, {})

    with pytest.raises(TimedOut, match=r"0\.2 seconds"):
        Runner(timeout_s=0.2).run(
            tmp_path / ".git", "-c", "alias.hang=!exec tail -f /dev/null", "hang"
        )


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    make_repo(tmp_path, {})
    complaint = "alias.full=!echo fatal: write error: No space left on device >&2; exit 1 #"

    with pytest.raises(OutsideError, match=r"disk is full\. The operator"):
        Runner().run(tmp_path / ".git", "-c", complaint, "full")
