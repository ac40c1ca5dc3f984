"""Upgrade and the way back, with jobs in flight: what an older commit of this repository left goes on,
and the older one starts on what this one leaves."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests import ROOT
from tests.conftest import absent
from tests.life.conftest import Life
from tests.stage import state_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

OLD_COMMIT = "adabc01"
"""The first that this version promises to go on from."""


@pytest.fixture(scope="session")
def old_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the older commit."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", OLD_COMMIT], capture_output=True, check=False
    )
    if archive.returncode != 0:
        absent(f"commit {OLD_COMMIT}", "fetch the whole history: git fetch --unshallow")
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def test_nothing_is_lost_or_doubled_by_an_upgrade_the_way_back_and_the_upgrade_again(
    life: Life, old_root: Path
) -> None:
    repos = {
        name: life.add_repository(name)
        for name in ("old", "old-in-flight", "new", "new-in-flight", "back")
    }
    life.change_code(old_root)
    issues = {"old": life.give(repos["old"])}
    life.check_done_once(repos["old"], issues["old"])
    issues["old-in-flight"] = life.start_hanging(repos["old-in-flight"])

    life.model_hangs.clear()
    life.change_code(ROOT)
    life.check_done_once(repos["old-in-flight"], issues["old-in-flight"])
    issues["new"] = life.give(repos["new"])
    life.check_done_once(repos["new"], issues["new"])
    issues["new-in-flight"] = life.start_hanging(repos["new-in-flight"])

    life.model_hangs.clear()
    life.change_code(old_root)
    issues["back"] = life.give(repos["back"])
    life.check_done_once(repos["back"], issues["back"])

    life.change_code(ROOT)
    for name, issue in issues.items():
        life.check_done_once(repos[name], issue)
    for delivery in [
        each for each in life.stage.github.deliveries if each.event == "issue_comment"
    ]:
        life.stage.github.redeliver(delivery.guid)
    for name, repo in repos.items():
        life.check_done_once(repo, issues[name])
    states = [
        state_of(body)
        for name, repo in repos.items()
        for body in life.stage.bot_comments(repo.full_name, issues[name].number)
    ]
    assert states == ["done"] * len(repos)
