"""The user data of deploy/aws/tinygen.yaml on a fresh Debian with systemd, with a stand-in for `aws` and a
loop device for the volume: up to /readyz, and a start without the volume."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import absent
from tests.deploy_aws import user_data_of
from tests.host.machine import SOURCE, Machine, make_debian
from tests.host.test_install import HOST, SETTINGS, ask
from tests.polling import poll

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("machine")]

SCRIPTS = f"{SOURCE}/deploy/aws/host"
STATE = "/var/lib/aws-tinygen/stand-in"
"""Where the host's own units may write."""
AWS = f"""#!/usr/bin/env python3
import json, os, pathlib, shutil, sys
here = pathlib.Path("{STATE}")
service, order, *rest = sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
def given(name):
    return rest[rest.index(name) + 1]
if order == "get-parameter":
    print((here / "version").read_text())
elif order == "get-secret-value":
    print(json.dumps({{"SecretString": (here / "secret").read_text()}}))
elif order == "put-secret-value":
    shutil.copyfile(given("--secret-string").removeprefix("file://"), here / "secret")
elif order == "attach-volume":
    device = (here / given("--volume-id")).read_text()
    folder = pathlib.Path("/dev/disk/by-id")
    folder.mkdir(parents=True, exist_ok=True)
    name = "nvme-Amazon_Elastic_Block_Store_" + given("--volume-id").replace("-", "")
    os.mknod(folder / name, 0o60600, os.makedev(7, int(device.removeprefix("/dev/loop"))))
"""
CURL = """#!/bin/sh
# Amazon's agents are not for this machine.
case "$*" in *amazonaws.com*) exit 6 ;; esac
exec /usr/bin/curl "$@"
"""


def make_volume(file: Path, size_mb: int, content: bytes = b"") -> str:
    with file.open("wb") as disk:
        disk.write(content)
        disk.truncate(size_mb * 1024 * 1024)
    made = subprocess.run(
        ["losetup", "--find", "--show", file], capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Not yet TinyGen's host. `vol-1` is empty, `vol-2` is not."""
    if shutil.which("losetup") is None:
        absent("losetup", "install Debian's package mount")
    folder = tmp_path_factory.mktemp("aws")
    make_debian(folder / "aws")
    made = Machine(folder / "aws")
    volumes = {
        "vol-1": make_volume(folder / "vol-1", 256),
        "vol-2": make_volume(folder / "vol-2", 8, b"somebody's data"),
    }
    try:
        made.boot()
        made.clone_source()
        made.run("mv", SOURCE, "/root/repository")
        head = made.run("cat", "/root/repository/.git/HEAD").stdout.strip()
        made.write(f"{STATE}/version", head.removeprefix("ref: refs/heads/"))
        made.write(f"{STATE}/secret", SETTINGS)
        for name, device in volumes.items():
            made.write(f"{STATE}/{name}", device)
        made.write("/var/lib/cloud/data/instance-id", "i-1")
        for name, text in (("aws", AWS), ("curl", CURL)):
            made.write(f"/usr/local/bin/{name}", text)
            (made.root / "usr/local/bin" / name).chmod(0o755)
        yield made
        made.stop()
    finally:
        for device in volumes.values():
            subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture(scope="module")
def host(machine: Machine) -> Machine:
    values = {
        "AWS::Region": "eu-central-1",
        "DataVolume": "vol-1",
        "Domain": HOST,
        "Email": "you@example.com",
        "Repository": "file:///root/repository",
    }
    machine.write("/root/user-data", user_data_of("tinygen", **values))
    said = machine.run("bash", "/root/user-data", check=False, within_s=800)
    log = (machine.root / "var/log/tinygen-boot.log").read_text()
    assert said.returncode == 0, said.stdout + log[-3000:]
    machine.write("/root/console", said.stdout)
    return machine


def calls(host: Machine) -> list[str]:
    return (host.root / STATE.lstrip("/") / "calls").read_text().splitlines()


def is_ready() -> bool:
    return ask("/readyz").status_code == 200


def test_the_user_data_makes_a_bot_that_is_ready_and_tells_the_stack(host: Machine) -> None:
    assert is_ready()
    (signal,) = (each for each in calls(host) if "signal-resource" in each)
    assert signal.endswith("--logical-resource-id Host --unique-id i-1 --status SUCCESS")


def test_the_console_shows_steps_and_nothing_that_opens_anything(host: Machine) -> None:
    console = (host.root / "root/console").read_text()
    assert "== data: vol-1" in console
    assert all(line.startswith(("== ", "TinyGen's host: ")) for line in console.splitlines())
    log = host.root / "var/log/tinygen-boot.log"
    assert log.stat().st_mode & 0o077 == 0


def test_data_backups_and_certificates_lie_on_the_volume(host: Machine) -> None:
    for folder in ("/var/lib/tinygen", "/var/backups/tinygen", "/etc/letsencrypt"):
        source = host.run("findmnt", "-n", "-o", "SOURCE", folder).stdout
        assert re.match(r"/dev/\S+\[/\w+\]", source), folder
    assert (host.root / "srv/tinygen").is_dir()


def test_a_changed_setting_reaches_the_secret(host: Machine) -> None:
    secret = host.root / STATE.lstrip("/") / "secret"
    host.run("sh", "-c", "echo TINYGEN_MODE=pr >>/etc/tinygen/env")
    assert poll(lambda: "TINYGEN_MODE=pr" in secret.read_text(), within_s=30)


def test_the_timer_tells_cloudwatch_that_the_host_is_ready(host: Machine) -> None:
    host.run("systemctl", "start", "aws-tinygen-metrics")
    told = [each for each in calls(host) if each.startswith("cloudwatch put-metric-data")]
    assert '"MetricName": "Ready"' in told[-1]
    assert '"Value": 1.0' in told[-1].partition("DiskUsedPercent")[0]


def test_without_the_volume_tinygen_waits_and_a_strangers_volume_is_left_alone(
    host: Machine,
) -> None:
    host.stop()
    host.boot()  # the device's name is gone, as it is where a volume was detached
    assert not host.is_active("tinygen-web")
    assert not list((host.root / "var/lib/tinygen").iterdir())
    conf = host.root / "etc/tinygen/aws.conf"
    conf.write_text(conf.read_text().replace("vol-1", "vol-2"))
    said = host.run(f"{SCRIPTS}/mount-data", check=False)
    conf.write_text(conf.read_text().replace("vol-2", "vol-1"))
    assert said.returncode == 1
    assert "not empty" in said.stderr
    host.run(f"{SCRIPTS}/mount-data")
    host.run("systemctl", "start", "tinygen-web", "tinygen-worker")
    assert poll(is_ready, within_s=90)
