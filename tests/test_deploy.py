"""What deploy/ promises, held to the code, and to nginx and systemd themselves."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.serving import make_server

from bot.cli import build_parser
from bot.cli.serve import STOP_S
from bot.config import Config
from bot.web import create_app
from tests import ROOT
from tests.conftest import absent
from tests.doubles.server import free_port
from tests.fakes import memory_stores

DEPLOY = ROOT / "deploy"
SITE = (DEPLOY / "nginx" / "tinygen.conf").read_text()
BALANCED_SITE = (DEPLOY / "nginx" / "behind-balancer.conf").read_text()
LOCATIONS = (DEPLOY / "nginx" / "locations.conf").read_text()
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PARTS = [unit for unit in UNITS if unit.stem in ("tinygen-web", "tinygen-worker")]
TIMERS = sorted([*(DEPLOY / "systemd").glob("*.timer"), *(DEPLOY / "systemd").glob("*.path")])
SCRIPTS = [DEPLOY / "install.sh", *sorted((DEPLOY / "host").iterdir())]
HOST = "bot.example.com"
GUNICORN_GRACEFUL_S = 30


def defaults() -> Config:
    return Config.model_validate({"GITHUB_WEBHOOK_SECRET": "0123456789abcdef"})


def test_nginx_waits_longer_for_run_than_the_web_part_does() -> None:
    block = re.search(r"location = /run \{[^}]*proxy_read_timeout (\d+)s;", LOCATIONS)
    assert block is not None
    assert int(block[1]) > defaults().run_wait_s


def test_nginx_lets_through_all_that_github_may_send() -> None:
    allowed = re.search(r"client_max_body_size (\d+)m;", LOCATIONS)
    assert allowed is not None
    assert int(allowed[1]) > 25


def nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        absent("nginx", "install nginx-light")
    return str(found)


def make_certificate(folder: Path) -> None:
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)]),
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "privkey.pem").write_bytes(plain)


class Nginx:
    """nginx with a site as it is, but for its ports, its certificate and where TinyGen listens."""

    def __init__(self, folder: Path, upstream_port: int, site: str = SITE) -> None:
        make_certificate(folder)
        self.tls_port, self.plain_port = free_port(), free_port()
        site = re.sub(r" *listen \[::\].*\n", "", site)
        for there, here in (
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.tls_port} ssl;"),
            ("/etc/ssl/tinygen", str(folder)),
        ):
            assert (there in site) is (site.count("ssl") > 0)
            site = site.replace(there, here)
        site, changed = re.subn(r"listen 80\b", f"listen 127.0.0.1:{self.plain_port}", site)
        assert changed == 1
        (folder / "snippets").mkdir()
        assert "http://127.0.0.1:8000" in LOCATIONS
        locations = LOCATIONS.replace("127.0.0.1:8000", f"127.0.0.1:{upstream_port}")
        (folder / "snippets" / "tinygen.conf").write_text(
            locations.replace("/var/log/nginx", str(folder))
        )
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        whole = (
            f"master_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temporary}{site}}}\n"
        )
        self._arguments = (
            nginx(),
            "-e",
            str(folder / "error.log"),
            "-c",
            str(folder / "nginx.conf"),
        )
        (folder / "nginx.conf").write_text(whole)
        context = ssl.create_default_context(cafile=folder / "fullchain.pem")
        self.client = httpx.Client(verify=context, headers={"Host": HOST}, trust_env=False)

    def run(self, *options: str) -> str:
        ended = subprocess.run(
            [*self._arguments, *options], capture_output=True, text=True, timeout=20, check=True
        )
        return ended.stderr

    def ask(self, method: str, path: str, **headers: str) -> httpx.Response:
        return self.client.request(
            method,
            f"https://127.0.0.1:{self.tls_port}{path}",
            headers=headers,
            extensions={"sni_hostname": HOST},
        )


@pytest.fixture
def upstream_port() -> Iterator[int]:
    """The web part, without API keys."""
    app = create_app(defaults(), memory_stores(), lambda: b"secret figures")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site(tmp_path: Path, upstream_port: int) -> Iterator[Nginx]:
    proxy = Nginx(tmp_path, upstream_port)
    proxy.run()
    yield proxy
    proxy.client.close()
    proxy.run("-s", "stop")


@pytest.fixture
def balanced_site(tmp_path: Path, upstream_port: int) -> Iterator[Nginx]:
    proxy = Nginx(tmp_path, upstream_port, BALANCED_SITE)
    proxy.run()
    yield proxy
    proxy.client.close()
    proxy.run("-s", "stop")


@pytest.mark.parametrize("site", [SITE, BALANCED_SITE], ids=["tls", "behind-balancer"])
def test_nginx_accepts_the_site_without_a_warning(tmp_path: Path, site: str) -> None:
    said = Nginx(tmp_path, 8000, site).run("-t")
    assert "test is successful" in said
    assert "[warn]" not in said


def test_nginx_passes_on_what_is_public(site: Nginx) -> None:
    assert site.ask("GET", "/healthz").json() == {"status": "ok"}
    assert site.ask("POST", "/webhook").json()["status"] == 401
    for path in ("/", "/docs/", "/docs/openapi.json", "/login", "/static/page.css"):
        assert site.ask("GET", path).status_code == 200, path


def test_nginx_keeps_the_metrics_to_itself(site: Nginx) -> None:
    assert site.ask("GET", "/metrics").status_code == 403
    assert site.ask("GET", "/metrics/").status_code == 404


@pytest.mark.parametrize("path", ["/run", "/jobs", "/try", "/jobs/abc", "/jobs/abc.diff"])
def test_a_caller_through_nginx_is_never_taken_for_a_local_one(site: Nginx, path: str) -> None:
    method = "POST" if path == "/run" else "GET"
    assert site.ask(method, path).status_code == 401
    assert site.ask(method, path, **{"X-Forwarded-For": "127.0.0.1"}).status_code == 401


def test_a_caller_through_a_balancer_is_never_taken_for_a_local_one(balanced_site: Nginx) -> None:
    plain = f"http://127.0.0.1:{balanced_site.plain_port}"
    for headers in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": "203.0.113.7"}):
        assert balanced_site.client.post(f"{plain}/run", headers=headers).status_code == 401
        assert balanced_site.client.get(f"{plain}/metrics", headers=headers).status_code == 403
    assert balanced_site.client.get(f"{plain}/healthz").json() == {"status": "ok"}


def test_plain_http_is_sent_to_https(site: Nginx) -> None:
    answer = site.client.get(f"http://127.0.0.1:{site.plain_port}/healthz")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{HOST}/healthz")


def test_a_stopped_bot_is_a_problem_in_json(tmp_path: Path) -> None:
    proxy = Nginx(tmp_path, free_port())
    proxy.run()
    try:
        answer = proxy.ask("GET", "/healthz")
    finally:
        proxy.run("-s", "stop")
        proxy.client.close()
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert answer.headers["Content-Type"] == "application/problem+json"


def read_unit(path: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # its documented use; mypy sees a method
    unit.read(path)
    return unit


def by_name(units: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", units, ids=lambda path: path.stem)


@by_name(PARTS)
def test_a_part_starts_a_command_that_exists(path: Path) -> None:
    program, *arguments = shlex.split(read_unit(path)["Service"]["ExecStart"])
    assert program == "/opt/tinygen/current/bin/tinygen"
    assert build_parser().parse_args(arguments).command.name == path.stem.removeprefix("tinygen-")


@by_name(UNITS)
def test_all_that_a_unit_runs_is_in_a_release(path: Path) -> None:
    service = read_unit(path)["Service"]
    for key in ("ExecStartPre", "ExecStart"):
        program = shlex.split(service.get(key, "/opt/tinygen/current/bin/tinygen"))[0].lstrip("+")
        in_release = program.removeprefix("/opt/tinygen/current/")
        assert in_release == "bin/tinygen" or os.access(ROOT / in_release, os.X_OK), program


@by_name(TIMERS)
def test_a_timer_has_its_service(path: Path) -> None:
    assert path.with_suffix(".service") in UNITS


@by_name(PARTS)
def test_systemd_waits_longer_than_a_stop_takes(path: Path) -> None:
    service = read_unit(path)["Service"]
    assert int(service["TimeoutStopSec"]) > max(defaults().drain_s, GUNICORN_GRACEFUL_S) + STOP_S
    assert service["KillMode"] == "mixed"


@by_name(PARTS)
def test_a_part_starts_again_except_where_a_setting_is_wrong(path: Path) -> None:
    service = read_unit(path)["Service"]
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("always", "2")


WRITABLE = {
    "tinygen-web": "/var/lib/tinygen /etc/tinygen/env",  # the set-up writes it
    "tinygen-worker": "/var/lib/tinygen",
    "tinygen-maintenance": "/var/lib/tinygen",
    "tinygen-backup": "/var/lib/tinygen /var/backups/tinygen",
}


@by_name([unit for unit in UNITS if unit.stem in WRITABLE])
def test_a_unit_may_write_to_its_data_alone(path: Path) -> None:
    service = read_unit(path)["Service"]
    assert (service["User"], service["NoNewPrivileges"], service["ProtectSystem"]) == (
        "tinygen",
        "yes",
        "strict",
    )
    assert service["ReadWritePaths"] == WRITABLE[path.stem]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_no_fault_with_a_script(path: Path) -> None:
    if shutil.which("shellcheck") is None:
        absent("shellcheck", "install shellcheck")
    checked = subprocess.run(["shellcheck", path], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


@by_name([*UNITS, *TIMERS, DEPLOY / "systemd" / "tinygen.target"])
def test_systemd_finds_no_fault_with_a_unit(path: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        absent("systemd-analyze", "install systemd")
    for program in ("current/bin/tinygen", "current/deploy/host/seal-settings"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
    for program in ("bin/tinygen", *(f"deploy/host/{each.name}" for each in SCRIPTS[1:])):
        (tmp_path / "current" / program).symlink_to("/bin/true")
    for unit in path.parent.glob("tinygen*"):
        (tmp_path / unit.name).write_text(
            unit.read_text().replace("/opt/tinygen/current", f"{tmp_path}/current")
        )
    verified = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / path.name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
