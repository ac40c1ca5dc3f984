"""A worker that runs apart from the web part, before the set-up."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.shell import bot_call
from tests.doubles.github.apps import make_key
from tests.polling import poll


def log_of(path: Path, words: str) -> bool:
    return words in path.read_text()


@pytest.mark.timeout(100)
def test_it_waits_for_the_set_up_and_then_takes_its_settings(tmp_path: Path) -> None:
    log = tmp_path / "log"
    call = bot_call(tmp_path, "worker", TINYGEN_DATA_DIR=str(tmp_path / "data"))
    del call["timeout"]
    with log.open("wb") as out, subprocess.Popen(**call, stdout=out, stderr=out) as worker:
        try:
            assert poll(lambda: log_of(log, "the worker waits for the set-up"), within_s=60)
            assert not (tmp_path / "data").exists()
            key = make_key().replace("\n", "\\n")
            (tmp_path / ".env").write_text(f'GITHUB_APP_ID=1\nGITHUB_PRIVATE_KEY="{key}"\n')
            assert poll(lambda: log_of(log, "worker started"), within_s=60)
        finally:
            worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 0
