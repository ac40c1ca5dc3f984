"""What the command line prints of what others wrote: all of it readable, none of it obeyed, in
every encoding."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app import build_database
from bot.cli.output import color_lines, escape_controls
from bot.config import load_config
from bot.types import Command, Job, Report, Target
from bot.types.snapshot import Patch
from tests.adapters.git_repo import make_repo
from tests.cli.shell import isolated_call, on_terminal, run_isolated

TITLE = "\x1b]0;mine\a"
LATIN = "diff --git a/x b/x\n-caf\udce9 \u2713\n"


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_only_signs_that_can_be_seen_are_printed(text: str) -> None:
    shown = escape_controls(text)
    assert all(sign.isprintable() or sign in "\n\t" for sign in shown)
    assert escape_controls(shown) == shown
    assert (shown == text) == all(sign.isprintable() or sign in "\n\t" for sign in text)


def test_control_signs_are_told_by_their_names() -> None:
    assert (
        escape_controls("a\x1b[2J\r\u202e\u2028\udce9é\t\n")
        == "a\\x1b[2J\\r\\u202e\\u2028\\udce9é\t\n"
    )


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A folder with a repository `r`, whose settings and one of whose files would name the
    terminal's window."""
    settings = f'"{TITLE.encode("unicode_escape").decode()}": 1\n'.encode()
    make_repo(tmp_path / "r", {"é.py": TITLE.encode() + b"\n", ".github/tinygen.yml": settings})
    reply = f"no{TITLE}file.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n"
    (tmp_path / "reply").write_text(
        f"{reply}\né.py\n<<<<<<< SEARCH\n{TITLE}\n=======\n{TITLE}2\n>>>>>>> REPLACE\n"
    )
    return tmp_path


@pytest.mark.parametrize("arguments", ["context r é.py", "apply r reply"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_repository_and_a_reply_reach_no_terminal(
    repo: Path, arguments: str, encoding: str
) -> None:
    done = run_isolated(repo, *arguments.split(), PYTHONIOENCODING=encoding)
    assert "Traceback" not in done.stderr
    assert "\\x1b]0;mine\\x07" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_diff_is_exact_in_a_pipe_and_readable_on_a_terminal(repo: Path) -> None:
    apply = isolated_call(repo, "apply", "r", "reply")
    assert (
        f"+{TITLE}2\n".encode() in subprocess.run(**apply, capture_output=True, check=False).stdout
    )
    apply["env"] |= {"TERM": "xterm", "NO_COLOR": "1"}
    shown = on_terminal(apply)
    assert b"+\\x1b]0;mine\\x072\r\n" in shown
    assert b"\x1b" not in shown


def test_the_lines_of_a_diff_have_colours_on_a_terminal_that_has_some() -> None:
    diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@ [red]f\n--- a/y\n-\x1b[31m\n+[bold]\tb\n"
    assert list(color_lines(escape_controls(diff).split("\n"))) == [
        "\x1b[1mdiff --git a/x b/x\x1b[0m",
        "\x1b[1m--- a/x\x1b[0m",
        "\x1b[1m+++ b/x\x1b[0m",
        "\x1b[36m@@ -1,2 +1 @@ [red]f\x1b[0m",
        "\x1b[31m--- a/y\x1b[0m",
        "\x1b[31m-\\x1b[31m\x1b[0m",
        "\x1b[32m+[bold]\tb\x1b[0m",
        "",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_a_job_is_shown_whatever_its_diff_holds(tmp_path: Path, encoding: str) -> None:
    job = Job(
        "one",
        "run",
        Target("octocat/hello"),
        Command("solve", "x"),
        received_at="2026-11-22T10:00:00+00:00",
    )
    config = load_config({"TINYGEN_DATA_DIR": str(tmp_path / "data")}, env_file=None)
    build_database(config).save(Report(job, "done", patch=Patch("0" * 40, LATIN)))

    page = run_isolated(tmp_path, "jobs", "show", "one", "--json", PYTHONIOENCODING=encoding)
    assert json.loads(page.stdout)["result"]["diff"] == LATIN
    shown = subprocess.run(
        **isolated_call(tmp_path, "jobs", "show", "one", PYTHONIOENCODING=encoding),
        stdout=subprocess.PIPE,
        check=True,
    )
    assert shown.stdout.endswith(LATIN.encode("utf-8", "surrogateescape"))
