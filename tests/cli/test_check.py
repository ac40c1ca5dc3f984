"""`check`: what a repository's settings come to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.cli import build_parser
from bot.config import load_config
from tests.adapters.git_repo import make_repo

SETTINGS = """\
mode: pr
lables: [bot]
labels: [robot]
reviewers: [mona]
model: gpt-9
context: {exclude: [secrets/, "*.pem"]}
protected: ["*.lock", "!x", migrations/]
instructions: Use tabs.
permissions: {diff: triage, apply: maintain}
"""
FILES = {
    ".github/tinygen.yml": SETTINGS.encode(),
    "AGENTS.md": b"Be brief.\n",
    "secrets/AGENTS.md": b"Hidden.\n",
    "uv.lock": b"x\n",
    **{f"secrets/k{number}": b"x\n" for number in range(120)},
}


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `check` on a repository with these files: its exit status, stdout and stderr."""

    def check(files: dict[str, bytes], *arguments: str) -> tuple[int, str, str]:
        make_repo(tmp_path / "r", files)
        options = build_parser().parse_args(["check", str(tmp_path / "r"), *arguments])
        config = load_config({"TINYGEN_DATA_DIR": str(tmp_path / "data")}, env_file=None)
        status = options.command(config, options)
        return (status, *capsys.readouterr())

    return check


def test_each_mistake_is_told_with_its_line_and_what_the_rest_comes_to(check: Any) -> None:
    status, out, err = check(FILES)
    assert status == 1
    assert err == "tinygen: The settings have 3 mistakes. Mend and commit them, and check again.\n"
    assert [f", line {number}: " in out for number in (2, 5, 7)] == [True] * 3
    assert "Until that is mended, changes are delivered as diffs alone." in out
    lines = [line.split() for line in out.splitlines()]
    for row in (
        "shown 3 of 124 files, at most",
        "exclude secrets/ (121 files)",
        "*.pem (no files)",
        "hidden secrets/AGENTS.md",
        "and 111 more (--json names 100)",
        "protected *.lock (1 file)",
        "migrations/ (no files)",
        "bare command delivers a pull request",
        "labels robot",
        "model gpt-5.4",
        "permissions triage: diff, retry, cancel, status, help",
        "maintain: apply",
        "instructions AGENTS.md",
        "settings",
    ):
        assert row.split() in lines


def test_the_json_has_the_same_and_bounded_lists(check: Any) -> None:
    status, out, _err = check(FILES, "--json")
    page = json.loads(out)
    assert status == 1
    assert (page["shown"], page["files"], len(page["hidden"])) == (3, 124, 100)
    assert page["delivers"]["mode"] == "pr"
    assert page["permissions"]["pr"] == "write"
    assert page["instructions"] == ["AGENTS.md", "settings"]
    assert len(page["mistakes"]) == 3


def test_more_mistakes_are_told_than_in_a_thread(check: Any) -> None:
    settings = "".join(f"x{number}: 1\n" for number in range(30))
    assert "have 30 mistakes" in check({".github/tinygen.yml": settings.encode()})[2]


def test_without_the_file_the_defaults_hold_and_another_place_is_a_mistake(check: Any) -> None:
    status, out, err = check({"x": b""})
    assert (status, err) == (0, "")
    assert "the defaults hold" in out
    assert "deploy/tinygen.schema.json" in out
    status, out, _err = check({".github/tinygen.yaml": b"mode: pr\n"})
    assert status == 1
    assert "`.github/tinygen.yaml` is not read" in out
    assert check({})[0] == 0
