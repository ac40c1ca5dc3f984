"""`check`: what a repository's settings come to."""

from __future__ import annotations

import json
from pathlib import Path

from bot.adapters.git import LocalGit
from bot.cli.repository.check import Checked, find_out
from bot.config import load_config
from tests.adapters.git_repo import make_repo
from tests.cli.shell import run_isolated

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


def run_check(at: Path, files: dict[str, bytes], *arguments: str) -> tuple[int, str, str]:
    """The exit status, stdout and stderr."""
    make_repo(at / "r", files)
    done = run_isolated(at, "check", "r", *arguments)
    return done.returncode, done.stdout, done.stderr


def found_in(at: Path, files: dict[str, bytes]) -> Checked:
    sha = make_repo(at, files)
    return find_out(load_config({}, env_file=None), LocalGit(at).snapshot("r", sha))


def test_each_mistake_is_told_with_its_line_and_what_the_rest_comes_to(tmp_path: Path) -> None:
    status, out, err = run_check(tmp_path, FILES)
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


def test_the_json_has_the_same_and_bounded_lists(tmp_path: Path) -> None:
    status, out, _err = run_check(tmp_path, FILES, "--json")
    page = json.loads(out)
    assert status == 1
    assert (page["shown"], page["files"], len(page["hidden"])) == (3, 124, 100)
    assert page["delivers"]["mode"] == "pr"
    assert page["permissions"]["pr"] == "write"
    assert page["instructions"] == ["AGENTS.md", "settings"]
    assert len(page["mistakes"]) == 3


def test_without_the_file_the_defaults_hold(tmp_path: Path) -> None:
    status, out, err = run_check(tmp_path, {"x": b""})
    assert (status, err) == (0, "")
    assert "the defaults hold" in out
    assert "deploy/tinygen.schema.json" in out


def test_more_mistakes_are_told_than_in_a_thread_and_another_place_is_one(tmp_path: Path) -> None:
    settings = "".join(f"x{number}: 1\n" for number in range(30))
    assert len(found_in(tmp_path / "a", {".github/tinygen.yml": settings.encode()}).mistakes) == 30
    (mistake,) = found_in(tmp_path / "b", {".github/tinygen.yaml": b"mode: pr\n"}).mistakes
    assert mistake.startswith("`.github/tinygen.yaml` is not read")
    assert found_in(tmp_path / "c", {}).shown == 0
