"""The commands on a repository obey its settings, as a job does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.git_repo import make_repo
from tests.cli.shell import run_isolated
from tests.doubles.edit_blocks import block
from tests.doubles.model import ModelDouble

SETTINGS = b"context: {exclude: [secret.py]}\nprotected: [locked.py]\n"
FILES = {
    ".github/tinygen.yml": SETTINGS,
    "greet.py": b"def greet(name):\n    return name\n",
    "locked.py": b"x = 1\n",
    "secret.py": b"def secret():\n    return 'greet'\n",
}
PROMPT = "Let secret() in secret.py call greet()."


def chosen(at: Path, *arguments: str) -> Any:
    done = run_isolated(at, "context", "r", PROMPT, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def repo(at: Path, files: Mapping[str, bytes] | None = None) -> None:
    make_repo(at / "r", {**FILES, **(files or {})})


def test_context_shows_nothing_that_the_repository_keeps_from_the_model(tmp_path: Path) -> None:
    repo(tmp_path)
    page = chosen(tmp_path)
    assert "secret.py" not in json.dumps(page)
    assert page["ranking"][0] == "greet.py"
    assert {part["path"] for part in page["shown"]} <= set(page["ranking"])


def test_context_tells_the_first_request_whole(tmp_path: Path) -> None:
    repo(tmp_path)
    page = chosen(tmp_path)
    assert list(page) == ["ranking", "shown", "map", "tokens", "seconds"]
    assert set(page["shown"][0]) == {"path", "start", "end", "tokens", "why"}
    make_repo(tmp_path / "s", {**FILES, "AGENTS.md": b"Use tabs here, and never spaces. " * 40})
    words = json.loads(run_isolated(tmp_path, "context", "s", PROMPT, "--json").stdout)
    assert (
        sum(part["tokens"] for part in page["shown"]) + 300 < page["tokens"] < words["tokens"] - 250
    )


def test_the_map_names_files_to_ask_from(tmp_path: Path) -> None:
    long = "".join(
        f"def function_{number}(name):\n    return greet(name, {number})\n\n\n"
        for number in range(900)
    )
    repo(tmp_path, {"pkg/long (1 lines).py": long.encode(), "pkg/functions.py": long.encode()})
    page = chosen(tmp_path)
    assert set(page["map"]) & {"pkg/long (1 lines).py", "pkg/functions.py"}
    assert set(page["map"]) <= {*FILES, "pkg/long (1 lines).py", "pkg/functions.py"}
    assert len(set(page["map"])) == len(page["map"])


def test_the_ranking_does_not_depend_on_the_budget_which_bounds_what_is_shown(
    tmp_path: Path,
) -> None:
    repo(tmp_path)
    pages = [chosen(tmp_path, "--budget", budget) for budget in ("1", "100", "100000")]
    assert pages[0]["ranking"] == pages[1]["ranking"] == pages[2]["ranking"] != []
    assert sum(part["tokens"] for part in pages[1]["shown"]) <= 100


def test_apply_changes_nothing_that_is_protected_or_kept_from_the_model(tmp_path: Path) -> None:
    repo(tmp_path)
    reply = (
        block("greet.py", "    return name", "x = 2")
        + block("locked.py", "x = 1", "x = 2")
        + block("secret.py", "    return 'greet'", "x = 2")
    )
    (tmp_path / "reply").write_text(reply)
    done = run_isolated(tmp_path, "apply", "r", "reply")
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "locked.py",
        "secret.py",
    ]
    assert "+x = 2" in done.stdout
    assert "locked.py" not in done.stdout
    assert "secret.py" not in done.stdout


@pytest.mark.parametrize(
    "settings",
    [
        b"context: {exclude: [a}\n",
        b"context: {exclued: [secret.py]}\n",
        b"#" * 40_000,
        b"\xff\xfecontext:",
    ],
)
@pytest.mark.parametrize("command", ["context", "run"])
def test_where_it_is_not_clear_what_may_be_shown_nothing_is(
    tmp_path: Path, command: str, settings: bytes
) -> None:
    repo(tmp_path, {".github/tinygen.yml": settings})
    with ModelDouble([]) as model:  # any request is an error
        done = run_isolated(
            tmp_path, command, "r", PROMPT, OPENAI_API_KEY="x", OPENAI_BASE_URL=model.url
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].endswith(
        "Mend and commit it, and try again; `python -m bot check` tells each mistake."
    )


def test_settings_that_are_no_file_are_not_clear(tmp_path: Path) -> None:
    make_repo(
        tmp_path / "r",
        {"greet.py": b"x = 1\n", ".github/tinygen.yml": (b"elsewhere.yml", "120000")},
    )
    done = run_isolated(tmp_path, "context", "r", PROMPT)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_mistake_elsewhere_is_said_and_the_rest_holds(tmp_path: Path) -> None:
    repo(tmp_path, {".github/tinygen.yml": SETTINGS + b"modle: x\n"})
    done = run_isolated(tmp_path, "context", "r", PROMPT)
    assert done.returncode == 0
    assert "note: `.github/tinygen.yml`, line 3: `modle` is no setting." in done.stderr
    assert "secret.py" not in done.stdout
