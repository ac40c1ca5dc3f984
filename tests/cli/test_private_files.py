"""Whatever is written is its owner's alone, and nothing of the folder that a command is given in is
read."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.app import build_database, build_git, lock_worker, make_data_dir, words_dir
from bot.config import load_config
from bot.errors import SetupError
from tests import ROOT
from tests.adapters.git_repo import make_repo
from tests.cli.shell import run_bot
from tests.doubles.model import ModelDouble
from tests.doubles.server import free_port
from tests.polling import poll

REPLY = "greet.py\n<<<<<<< SEARCH\nhi\n=======\nhello\n>>>>>>> REPLACE\n"


def open_to_others(folder: Path) -> dict[str, str]:
    """What of it other users may touch, with its mode."""
    modes = {
        path: stat.S_IMODE(path.lstat().st_mode)
        for path in [folder, *folder.rglob("*")]
        if not path.is_symlink()
    }
    return {str(path): oct(mode) for path, mode in modes.items() if mode & 0o077}


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The most careless one, which the processes started here inherit."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    make_repo(tmp_path / "repo", {"greet.py": b"hi\n"})
    return tmp_path / "repo"


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o750, 0o701])
def test_a_data_directory_that_is_open_to_others_is_closed(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "data"
    path.mkdir()
    path.chmod(mode)
    make_data_dir(load_config({"TINYGEN_DATA_DIR": str(path)}, None))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.parametrize("use", [build_database, build_git, lock_worker, words_dir])
def test_whoever_comes_first_makes_it_closed(tmp_path: Path, use: object) -> None:
    assert callable(use)
    made = use(load_config({"TINYGEN_DATA_DIR": str(tmp_path / "new" / "data")}, None))
    assert stat.S_IMODE((tmp_path / "new" / "data").stat().st_mode) == 0o700
    if hasattr(made, "close"):
        made.close()


def test_a_directory_of_everybody_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tmp"
    path.mkdir()
    path.chmod(0o1777)
    config = load_config({"TINYGEN_DATA_DIR": str(path)}, None)
    with pytest.raises(SetupError, match=r"open to other users.*Name a directory inside it"):
        make_data_dir(config)
    assert stat.S_IMODE(path.stat().st_mode) == 0o1777
    assert words_dir(config) is None


@pytest.mark.parametrize("command", ["jobs list", "migrate", "doctor"])
def test_what_an_operators_command_writes_is_its_owners_alone(tmp_path: Path, command: str) -> None:
    nowhere = {"GITHUB_API_URL": "http://127.0.0.1:9", "OPENAI_BASE_URL": "http://127.0.0.1:9"}
    run_bot(tmp_path, *command.split(), TINYGEN_DATA_DIR="data", **nowhere)
    assert (tmp_path / "data").is_dir()
    assert open_to_others(tmp_path / "data") == {}


def test_what_a_command_on_a_repository_writes_is_its_owners_alone(
    tmp_path: Path, repo: Path
) -> None:
    with ModelDouble([REPLY, "[CONFIDENT]"]) as model:
        settings = {
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API_KEY": "k",
            "TINYGEN_DATA_DIR": str(tmp_path / "data"),
        }
        done = run_bot(
            tmp_path, "run", str(repo), "Say hello.", "--transcript", "transcript", **settings
        )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "words").is_dir()
    assert open_to_others(tmp_path / "data") == {}
    assert open_to_others(tmp_path / "transcript") == {}


def test_what_the_running_bot_writes_is_its_owners_alone(tmp_path: Path) -> None:
    data, temporary = tmp_path / "data", tmp_path / "tmp"
    temporary.mkdir()
    port = str(free_port())
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(temporary),
        "TINYGEN_DATA_DIR": str(data),
        "TINYGEN_PORT": port,
        "GITHUB_WEBHOOK_SECRET": "0123456789abcdef",
        "TINYGEN_START_CHECK": "false",
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", "serve"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz", process)
        made = {path.name for path in data.iterdir()}
        assert {"tinygen.sqlite", "tinygen.sqlite-wal", "tinygen.sqlite-shm", "worker.lock"} <= made
        assert open_to_others(data) == {}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    with httpx.Client(trust_env=False) as client:

        def is_ready() -> bool:
            try:
                return client.get(url).status_code == 200
            except httpx.HTTPError:
                return False

        assert poll(
            is_ready, within_s=60, pause_s=0.1, is_hopeless=lambda: process.poll() is not None
        ), "the bot does not become ready"


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """Where a stranger listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def caught(trap: socket.socket) -> bool:
    try:
        trap.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.fixture(params=["checkout", "installed"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of TinyGen's code, and where it has its own settings."""
    code = tmp_path / "code"
    shutil.copytree(ROOT / "bot", code / "bot", ignore=shutil.ignore_patterns("__pycache__"))
    if request.param == "checkout":
        (code / "app.yml").touch()
        return code, code / ".env"
    (tmp_path / ".config" / "tinygen").mkdir(parents=True)
    return code, tmp_path / ".config" / "tinygen" / "env"


COMMANDS = (("run", "Say hello."), ("context", "Say hello."), ("apply", "reply"))


@pytest.mark.parametrize(("command", "what"), COMMANDS)
def test_the_settings_of_a_strangers_clone_are_not_read(
    tmp_path: Path, repo: Path, trap: socket.socket, own: tuple[Path, Path], command: str, what: str
) -> None:
    code, env_file = own
    evil = f"http://127.0.0.1:{trap.getsockname()[1]}"
    names = ("OPENAI_BASE_URL", "GITHUB_API_URL", "GITHUB_SERVER_URL", "HTTP_PROXY", "ALL_PROXY")
    (repo / ".env").write_text(
        "".join(f"{name}={evil}\n" for name in names) + "TINYGEN_DATA_DIR=evil\n"
    )
    (repo / "reply").write_text(REPLY)
    before = {path.relative_to(repo) for path in repo.rglob("*") if ".git" not in path.parts}
    with ModelDouble([REPLY, "[CONFIDENT]"]) as model:
        env_file.write_text(f"OPENAI_BASE_URL={model.url}\n")
        done = run_bot(
            repo,
            command,
            ".",
            what,
            PYTHONPATH=str(code),
            OPENAI_API_KEY="sk-mine",
            HOME=str(tmp_path),
        )
        assert len(model.requests) == (2 if command == "run" else 0)
    assert done.returncode == 0, done.stderr
    assert not caught(trap)
    assert {
        path.relative_to(repo) for path in repo.rglob("*") if ".git" not in path.parts
    } == before


@pytest.mark.parametrize(
    "name",
    [
        "dotenv",
        "openai",
        "pydantic",
        "structlog",
        "yaml",
        "markdown_it",
        "pathlib",
        "argparse",
        "typing",
        "json",
    ],
)
def test_no_module_of_a_strangers_clone_is_loaded(tmp_path: Path, repo: Path, name: str) -> None:
    (repo / f"{name}.py").write_text("raise SystemExit('a stranger was here')")
    done = run_bot(repo, "context", ".", "Say hello.", TINYGEN_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 0
    assert "a stranger was here" not in done.stderr


def test_a_url_is_never_a_folder_of_the_clone(tmp_path: Path, repo: Path) -> None:
    planted = tmp_path / "http:" / "127.0.0.1:9" / "o" / "r"
    planted.parent.mkdir(parents=True)
    repo.rename(planted)
    nowhere = {"GITHUB_SERVER_URL": "http://127.0.0.1:9", "GITHUB_API_URL": "http://127.0.0.1:9"}
    done = run_bot(
        tmp_path,
        "context",
        "http://127.0.0.1:9/o/r",
        "x",
        TINYGEN_DATA_DIR=str(tmp_path / "data"),
        **nowhere,
    )
    assert done.returncode == 1
    assert "GitHub's server 127.0.0.1:9 cannot be reached: nothing listens there." in done.stderr
