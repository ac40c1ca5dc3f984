"""Fixtures that several tests share, and what becomes of tests whose npm packages are not
installed."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests.doubles.github import GitHubDouble

IN_CI = os.environ.get("CI") == "true"

# How fast the machine is today is no property; and CI tries the same examples for the same code.
settings.register_profile("tinygen", deadline=None, derandomize=IN_CI)
settings.load_profile("tinygen")

# What is imported stays: the garbage collector need not look at it again and again.
gc.set_threshold(50_000, 20, 50)

# No test speaks TLS with a public server, and to load all public authorities for each client takes a
# sixth of the time of a job.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "samples" / "authority.pem")

# A shell that starts this in the background has SIGINT ignored, which the processes that tests
# interrupt would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NPM = Path(__file__).parent / "node_modules"


def absent(what: str, remedy: str) -> None:
    """Skips the test for want of `what`; in CI (`CI=true`), where nothing may be wanting, fails
    it."""
    message = f"{what} is not here: {remedy}"
    if IN_CI:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


WITH_SERVERS = (
    "adapters",
    "cli",
    "test_doubles",
    "jobs",
    "test_end_to_end.py",
    "test_operators.py",
    "test_secrets.py",
    "test_deploy.py",
)
"""Where tests start servers, git or databases: `make check` leaves them to `make test`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in WITH_SERVERS:
            item.add_marker(pytest.mark.slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("npm") and not all(
        (NPM / name).is_dir() for name in ("@octokit", "js-tiktoken")
    ):
        absent("tests/node_modules", "run `npm ci --ignore-scripts --prefix tests`")


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubDouble]:
    """A double of GitHub with nothing in it."""
    with GitHubDouble(tmp_path / "github") as double:
        yield double


@pytest.fixture
def restored_logs() -> Iterator[None]:
    """For a test that configures the process's logs: other tests read theirs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
