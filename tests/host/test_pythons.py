"""The wheel installs and does a whole job on each Python that this machine has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import ROOT
from tests.adapters.git_repo import make_repo
from tests.conftest import absent
from tests.demo import BODY, COMMAND, ISSUE, REPO, sample_files, scripted
from tests.doubles.model import ModelDouble
from tests.doubles.supabase import fresh_database, postgres
from tests.stage import Stage, state_of

_CLASSIFIERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(_CLASSIFIERS))
PYENV = Path.home() / ".pyenv" / "versions"


def find_python(minor: str) -> str | None:
    """On the path, or pyenv's newest."""
    there = sorted(PYENV.glob(f"{minor}.*/bin/python{minor}"))
    candidates = [shutil.which(f"python{minor}"), *map(str, reversed(there))]
    for path in candidates:
        # pyenv's stand-in on the path may lead to no Python; Debian's may lack venv.
        if path and not _run(path, "-c", "import ensurepip, venv").returncode:
            return path
    return None


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


# GitHub's runs have all of them; elsewhere the oldest must be there, so that no test is skipped.
HERE = [minor for minor in PYTHONS if minor == PYTHONS[0] or find_python(minor)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    (built,) = folder.iterdir()
    return built


@contextmanager
def database(python: str | Path) -> Iterator[dict[str, str]]:
    """The settings of a database for a TinyGen on `python`: PostgreSQL where its SQLite is too old.
    From Python 3.12 on, dbos asks SQLite for milliseconds, which 3.42 was the first to know."""
    asked = "import sqlite3, sys; sys.exit(sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42))"
    if not _run(python, "-c", asked).returncode:
        yield {}
        return
    with postgres() as server, fresh_database(server) as url:
        yield {"TINYGEN_DATABASE_URL": url}


# Ninety packages are brought from PyPI.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("minor", HERE)
def test_the_wheel_does_a_whole_job(minor: str, wheel: Path, tmp_path: Path) -> None:
    python = find_python(minor)
    if python is None:
        absent(f"python{minor}", f"install Debian's packages python{minor} and python{minor}-venv")
        return
    installed = tmp_path / "installed"
    subprocess.run([python, "-m", "venv", installed], check=True)
    for what in (("--require-hashes", "-r", ROOT / "requirements.txt"), ("--no-index", wheel)):
        options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
        subprocess.run([installed / "bin/pip", "install", *options, *what], check=True)
    assert not _run(installed / "bin/pip", "check").returncode

    tinygen = installed / "bin" / "tinygen"
    assert _run(tinygen, "--version").stdout == f"TinyGen {wheel.name.split('-')[1]}\n"
    make_repo(tmp_path / "repo", {".github/tinygen.yml": b"mode: pr\n"})
    assert "no mistakes" in _run(tinygen, "check", tmp_path / "repo").stdout
    (tmp_path / "no-code").mkdir()
    with (
        ModelDouble(scripted) as model,
        database(python) as settings,
        Stage(
            tmp_path / "stage",
            model.url,
            settings,
            code=tmp_path / "no-code",
            command=[tinygen],
        ) as stage,
    ):
        repo = stage.github.add_repository(
            REPO, files=sample_files(), permissions={"octocat": "admin"}
        )
        stage.github.install(stage.app, "octocat")
        issue = repo.open_issue("octocat", ISSUE, BODY)
        repo.comment(issue.number, "octocat", COMMAND.replace("/tinygen", "/tinygen --pr"))
        assert state_of(stage.finished(REPO, issue.number)) == "done"
        assert len(repo.pulls) == 1
