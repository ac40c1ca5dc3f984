"""What a host at EC2 does, with stand-ins for `aws` and `systemctl`."""

from __future__ import annotations

import configparser
import json
import re
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import make_url
from werkzeug.serving import make_server

from bot.config import Config
from bot.metrics import render_metrics
from bot.ports import MetricSample
from bot.types import State
from bot.web import create_app
from tests import ROOT
from tests.deploy_aws import HOST, TEMPLATES, resources_of
from tests.doubles.server import free_port
from tests.fakes import MemoryWorkers, memory_stores

UNITS = sorted((HOST / "systemd").glob("aws-tinygen-*"))
FILE = "GITHUB_APP_ID=1\nGITHUB_PRIVATE_KEY=the-only-copy\n"
AWS = """#!/usr/bin/env python3
import json, pathlib, sys
here = pathlib.Path(__file__).parent
service, order, *rest = sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
secret = here / ("secret-" + (rest[1] if service == "secretsmanager" else ""))
if order == "get-secret-value":
    if not secret.exists():
        sys.exit("An error occurred (ResourceNotFoundException) when calling the GetSecretValue operation: "
                 "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT")
    print(json.dumps({"SecretString": secret.read_text()}))
elif order == "put-secret-value" and not (here / "forgets").exists():
    secret.write_text(pathlib.Path(rest[rest.index("--secret-string") + 1].removeprefix("file://")).read_text())
"""
SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/systemctl-calls"
"""


def load(name: str) -> ModuleType:
    """A script without a suffix, as a module."""
    loader = SourceFileLoader(name.replace("-", "_"), str(HOST / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


class Host:
    """A host with its own /etc and /var, and with the secrets `settings` and `database`."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.bin = bin_folder
        self.module = load("settings")
        self.file = folder / "env"
        self.replaced = folder / "env.replaced"
        self.facts = {"AWS_DEFAULT_REGION": "eu-central-1", "SETTINGS_SECRET": "settings"}
        for name, path in {
            "SETTINGS": self.file,
            "STATE": folder / "state",
            "REPLACED": self.replaced,
            "SCRATCH": folder / "scratch",
            "SEAL": folder / "none",
        }.items():
            setattr(self.module, name, path)
        self.module.__dict__["OWNER"] = "nobody-of-that-name"

    def settings(self, order: str = "sync") -> None:
        self.module.__dict__["bring_together"](order, self.facts)

    def secret(self, name: str = "settings") -> str:
        return (self.bin / f"secret-{name}").read_text()

    def set_secret(self, value: str, name: str = "settings") -> None:
        (self.bin / f"secret-{name}").write_text(value)

    @property
    def restarts(self) -> int:
        calls = self.bin / "systemctl-calls"
        return calls.read_text().count("restart tinygen.target") if calls.exists() else 0

    @property
    def failed(self) -> type[Exception]:
        failed: type[Exception] = self.module.__dict__["Failed"]
        return failed


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("aws", AWS), ("systemctl", SYSTEMCTL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Host(tmp_path, folder)


def test_what_the_set_up_wrote_becomes_the_secret(host: Host) -> None:
    host.settings()
    host.file.write_text(FILE)
    host.settings()
    assert host.secret() == FILE
    assert host.restarts == 0


def test_a_new_host_comes_up_with_the_secret(host: Host) -> None:
    host.set_secret(FILE)
    host.settings()
    assert host.file.read_text() == FILE
    assert stat.S_IMODE(host.file.stat().st_mode) == 0o600


def test_a_new_host_without_a_secret_begins_with_nothing(host: Host) -> None:
    host.settings()
    assert not host.file.exists()
    assert not (host.bin / "secret-settings").exists()


def test_a_secret_that_was_changed_becomes_the_file_and_tinygen_restarts(host: Host) -> None:
    host.file.write_text(FILE)
    host.settings()
    host.set_secret(FILE + "OPENAI_MODEL=other\n")
    host.settings()
    assert host.file.read_text() == FILE + "OPENAI_MODEL=other\n"
    assert host.restarts == 1
    assert host.replaced.read_text() == FILE


def test_what_is_alike_is_left_alone(host: Host) -> None:
    host.file.write_text(FILE)
    host.settings()
    host.settings()
    calls = (host.bin / "calls").read_text()
    assert calls.count("put-secret-value") == 1
    assert host.restarts == 0


def test_two_changes_that_differ_wait_for_a_person(host: Host) -> None:
    host.file.write_text(FILE)
    host.settings()
    host.set_secret("OF=the secret\n")
    host.file.write_text("OF=the file\n")
    with pytest.raises(host.failed, match="both changed"):
        host.settings()
    assert (host.secret(), host.file.read_text()) == ("OF=the secret\n", "OF=the file\n")
    host.settings("push")
    assert host.secret() == "OF=the file\n"


def test_a_person_may_take_the_secret(host: Host) -> None:
    host.file.write_text(FILE)
    host.settings()
    host.set_secret("OF=the secret\n")
    host.file.write_text("OF=the file\n")
    host.settings("pull")
    assert host.file.read_text() == "OF=the secret\n"
    assert host.replaced.read_text() == "OF=the file\n"


@pytest.mark.parametrize("order", ["sync", "push"])
def test_an_emptied_file_never_becomes_the_secret(order: str, host: Host) -> None:
    host.file.write_text(FILE)
    host.settings()
    host.file.write_text("\n")
    if order == "push":
        with pytest.raises(host.failed, match="nothing to push"):
            host.settings(order)
    else:
        host.settings(order)
        assert host.file.read_text() == FILE
    assert host.secret() == FILE


def test_an_emptied_secret_never_becomes_the_file(host: Host) -> None:
    host.file.write_text(FILE)
    host.settings()
    host.set_secret("")
    host.settings()
    assert host.file.read_text() == host.secret() == FILE


def test_a_secret_that_was_not_kept_does_not_undo_the_file(host: Host) -> None:
    host.file.write_text("A=1\n")
    host.settings()
    (host.bin / "forgets").touch()
    host.file.write_text(FILE)
    for _ in range(2):
        with pytest.raises(host.failed, match="does not have the value"):
            host.settings()
    assert host.file.read_text() == FILE


def test_a_secret_of_json_is_not_taken_for_settings(host: Host) -> None:
    host.set_secret(json.dumps({"GITHUB_APP_ID": "1"}))
    with pytest.raises(host.failed, match="plain text"):
        host.settings()
    assert not host.file.exists()


def test_no_argument_of_a_command_holds_a_setting(host: Host) -> None:
    host.file.write_text(FILE)
    host.settings()
    assert "put-secret-value" in (host.bin / "calls").read_text()
    assert "the-only-copy" not in (host.bin / "calls").read_text()
    assert not list((host.file.parent / "scratch").glob("tmp*"))


def test_the_databases_password_reaches_the_file_and_never_the_settings_secret(host: Host) -> None:
    file = "GITHUB_WEBHOOK_SECRET=0123456789abcdef\n"
    host.facts |= {"DATABASE_SECRET": "database", "DATABASE_HOST": "db.example.com:5432"}
    host.set_secret(file)
    for password in ("p/1:a@b", "p2"):
        host.set_secret(json.dumps({"username": "tinygen", "password": password}), "database")
        host.settings()
        settings = Config.model_validate(
            dict(line.split("=", 1) for line in host.file.read_text().splitlines())
        )
        assert settings.database_url is not None
        url = settings.database_url.get_secret_value()
        parsed = make_url(url)
        assert (parsed.username, parsed.password) == ("tinygen", password)
        assert (parsed.host, parsed.port, parsed.database) == ("db.example.com", 5432, "tinygen")
        assert parsed.query["sslmode"] == "verify-full"
        assert host.secret() == file
    assert host.restarts == 2


def test_several_hosts_know_the_address_of_their_balancer(host: Host) -> None:
    host.facts["PUBLIC_URL"] = "https://bot.example.com"
    host.settings()
    host.file.write_text(host.file.read_text() + FILE)
    host.settings()
    assert host.secret() == "TINYGEN_PUBLIC_URL=https://bot.example.com\n" + FILE


@dataclass
class Figures:
    """Of a database, as TinyGen's own renderer asks for them."""

    failed: int = 0
    waits_s: float = 0.0

    def counts(self) -> dict[State, int]:
        return {"done": 7, "failed": self.failed}

    def oldest_waiting_s(self) -> float:
        return 0.0

    def oldest_queued_s(self) -> float:
        return self.waits_s

    def alive(self, within_s: float) -> frozenset[str]:
        return frozenset({"one"})

    def measures(self) -> tuple[MetricSample, ...]:
        return ()


@dataclass
class Served:
    """The real web part, on the port that the host's settings name, and the script that asks it."""

    script: ModuleType
    figures: Figures
    workers: MemoryWorkers

    def measure(self) -> dict[str, float]:
        measured: dict[str, tuple[float, str]] = self.script.__dict__["measure"]()
        return {name: value for name, (value, _) in measured.items()}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    script, figures, workers = load("publish-metrics"), Figures(), MemoryWorkers()
    workers.beat("one")
    config = Config.model_validate({"GITHUB_WEBHOOK_SECRET": "0123456789abcdef"})
    app = create_app(config, memory_stores(workers=workers), lambda: render_metrics(figures))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    (tmp_path / "env").write_text(f"TINYGEN_PORT={server.port}\n")
    script.__dict__.update(SETTINGS=tmp_path / "env", STATE=tmp_path / "state" / "failed")
    yield Served(script, figures, workers)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_alarms_stand_on_all_that_a_host_tells(template: str, served: Served) -> None:
    alarms = [
        each["Properties"] for each in resources_of(template, "AWS::CloudWatch::Alarm").values()
    ]
    own = [alarm for alarm in alarms if alarm["Namespace"] == served.script.NAMESPACE]
    assert {alarm["MetricName"] for alarm in own} == set(served.measure())
    assert all(
        alarm["Dimensions"] == [{"Name": "Stack", "Value": {"Ref": "AWS::StackName"}}]
        for alarm in own
    )
    assert all(alarm["AlarmActions"] == [{"Ref": "Alarms"}] for alarm in alarms)


def test_a_host_that_says_nothing_is_not_ready() -> None:
    for template in TEMPLATES:
        alarm = resources_of(template)["NotReady"]["Properties"]
        assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
            "Minimum",
            "LessThanThreshold",
            1,
        )
        assert alarm["TreatMissingData"] == "breaching"


