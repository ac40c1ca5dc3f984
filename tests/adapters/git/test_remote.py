"""Fetching over HTTP from the double of GitHub: access, error messages, and where the token may
appear."""

from __future__ import annotations

import base64
import logging
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.adapters.git import GitCache
from bot.adapters.git.lock import locked
from bot.errors import NotFound, OutsideError, TimedOut, TinyGenError
from bot.types.github import Remote
from tests.doubles.github import GitHubDouble, Repository
from tests.doubles.github.faults import Fault, bad_gateway, dropped, unavailable
from tests.doubles.github.http_git import answer_git
from tests.doubles.server import Request, Response, Server

UNKNOWN_TOKEN = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.fixture
def private(github: GitHubDouble) -> Repository:
    return github.add_repository(
        "octocat/hello", files={"a": b"1\n"}, private=True, permissions={"mona": "read"}
    )


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def cache(tmp_path: Path, waits: list[float]) -> GitCache:
    return GitCache(tmp_path / "cache", protocols=("http",), wait=waits.append)


def remote(github: GitHubDouble, token: str | None = None) -> Remote:
    return Remote(f"{github.url}/octocat/hello.git", token)


def head(repository: Repository) -> str:
    sha = repository.git.branch("main")
    assert sha
    return sha


def test_a_private_repository_is_fetched_with_a_token(
    github: GitHubDouble, private: Repository, cache: GitCache
) -> None:
    cache.fetch("octocat/hello", remote(github, github.add_token("mona")), head(private))

    snapshot = cache.snapshot("octocat/hello", head(private))
    assert list(snapshot.read(snapshot.blobs.values())) == [b"1\n"]


@pytest.mark.parametrize("token", [None, UNKNOWN_TOKEN])
def test_without_access_a_repository_is_not_found(
    token: str | None,
    github: GitHubDouble,
    private: Repository,
    cache: GitCache,
    waits: list[float],
) -> None:
    with pytest.raises(NotFound, match="no repository octocat/hello, or no access"):
        cache.fetch("octocat/hello", remote(github, token), head(private))

    assert waits == []


def test_a_repository_that_is_not_there_is_not_found(github: GitHubDouble, cache: GitCache) -> None:
    with pytest.raises(NotFound, match="no repository octocat/hello"):
        cache.fetch("octocat/hello", remote(github, github.add_token("mona")), "1" * 40)


def test_a_redirect_is_not_followed(
    github: GitHubDouble, private: Repository, cache: GitCache
) -> None:
    """It would take the token along, wherever it leads."""
    private.rename("goodbye")

    with pytest.raises(NotFound, match="octocat/hello has moved"):
        cache.fetch("octocat/hello", remote(github, github.add_token("mona")), head(private))


@pytest.mark.parametrize(
    "fault", [bad_gateway(), unavailable(), dropped(), Fault(429), Fault(200, b"<html>hello")]
)
def test_a_passing_failure_is_retried(
    fault: Fault, github: GitHubDouble, private: Repository, cache: GitCache, waits: list[float]
) -> None:
    github.faults.add(fault)

    cache.fetch("octocat/hello", remote(github, github.add_token("mona")), head(private))

    assert waits == [0.5]


def test_a_lasting_failure_is_an_outside_error_after_two_retries(
    github: GitHubDouble, private: Repository, cache: GitCache, waits: list[float]
) -> None:
    github.faults.add(bad_gateway(), times=9)

    with pytest.raises(OutsideError, match="could not fetch octocat/hello"), capture_logs() as logs:
        cache.fetch("octocat/hello", remote(github, github.add_token("mona")), head(private))

    assert waits == [0.5, 2.0]
    assert ["502" in event["said"] for event in logs] == [True, True, True]


def test_a_failing_network_does_not_cost_the_cache(
    github: GitHubDouble, private: Repository, cache: GitCache
) -> None:
    token, first = github.add_token("mona"), head(private)
    cache.fetch("octocat/hello", remote(github, token), first)
    second = private.git.commit({"a": b"2\n"}, branch="main", message="More")
    github.faults.add(dropped(), times=9)

    with pytest.raises(OutsideError, match="could not fetch"):
        cache.fetch("octocat/hello", remote(github, token), second)

    assert [*cache.snapshot("octocat/hello", first).blobs] == ["a"]


def command_lines() -> bytes:
    """Of all processes of this machine, as anyone may read them."""
    texts = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            texts.append(path.read_bytes())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return b"\n".join(texts)


