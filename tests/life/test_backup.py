"""The nightly back-up of a running bot, and the way back from it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bot.adapters.database import Database
from tests import ROOT
from tests.conftest import absent
from tests.life.conftest import Life

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SCRIPT = ROOT / "deploy" / "host" / "backup"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """With a database, without a bot."""
    url = f"sqlite:///{tmp_path}/data/tinygen.sqlite"
    with closing(Database(url)) as database:
        database.create()
        for number in range(100):
            database.shared.end_session(str(number), 0)
    return tmp_path / "data"


def back_up(data_dir: Path, folder: Path, settings: str = "") -> subprocess.CompletedProcess[str]:
    """The script as it is, but for where things are."""
    if shutil.which("sqlite3") is None:
        absent("sqlite3", "install sqlite3")
    folder.mkdir(exist_ok=True)
    (folder / "env").write_text(settings)
    script = SCRIPT.read_text()
    for there, here in (
        ("/var/lib/tinygen", str(data_dir)),
        ("/var/backups/tinygen", str(folder)),
        ("/etc/tinygen/env", str(folder / "env")),
    ):
        assert there in script
        script = script.replace(there, here)
    return subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )


def copies(folder: Path) -> list[Path]:
    return sorted(folder.glob("tinygen-*.sqlite"))


def test_a_copy_of_a_running_bot_brings_back_what_ended_and_what_was_in_flight(
    life: Life, tmp_path: Path
) -> None:
    (done, first), (hanging, second) = life.one_done_one_in_flight()

    said = back_up(life.stage.data_dir, tmp_path / "backups")
    assert (said.returncode, said.stderr) == (0, "")
    (copy,) = copies(tmp_path / "backups")
    life.stage.stop(signal.SIGKILL)
    shutil.rmtree(life.stage.data_dir)
    life.stage.data_dir.mkdir(mode=0o700)
    shutil.copy(copy, life.stage.data_dir / "tinygen.sqlite")

    life.model_hangs.clear()
    life.stage.start()
    life.check_done_once(hanging, second)
    for delivery in [
        each for each in life.stage.github.deliveries if each.event == "issue_comment"
    ]:
        life.stage.github.redeliver(delivery.guid)
    life.check_done_once(done, first)
    life.check_done_once(hanging, second)


def test_a_copy_is_whole_while_the_bot_writes(data_dir: Path, tmp_path: Path) -> None:
    database = data_dir / "tinygen.sqlite"
    began, stopped = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            number = 0
            while not stopped.is_set():
                number += 1
                rows = [(f"{number}-{part}", "x" * 1000) for part in range(50)]
                with connection:
                    connection.executemany("insert into tinygen_switches values (?, ?)", rows)
                began.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert began.wait(30)
        said = back_up(data_dir, tmp_path / "backups")
    finally:
        stopped.set()
        writer.join()
    assert (said.returncode, said.stderr) == (0, "")
    with closing(sqlite3.connect(copies(tmp_path / "backups")[0])) as connection:
        (count,) = connection.execute(
            "select count(*) from tinygen_switches where length(value) = 1000"
        ).fetchone()
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    assert count > 0
    assert count % 50 == 0


def test_the_newest_copies_are_kept_and_none_but_copies_removed(
    data_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for day in range(1, 21):
        old = folder / f"tinygen-202611{day:02}T031500Z.sqlite"
        old.touch()
        os.utime(old, (day * 86_400, day * 86_400))
    (folder / "notes.sqlite").touch()
    assert back_up(data_dir, folder).returncode == 0
    found = re.search(r"^kept=(\d+)$", SCRIPT.read_text(), re.MULTILINE)
    assert found is not None
    assert len(copies(folder)) == int(found[1])
    assert not (folder / "tinygen-20261101T031500Z.sqlite").exists()
    assert (folder / "tinygen-20261120T031500Z.sqlite").exists()
    assert (folder / "notes.sqlite").exists()


def test_a_damaged_database_is_told_and_no_copy_is_taken_for_good(
    data_dir: Path, tmp_path: Path
) -> None:
    with (data_dir / "tinygen.sqlite").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 100_000)
    said = back_up(data_dir, tmp_path / "backups")
    assert said.returncode != 0
    assert said.stderr
    assert list((tmp_path / "backups").glob("*.sqlite*")) == []


def test_a_database_elsewhere_is_copied_too(data_dir: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    data_dir.rename(elsewhere)
    for folder, setting in (
        ("a", f'TINYGEN_DATA_DIR="{elsewhere}"\n'),
        ("b", f"TINYGEN_DATABASE_URL=sqlite:///{elsewhere}/tinygen.sqlite\n"),
    ):
        assert back_up(data_dir, tmp_path / folder, setting).returncode == 0
        assert len(copies(tmp_path / folder)) == 1


def test_with_postgresql_nothing_is_copied(data_dir: Path, tmp_path: Path) -> None:
    url = "TINYGEN_DATABASE_URL=postgresql://db.example.com/tinygen\n"
    assert back_up(data_dir, tmp_path / "backups", url).returncode == 0
    assert copies(tmp_path / "backups") == []
