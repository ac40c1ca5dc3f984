"""A git process that is stopped delays only its own repository, and only until its deadline."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.adapters.git import GitCache
from bot.errors import TimedOut
from bot.types.snapshot import Change
from tests.adapters.git_repo import make_repo, remote

SHELL = """#!/bin/sh
case "$GIT_DIR" in
    */held.git+new-*) echo $$ > {fifo}; kill -STOP $$ ;;
esac
PATH="{path}" exec git "$@"
"""


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """From now on the first git that fetches into a new cache of o/held stops itself; this waits
    for it, and gives its process number."""
    fifo, shell = tmp_path / "fifo", tmp_path / "bin/git"
    os.mkfifo(fifo)
    shell.parent.mkdir()
    shell.write_text(SHELL.format(fifo=fifo, path=os.environ["PATH"]))
    shell.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shell.parent}:{os.environ['PATH']}")
    return lambda: int(fifo.read_text())


def test_a_stopped_git_delays_no_other_repository(
    tmp_path: Path, stopped: Callable[[], int]
) -> None:
    sha = make_repo(tmp_path / "origin", {"a": b"1\n"})
    cache, origin = GitCache(tmp_path / "cache", protocols=("file",)), remote(tmp_path / "origin")
    with ThreadPoolExecutor() as pool:
        held = pool.submit(cache.fetch, "o/held", origin, sha)
        pid = stopped()
        cache.fetch("o/other", origin, sha)
        assert cache.diff("o/other", sha, {"a": Change("a", b"2\n")}).files
        assert cache.evict(1 << 30, unused_since=0) == 0
        assert not held.done()
        os.kill(pid, signal.SIGCONT)
        held.result()
    assert list(cache.snapshot("o/held", sha).blobs) == ["a"]


def test_a_stopped_git_is_killed_at_its_deadline(
    tmp_path: Path, stopped: Callable[[], int]
) -> None:
    sha = make_repo(tmp_path / "origin", {"a": b"1\n"})
    cache = GitCache(tmp_path / "cache", protocols=("file",), timeout_s=1.0)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(cache.fetch, "o/held", remote(tmp_path / "origin"), sha)
        pid = stopped()
        with pytest.raises(TimedOut):
            held.result()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