def test_ready_is_what_readyz_says(served: Served) -> None:
    assert served.measure()["Ready"] == 1
    served.workers.is_away = True
    assert served.measure()["Ready"] == 0


def test_without_a_web_part_a_host_is_not_ready_and_tells_no_jobs(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "env").write_text(f"TINYGEN_PORT={free_port()}\n")
    told = served.measure()
    assert told.pop("Ready") == 0
    assert 0 < told.pop("DiskUsedPercent") <= 100
    assert not told


def test_each_failed_job_is_told_once(served: Served) -> None:
    told = []
    for failed in (4, 4, 6, 1, 2):
        served.figures.failed = failed
        told.append(served.measure()["FailedJobs"])
    # those that were there before the host are no news, and those removed with age do not count
    assert told == [0, 0, 2, 0, 1]


def test_the_wait_of_the_oldest_job_is_told(served: Served) -> None:
    served.figures.waits_s = 700.5
    assert served.measure()["QueueAgeSeconds"] == 700.5


def test_metrics_go_to_the_stacks_namespace_and_dimension(
    host: Host, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK", "bots")
    assert served.script.main() == 0
    service, order, *rest = (host.bin / "calls").read_text().split(" ", 5)
    assert [service, order, *rest[:3]] == [
        "cloudwatch",
        "put-metric-data",
        "--namespace",
        "TinyGen",
        "--metric-data",
    ]
    assert {each["Dimensions"][0]["Value"] for each in json.loads(rest[3])} == {"bots"}


def test_the_link_to_the_set_up_is_found_on_the_host_and_kept_out_of_the_logs() -> None:
    printed = re.search(
        r'print_line\(f"([^"{]*)\{link\}"\)', (ROOT / "bot/cli/serve.py").read_text()
    )
    assert printed is not None
    line = f"{printed[1]}https://bot.example.com/setup?token=abc-_1"
    (collected,) = json.loads((HOST / "logs.json").read_text())["logs"]["logs_collected"][
        "journald"
    ]["collect_list"]
    (kept_out,) = collected["filters"]
    assert kept_out["type"] == "exclude"
    assert re.search(kept_out["expression"], line)
    found = subprocess.run(
        ["sed", "-n", re.findall(r"sed -n '(.*)' \|", (HOST / "setup-link").read_text())[0]],
        input=line + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "https://bot.example.com/setup?token=abc-_1\n"


def read_unit(path: Path) -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(strict=False, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    return unit


def test_the_hosts_own_units_have_the_rights_that_tinygens_are_denied() -> None:
    """A drop-in of `tinygen-.service.d` is for every unit whose name begins so."""
    denied = read_unit(HOST / "systemd" / "tinygen.conf")["Service"]["IPAddressDeny"].split()
    assert "169.254.169.254" in denied
    assert len(UNITS) >= 6
    assert not [unit.name for unit in UNITS if unit.name.startswith("tinygen-")]


def test_tinygen_does_not_start_without_the_data_volume() -> None:
    """systemd makes what a bind mount lacks: without the volume, an empty folder on the root disk."""
    unit = read_unit(HOST / "systemd" / "tinygen.conf")["Unit"]
    assert "/var/lib/tinygen" in unit["RequiresMountsFor"].split()
    folders = [
        read_unit(path)
        for path in (HOST / "systemd" / "mounts").glob("*.mount")
        if path.name != "srv-tinygen.mount"
    ]
    assert "/var/lib/tinygen" in {folder["Mount"]["Where"] for folder in folders}
    for folder in folders:
        assert folder["Unit"]["Requires"] == folder["Unit"]["After"] == "srv-tinygen.mount"
        assert folder["Unit"]["AssertPathIsMountPoint"] == "/srv/tinygen"


def test_each_unit_starts_what_is_there() -> None:
    services = [unit for unit in UNITS if unit.suffix == ".service"]
    assert len(services) >= 3
    for unit in services:
        program = read_unit(unit)["Service"]["ExecStart"].split()[0]
        path = ROOT / program.removeprefix("/opt/tinygen/source/")
        assert path.stat().st_mode & stat.S_IXUSR, program