def spied(github: GitHubDouble, spy: Callable[[Request], None]) -> Server:
    """The double's git, where `spy` looks on."""

    def answer(request: Request) -> Response:
        spy(request)
        return answer_git(github.world, request)

    return Server(answer)


def forms(token: str) -> list[str]:
    return [token, base64.b64encode(f"x-access-token:{token}".encode()).decode()]


def test_the_token_is_sent_in_a_header_and_written_nowhere(
    github: GitHubDouble, private: Repository, cache: GitCache, tmp_path: Path
) -> None:
    token = github.add_token("mona")
    seen: list[bytes] = []
    headers: set[str] = set()

    def spy(request: Request) -> None:
        seen.append(command_lines())
        headers.add(request.headers["Authorization"])

    with spied(github, spy) as server:
        cache.fetch(
            "octocat/hello", Remote(f"{server.url}/octocat/hello.git", token), head(private)
        )

    assert headers == {f"Basic {forms(token)[1]}"}
    assert any(b"fetch\0--depth=1" in lines for lines in seen)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    for form in forms(token):
        assert form.encode() not in b"".join(seen) + kept


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 500])
def test_the_token_is_in_no_error(
    status: int, cache: GitCache, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the server sends it back."""

    def answer(request: Request) -> Response:
        echo = request.headers["Authorization"] + UNKNOWN_TOKEN
        return Response(
            status,
            echo.encode(),
            {"Content-Type": "text/plain", "Location": f"{echo}", "X-Echo": echo},
        )

    caplog.set_level(logging.DEBUG)
    with Server(answer) as server, pytest.raises(TinyGenError) as raised:
        cache.fetch("o/n", Remote(f"{server.url}/o/n.git", UNKNOWN_TOKEN), "1" * 40)

    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + caplog.text
    for form in forms(UNKNOWN_TOKEN):
        assert form not in told
    assert server.url not in str(raised.value)


def test_a_server_that_does_not_answer_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    cache = GitCache(tmp_path / "cache", protocols=("http",), timeout_s=0.5)

    def answer(request: Request) -> Response:
        server.stopping.wait(30)
        return Response(404)

    with Server(answer) as server:
        with pytest.raises(TimedOut, match=r"git fetch took longer than 0\.5 seconds"):
            cache.fetch("o/n", Remote(f"{server.url}/o/n.git"), "1" * 40)
        with locked(
            tmp_path / "cache/o/n.lock", timeout_s=10, wait=time.sleep
        ):  # git and its helpers have it too
            left_running = server.url.encode() in command_lines()

    assert not left_running
    assert [path.name for path in (tmp_path / "cache/o").iterdir()] == ["n.lock"]


WORK = """
import sys
from pathlib import Path
from bot.adapters.git import GitCache
from bot.types.github import Remote
GitCache(Path(sys.argv[1]), protocols=("http",)).fetch("o/n", Remote(sys.argv[2]), "1" * 40)
"""


def test_a_git_that_outlives_its_killed_worker_keeps_the_next_waiting(tmp_path: Path) -> None:
    asked = threading.Event()

    def answer(request: Request) -> Response:
        asked.set()
        server.stopping.wait(30)
        return Response(404)

    lock = tmp_path / "cache/o/n.lock"
    with Server(answer) as server:
        worker = subprocess.Popen(
            [sys.executable, "-c", WORK, tmp_path / "cache", f"{server.url}/o/n.git"]
        )
        assert asked.wait(30)
        worker.kill()
        worker.wait()
        with (
            pytest.raises(TimedOut, match="Another job"),
            locked(lock, timeout_s=0, wait=time.sleep),
        ):
            pass
    with locked(lock, timeout_s=30, wait=time.sleep):
        assert server.url.encode() not in command_lines()


def test_two_jobs_on_one_commit_fetch_it_once(
    github: GitHubDouble, private: Repository, tmp_path: Path
) -> None:
    """The second comes while the first is in the middle of it, and waits."""
    token, sha = github.add_token("mona"), head(private)
    caches = [GitCache(tmp_path / "cache", protocols=("http",)) for _ in range(2)]
    asked: list[str] = []

    def fetch(server: Server, number: int) -> None:
        caches[number].fetch("octocat/hello", Remote(f"{server.url}/octocat/hello.git", token), sha)

    with (
        ThreadPoolExecutor(2) as pool,
        spied(github, lambda request: asked.append(request.path)) as server,
    ):
        list(pool.map(fetch, [server] * 2, range(2)))

    assert asked.count("/octocat/hello.git/info/refs") == 2  # its files, and the commits before
