"""The wheel holds all that TinyGen needs at run time, and works from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from email.parser import Parser
from pathlib import Path

import pytest

from tests import ROOT
from tests.adapters.git_repo import make_repo

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is installed, without what it depends on."""
    at = tmp_path_factory.mktemp("installed")
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", at)
    subprocess.run([*PIP, "install", *options, ROOT], cwd=at, check=True)
    return at


def tinygen(installed: Path, at: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "HOME": str(at)}
    command = [str(installed / "bin" / "tinygen"), *arguments]
    return subprocess.run(
        command, cwd=at, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_an_installed_tinygen_works_in_a_folder_that_is_not_its_own(
    installed: Path, tmp_path: Path
) -> None:
    make_repo(tmp_path / "r", {"x": b"1\n"})
    (tmp_path / ".env").write_text("OPENAI_BASE_URL=http://evil.test\nTINYGEN_PORT=evil\n")
    (tmp_path / "bot.py").write_text("raise SystemExit('a stranger was here')\n")
    (metadata,) = installed.glob("tinygen-*.dist-info")
    version = metadata.name.removeprefix("tinygen-").removesuffix(".dist-info")
    assert tinygen(installed, tmp_path, "--version").stdout == f"TinyGen {version}\n"
    checked = tinygen(installed, tmp_path, "check", "r")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert f"{installed}/bot/shipped/deploy/tinygen.schema.json" in checked.stdout
    shown = tinygen(installed, tmp_path, "jobs", "show", "x")
    assert "`tinygen jobs list` shows them." in shown.stderr
    assert (tmp_path / ".local" / "share" / "tinygen" / "tinygen.sqlite").exists()
    run = tinygen(installed, tmp_path, "run", "r", "x")
    assert f"Set it in {tmp_path}/.config/tinygen/env, or" in run.stderr


@pytest.mark.slow
def test_the_wheel_has_every_file_and_the_tested_versions(installed: Path) -> None:
    shipped = {ROOT / name for name in (".env.example", "app.yml", "deploy/tinygen.schema.json")}
    shipped.update((ROOT / "deploy" / "supabase").rglob("*.sql"))
    for path in shipped:
        assert (installed / "bot/shipped" / path.relative_to(ROOT)).read_text() == path.read_text()
    for path in (ROOT / "bot").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert (installed / path.relative_to(ROOT)).exists(), path
    (metadata,) = installed.glob("tinygen-*.dist-info/METADATA")
    needed = Parser().parsestr(metadata.read_text()).get_all("Requires-Dist")
    pins = (ROOT / "requirements.txt").read_text().splitlines()
    assert len(needed or ()) == len([line for line in pins if line[:1].isalnum()]) > 50
    assert all("==" in each for each in needed or ())
