"""deploy/install.sh on a fresh Debian with systemd: from nothing to /readyz, again, upgrade, a version
that does not start, the way back, a reboot."""

from __future__ import annotations

import base64
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import pytest

from tests.doubles.github import GitHubDouble
from tests.doubles.github.apps import make_key
from tests.host.machine import SOURCE, Machine, make_debian
from tests.polling import poll

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("machine")]

HOST = "bot.example.com"
SETTINGS = f"""OPENAI_API_KEY=sk-of-the-host-0123456789
OPENAI_BASE_URL=http://127.0.0.1:9/v1
GITHUB_APP_ID=1
GITHUB_PRIVATE_KEY="{make_key().replace(chr(10), chr(92) + "n")}"
GITHUB_WEBHOOK_SECRET=0123456789abcdef0123456789abcdef
GITHUB_API_URL=http://127.0.0.1:9/api/v3
GITHUB_SERVER_URL=http://127.0.0.1:9
TINYGEN_START_CHECK=false
"""
MAX_EXPOSURE = {"web": 1.5, "worker": 1.5, "maintenance": 1.5, "backup": 1.0}
"""By `systemd-analyze security`, from 0 (locked in) to 10."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machines")
    make_debian(folder / "debian")
    made = Machine(folder / "debian")
    try:
        made.boot()
        made.clone_source()
        made.write("/root/settings", SETTINGS)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def installed(machine: Machine) -> Machine:
    started_s = time.monotonic()
    said = machine.install("--domain", HOST, "--env", "/root/settings")
    print(f"install.sh: {time.monotonic() - started_s:.0f} s")
    assert f"is ready at https://{HOST}" in said.stdout
    return machine


def ask(path: str, method: str = "GET") -> httpx.Response:
    """nginx on the machine, whose certificate is its own until it has one of Let's Encrypt."""
    with httpx.Client(verify=False, trust_env=False) as client:
        return client.request(method, f"https://127.0.0.1{path}", headers={"Host": HOST})


def current(machine: Machine) -> str:
    return machine.run("readlink", "/opt/tinygen/current").stdout.strip()


@contextmanager
def another_commit(machine: Machine, files: Mapping[str, str]) -> Iterator[str]:
    """Checked out in the source meanwhile. Yields the release that runs before."""
    before = machine.run("git", "-C", SOURCE, "rev-parse", "HEAD").stdout.strip()
    machine.commit(files, "Change something")
    try:
        yield current(machine)
    finally:
        machine.run("git", "-C", SOURCE, "checkout", "-q", before)


def test_one_command_makes_a_bot_that_is_ready(installed: Machine) -> None:
    assert ask("/readyz").json() == {"status": "ready", "workers": 1}
    assert ask("/metrics").status_code == 403
    assert ask("/run", "POST").status_code == 401
    assert httpx.get("http://127.0.0.1/", headers={"Host": HOST}).status_code == 301
    for unit in (
        "tinygen.target",
        "tinygen-web",
        "tinygen-worker",
        "tinygen-backup.timer",
        "tinygen-maintenance.timer",
        "tinygen-certificate.timer",
    ):
        assert installed.is_active(unit), unit


def test_the_bot_can_change_neither_its_code_nor_its_settings(installed: Machine) -> None:
    settings = installed.root / "etc/tinygen/env"
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    assert settings.stat().st_uid == 0
    found = installed.run(
        "runuser", "-u", "tinygen", "--", "find", "/opt/tinygen", "/etc/tinygen", "-writable",
        "-not", "-type", "l",
    )  # fmt: skip
    assert found.stdout == ""
    others = installed.run("runuser", "-u", "nobody", "--", "cat", "/etc/tinygen/env", check=False)
    assert others.returncode != 0


@pytest.mark.parametrize("part", MAX_EXPOSURE)
def test_a_unit_is_as_locked_in_as_it_was(installed: Machine, part: str) -> None:
    said = installed.run("systemd-analyze", "security", "--no-pager", f"tinygen-{part}").stdout
    found = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= MAX_EXPOSURE[part]


def test_the_operators_command_runs_as_the_bots_user_with_its_settings(installed: Machine) -> None:
    said = installed.run("tinygen", "doctor", check=False)
    assert said.returncode == 1
    assert "✓ App key: RSA, 2048 bits." in said.stdout
    assert "✓ file modes: " in said.stdout
    assert "✓ database: It answers." in said.stdout
    assert "127.0.0.1:9" not in installed.run("tinygen", "jobs", "list").stderr


