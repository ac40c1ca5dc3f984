"""What a stranger gives wrongly: one line that says what is wrong and what to do, the exit status,
and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests import ROOT
from tests.cli.shell import run_isolated
from tests.doubles.server import free_port

SECRET = {"GITHUB_WEBHOOK_SECRET": "0123456789abcdef" * 2}


def wrong(done: subprocess.CompletedProcess[str], status: int) -> str:
    """What was printed on stderr."""
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    return done.stderr.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A directory with an empty repository `r`, a file `f`, and 4 bytes that are no text, `b`."""
    subprocess.run(["git", "init", "-q", tmp_path / "r"], check=True)
    (tmp_path / "f").write_text("x\n")
    (tmp_path / "b").write_bytes(b"\0\xff\xfe\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("context ./none x", 1, "There is no directory ./none. Name a git directory"),
        (f"context {'a' * 5000} x", 1, "cannot be read: File name too long. Name a git directory"),
        ("context f x", 1, "no git repository"),
        ("context r x --ref nope", 1, "There is no commit nope"),
        ("context r ", 2, "The prompt is empty. Say what to change: words, `-` for standard input"),
        ("run r", 2, "required: PROMPT. Say what to change: words, `-` for standard input"),
        ("run r @none", 1, "none cannot be read: No such file or directory. Name a file"),
        ("run r @b", 1, "b is not UTF-8"),
        (f"run r {'x' * 100_001}", 1, "The prompt is too long."),
        ("context r x --budget -5", 2, "argument --budget: must be a whole number, at least 1"),
        ("context r x --budget x", 2, "argument --budget: must be a whole number, at least 1"),
        (
            "jobs list --limit 9999999999",
            2,
            "argument --limit: must be a whole number, at least 1 and of at most nine",
        ),
        (
            f"jobs list --limit {'9' * 5000}",
            2,
            "argument --limit: must be a whole number, at least 1 and of at most",
        ),
        ("apply r none", 1, "none cannot be read: No such file or directory."),
        ("apply r r", 1, "r cannot be read: Is a directory."),
        ("run r x", 2, f"OPENAI_API_KEY is not set. Set it in {ROOT / '.env'}, or"),
        ("run r x --replay none", 1, "none cannot be read"),
        ("run r x --replay b", 1, "The file is not a transcript."),
        ("jobs show nope", 1, "There is no job nope"),
        ("nope", 2, "invalid choice: 'nope'"),
    ],
)
def test_a_wrong_call_says_what_to_do(repo: Path, arguments: str, status: int, words: str) -> None:
    assert words in wrong(run_isolated(repo, *arguments.split(" ")), status)


@pytest.mark.parametrize("command", ["serve", "web"])
def test_an_app_without_its_webhook_secret_is_told(repo: Path, command: str) -> None:
    port = str(free_port())
    done = run_isolated(repo, command, GITHUB_APP_ID="7", TINYGEN_PORT=port)
    assert "GITHUB_WEBHOOK_SECRET is not set." in wrong(done, 2)


@pytest.mark.parametrize("command", ["jobs list", "doctor", "serve", "migrate"])
def test_settings_that_would_be_waited_for_are_refused(repo: Path, command: str) -> None:
    os.mkfifo(repo / ".env")
    assert ".env cannot be read: it is no regular file." in wrong(
        run_isolated(repo, *command.split()), 2
    )


@pytest.mark.parametrize("name", ["b", "f"])
def test_a_reply_without_edits_is_told(repo: Path, name: str) -> None:
    assert "The reply holds no edits." in wrong(run_isolated(repo, "apply", "r", name), 1)


def test_a_reply_that_wants_no_change_is_told(repo: Path) -> None:
    (repo / "reply").write_text("[NO CHANGE] It works already.")
    said = wrong(run_isolated(repo, "apply", "r", "reply"), 0)
    assert said == "The reply says that nothing needs to change."


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_reply_in_utf16_is_told(repo: Path, encoding: str) -> None:
    (repo / "reply").write_text("src/a.py: nothing", encoding=encoding)
    assert "looks like UTF-16" in wrong(run_isolated(repo, "apply", "r", "reply"), 1)


def test_no_jobs_are_told(repo: Path) -> None:
    assert wrong(run_isolated(repo, "jobs", "list"), 0) == "There are no such jobs."


@pytest.mark.parametrize("command", ["serve", "web", "worker", "migrate"])
@pytest.mark.parametrize("directory", ["f", "/proc/none"])
def test_a_data_directory_that_cannot_be_is_named(repo: Path, command: str, directory: str) -> None:
    port = str(free_port())
    done = run_isolated(repo, command, **SECRET, TINYGEN_DATA_DIR=directory, TINYGEN_PORT=port)
    assert "TINYGEN_DATA_DIR cannot be used" in wrong(done, 2)


@pytest.mark.parametrize("command", ["serve", "web"])
def test_an_address_that_is_taken_ends_it_at_once(repo: Path, command: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        said = wrong(run_isolated(repo, command, **SECRET, TINYGEN_PORT=port), 2)
    assert f"cannot listen on 127.0.0.1:{port}" in said


def test_settings_that_are_no_text_are_named(repo: Path) -> None:
    (repo / ".env").write_bytes(b"OPENAI_API_KEY=\xff\n")
    assert ".env cannot be read: it is not UTF-8." in wrong(run_isolated(repo, "jobs", "list"), 2)
    (repo / ".env").unlink()
    (repo / ".env").mkdir()
    assert ".env cannot be read: Is a directory." in wrong(run_isolated(repo, "jobs", "list"), 2)


def test_all_odd_settings_are_named_at_once(repo: Path) -> None:
    said = wrong(
        run_isolated(
            repo, "jobs", "list", TINYGEN_PORT="x", TINYGEN_MODE="y", GITHUB_PRIVATE_KEY="z"
        ),
        2,
    )
    assert all(name in said for name in ("TINYGEN_PORT", "TINYGEN_MODE", "GITHUB_PRIVATE_KEY"))


def test_a_server_that_is_away_is_told_with_its_setting(repo: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    done = run_isolated(repo, "run", "r", "x", OPENAI_BASE_URL=nowhere)
    assert "127.0.0.1:9 cannot be reached: nothing listens there. Check OPENAI_BASE_URL" in wrong(
        done, 1
    )


def test_a_transcript_that_cannot_be_written_is_told(repo: Path) -> None:
    transcript = repo / "t"
    transcript.write_text("")
    done = run_isolated(
        repo, "run", "r", "x", "--replay", str(transcript), "--transcript", "none/t"
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
