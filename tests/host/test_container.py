"""TinyGen as deploy/container/Dockerfile starts it: a root that can only be read, /data and /tmp, and a user
without a name or any right. Needs root, for namespaces of its own, and nothing but this machine.

The image itself is not built here: that takes a base image, and minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests import ROOT
from tests.conftest import absent
from tests.demo import BODY, COMMAND, ISSUE, REPO, sample_files, scripted
from tests.doubles.model import ModelDouble
from tests.stage import Stage, state_of
from tests.test_containers import environment, value

pytestmark = pytest.mark.xdist_group("container")

USER = int(value("USER").partition(":")[0])
CLOSED = r"""
root=$1 python=$2 packages=$3 code=$4 volume=$5 user=$6
shift 6
mount -t tmpfs -o mode=755 tmpfs "$root"
for each in /*; do
    case $each in
        /data | /opt | /proc | /root | /tmp) mkdir "$root$each" ;;
        *) if [ -L "$each" ]; then
               cp -P "$each" "$root$each"
           elif [ -d "$each" ]; then
               mkdir "$root$each"
               mount --rbind "$each" "$root$each"
               [ "$each" = /dev ] || mount -o remount,bind,ro "$root$each"
           fi ;;
    esac
done
mount -t tmpfs -o mode=1777,size=256m tmpfs "$root/tmp"
mkdir -p "$root/data" "$root/opt/tinygen"
mount --bind "$volume" "$root/data"
mount --bind "$code" "$root/opt/tinygen"
mount -o remount,bind,ro "$root/opt/tinygen"
# Python may lie where only root looks, or in /tmp.
for each in "$python" "$packages"; do
    mkdir -p "$root$each"
    mount --bind "$each" "$root$each"
    mount -o remount,bind,ro "$root$each"
done
mount --rbind /proc "$root/proc"
mount -o remount,ro "$root"
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all env --chdir=/data "$@"
"""
"""What follows the six: NAME=VALUE, and a command."""


class ClosedStage(Stage):
    """The bot runs so, from its wheel, with its data below `volume`."""

    def __init__(self, folder: Path, model_url: str) -> None:
        super().__init__(folder, model_url)
        self.volume, self.wheel = folder / "volume", folder / "wheel"
        self.data_dir = self.volume / "tinygen"

    def start(self) -> None:
        self.root.chmod(0o755)
        self.volume.mkdir(mode=0o700)
        os.chown(self.volume, USER, USER)
        options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options)
        subprocess.run([*pip, "--target", self.wheel, ROOT], cwd=self.root, check=True)
        python, dash_m = (sys.executable, "-P"), ("-m", "bot")
        *_, program = json.loads(value("ENTRYPOINT"))
        assert program == "tinygen"
        with self.log.open("ab") as log:
            self._bot = subprocess.Popen(
                self.closed(*python, *dash_m, *json.loads(value("CMD"))),
                env={"PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # All of its processes are there: gunicorn hears no signal to one that just begins.
        self.wait(self.is_ready, "the bot to answer /readyz")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def closed(self, *command: str) -> list[str]:
        root = self.root / "root"
        root.mkdir(exist_ok=True)
        given = {**self.environment, **in_image(), "PYTHONPATH": "/opt/tinygen"}
        places = (root, sys.base_prefix, sys.prefix, self.wheel, self.volume, USER)
        return [
            *("unshare", "--mount", "--propagation", "private", "sh", "-euc", CLOSED, "sh"),
            *(str(place) for place in places),
            *("-i", *(f"{name}={text}" for name, text in given.items()), *command),
        ]


def in_image() -> Mapping[str, str]:
    """The image's own settings. Of PATH, its first entry has no meaning here."""
    return {name: text for name, text in environment().items() if name != "PATH"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClosedStage]:
    if os.geteuid() != 0:
        absent("root", "run the tests as root: they make namespaces")
    folder = tmp_path_factory.mktemp("container")
    with ModelDouble(scripted) as model, ClosedStage(folder, model.url) as closed:
        yield closed
        assert closed.stop() == 0


def test_nothing_but_the_volume_and_tmp_can_be_written(stage: ClosedStage) -> None:
    refused = ("/x", "/usr/x", "/opt/tinygen/x", "/etc/x", "/var/tmp/x")
    tried = subprocess.run(
        stage.closed("touch", *refused, "/data/x", "/tmp/x"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.stderr.count("Read-only file system") == len(refused), tried.stderr
    assert (stage.volume / "x").stat().st_uid == USER


def test_a_whole_job_is_done_without_a_right_on_a_root_that_is_read_only(
    stage: ClosedStage,
) -> None:
    repo = stage.github.add_repository(REPO, files=sample_files(), permissions={"octocat": "admin"})
    stage.github.install(stage.app, "octocat")
    issue = repo.open_issue("octocat", ISSUE, BODY)
    repo.comment(issue.number, "octocat", COMMAND)
    assert state_of(stage.finished(REPO, issue.number, 1)) == "done"
    repo.comment(issue.number, "octocat", "/tinygen apply")
    assert state_of(stage.finished(REPO, issue.number, 2)) == "done"
    assert len(repo.pulls) == 1
    status = Path(f"/proc/{stage.pid}/status").read_text()
    assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}\n" in status
    assert "CapEff:\t0000000000000000\n" in status
    assert "CapBnd:\t0000000000000000\n" in status
    assert "NoNewPrivs:\t1\n" in status


def test_its_data_is_closed_to_others(stage: ClosedStage) -> None:
    assert stage.data_dir.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_uid for path in stage.data_dir.rglob("*")} == {USER}