def test_run_again_it_changes_nothing(installed: Machine) -> None:
    before = (installed.root / "etc/tinygen/env").read_text()
    release = current(installed)
    said = installed.install()
    assert "is here already" in said.stdout
    assert f"is ready at https://{HOST}" in said.stdout
    assert (installed.root / "etc/tinygen/env").read_text() == before
    assert current(installed) == release
    assert "stays as it is" in installed.install("--env", "/etc/hostname").stdout


def test_the_timers_work_can_be_done(installed: Machine) -> None:
    installed.run("systemctl", "start", "tinygen-backup")
    copies = list((installed.root / "var/backups/tinygen").glob("tinygen-*.sqlite"))
    assert len(copies) == 1
    assert stat.S_IMODE(copies[0].stat().st_mode) == 0o600
    # There is no GitHub at that address: the daily check says so, and its unit fails.
    assert installed.run("systemctl", "start", "tinygen-maintenance", check=False).returncode != 0
    said = installed.run(
        "journalctl", "-u", "tinygen-maintenance", "-o", "cat", "--no-pager"
    ).stdout
    assert "✗ App: " in said
    installed.run("systemctl", "reset-failed", "tinygen-maintenance")
    installed.run("logrotate", "--debug", "/etc/logrotate.d/nginx")


def test_an_upgrade_and_the_way_back_are_the_same_command(installed: Machine) -> None:
    with another_commit(installed, {"docs/new.md": "A page.\n"}) as old:
        said = installed.install()
        assert "To TinyGen " in said.stdout  # upgrade --check
        assert current(installed) != old
        assert ask("/readyz").status_code == 200
    said = installed.install()
    assert "is here already" in said.stdout
    assert current(installed) == old
    assert ask("/readyz").status_code == 200


def test_a_version_that_does_not_start_is_taken_back(installed: Machine) -> None:
    broken = "def worker(config, options):\n    raise SystemExit(2)\n\n\nweb = serve = worker\n"
    with another_commit(installed, {"bot/cli/serve.py": broken}) as old:
        said = installed.install(check=False)
    assert said.returncode == 1
    assert "did not become ready" in said.stderr
    assert current(installed) == old
    assert ask("/readyz").status_code == 200


def test_settings_that_a_version_cannot_use_stop_it_before_anything_changes(
    installed: Machine,
) -> None:
    settings = installed.root / "etc/tinygen/env"
    good = settings.read_text()
    with another_commit(installed, {"docs/newer.md": "A page.\n"}) as old:
        settings.write_text(good + "TINYGEN_MODE=both\n")
        said = installed.install(check=False)
        settings.write_text(good)
    assert said.returncode == 1
    assert "TINYGEN_MODE" in said.stderr
    assert current(installed) == old
    assert installed.is_active("tinygen-web")


def test_a_site_that_nginx_does_not_take_stops_it_before_anything_changes(
    installed: Machine,
) -> None:
    site = installed.root / "etc/nginx/sites-available/tinygen.conf"
    other = installed.root / "etc/nginx/sites-enabled/other.conf"
    options = installed.root / "opt/tinygen/options"
    before = site.read_text(), options.read_text()
    with another_commit(installed, {"docs/newest.md": "A page.\n"}) as old:
        other.write_text("server { no_such_directive; }\n")
        said = installed.install("--behind-balancer", check=False)
        other.unlink()
    assert (said.returncode, "nginx does not take the site" in said.stderr) == (1, True)
    assert current(installed) == old
    assert (site.read_text(), options.read_text()) == before
    assert ask("/readyz").status_code == 200


def test_a_name_in_capitals_is_the_same_name(installed: Machine) -> None:
    site = installed.root / "etc/nginx/sites-available/tinygen.conf"
    before = site.read_text()
    installed.install("--domain", HOST.title())
    assert site.read_text() == before


def test_a_stop_of_the_target_waits_until_tinygen_has_stopped(installed: Machine) -> None:
    installed.run("systemctl", "stop", "tinygen.target")
    said = installed.run(
        "systemctl", "show", "-p", "ActiveState", "--value", "tinygen-web", "tinygen-worker"
    )
    assert said.stdout.split() == ["inactive", "inactive"]
    installed.run("systemctl", "start", "tinygen.target")
    assert poll(lambda: ask("/readyz").status_code == 200, within_s=90)


@pytest.mark.parametrize(
    ("line", "owner"),
    [
        ("GITHUB_APP_ID=1", "root"),
        ("GITHUB_APP_ID = 1", "root"),
        ('export GITHUB_APP_ID="1"', "root"),
        ('GITHUB_APP_ID=""', "tinygen"),
        ("GITHUB_APP_ID=", "tinygen"),
        ("#GITHUB_APP_ID=1", "tinygen"),
    ],
)
def test_the_settings_are_roots_once_an_app_is_set(
    installed: Machine, line: str, owner: str
) -> None:
    settings = installed.root / "etc/tinygen/env"
    good = settings.read_text()
    settings.write_text(f"{line}\n")
    try:
        installed.run("/opt/tinygen/current/deploy/host/seal-settings")
        assert installed.run("stat", "-c", "%U", "/etc/tinygen/env").stdout.strip() == owner
    finally:
        settings.write_text(good)
        installed.run("/opt/tinygen/current/deploy/host/seal-settings")


def test_work_that_is_not_committed_is_not_installed(installed: Machine) -> None:
    readme = installed.root / SOURCE.lstrip("/") / "README.md"
    readme.write_text(readme.read_text() + "More.\n")
    said = installed.install(check=False)
    installed.run("git", "-C", SOURCE, "checkout", "-q", "README.md")
    assert (said.returncode, "not committed" in said.stderr) == (1, True)


@pytest.mark.parametrize(
    "options",
    [("--domain", "a b"), ("--domain",), ("--only", "half"), ("--env", "/nowhere"), ("--fast",)],
    ids=" ".join,
)
def test_an_odd_option_changes_nothing(installed: Machine, options: tuple[str, ...]) -> None:
    before = installed.run("cat", "/opt/tinygen/options").stdout
    assert installed.install(*options, check=False).returncode == 1
    assert installed.run("cat", "/opt/tinygen/options").stdout == before


def test_without_an_app_it_prints_the_link_of_the_set_up_which_starts_it(
    installed: Machine, github: GitHubDouble
) -> None:
    app = github.add_app(webhook_secret="5ecret-of-the-app", webhook_url=f"https://{HOST}/webhook")
    github.install(app, "octocat")
    settings = installed.root / "etc/tinygen/env"
    settings.write_text(
        f"GITHUB_API_URL={github.api_url}\nGITHUB_SERVER_URL={github.url}\nTINYGEN_START_CHECK=false\n"
    )
    said = installed.install()
    found = re.search(rf"^https://{re.escape(HOST)}(/setup\?token=\S+)$", said.stdout, re.MULTILINE)
    assert found is not None, said.stdout
    with httpx.Client(
        verify=False, trust_env=False, base_url="https://127.0.0.1", timeout=60,
        headers={"Host": HOST, "Accept": "text/html", "Origin": f"https://{HOST}"},
    ) as browser:  # fmt: skip
        opened = browser.get(found[1])
        assert opened.status_code == 303
        browser.headers["Cookie"] = opened.headers["Set-Cookie"].partition(";")[0]
        token = re.search(r'name="form_token" value="(\w+)"', browser.get("/setup").text)
        assert token is not None
        given = {
            "form_token": token[1],
            "app_id": str(app.id),
            "private_key": base64.b64encode((app.private_key or "").encode()).decode(),
            "webhook_secret": "5ecret-of-the-app",
        }
        taken = browser.post("/setup/app", data=given)
        assert taken.status_code == 303, taken.text
    assert poll(lambda: ask("/readyz").status_code == 200, within_s=90)
    assert f'GITHUB_APP_ID="{app.id}"' in settings.read_text()
    assert poll(lambda: settings.stat().st_uid == 0, within_s=30)
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640


def test_it_starts_with_the_machine(installed: Machine) -> None:
    installed.stop()
    installed.boot()
    installed.run(
        "timeout", "60", "sh", "-c",
        "until curl -fsS -o /dev/null http://127.0.0.1:8000/readyz; do sleep 0.5; done",
    )  # fmt: skip
    assert ask("/readyz").status_code == 200
