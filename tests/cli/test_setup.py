"""Setup from end to end, with an HTTP client for the browser, and what it refuses."""

from __future__ import annotations

import argparse
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

from bot.cli.setup import setup
from bot.cli.setup.env_file import add_settings, check_env_file
from bot.cli.setup.manifest import fetch_new_app
from bot.config import Config, load_config
from bot.errors import OutsideError, SetupError
from tests import ROOT
from tests.cli.setup_site import confirm, manifest_form
from tests.doubles.github import GitHubDouble
from tests.doubles.model import ModelDouble
from tests.doubles.server import Response, Server, free_port
from tests.polling import poll

URL = "https://localhost:9"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE+/a=\nb\n-----END RSA PRIVATE KEY-----\n"
pytestmark = pytest.mark.usefixtures("restored_logs")  # the command configures them

NAMES = ("GITHUB_APP_ID", "GITHUB_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET")


def options(url: str | None = URL, organization: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(url=url, organization=organization)


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, follow_redirects=False) as client:
        yield client


def open_page(process: subprocess.Popen[str], browser: httpx.Client) -> str:
    """The page behind the link that the process prints."""
    assert process.stdout is not None
    link = process.stdout.readline().split()[1]
    page = browser.get(link)
    return browser.get(urljoin(link, page.headers["Location"])).text


class Shell:
    """`python -m bot` in a directory of its own."""

    def __init__(self, folder: Path, github: GitHubDouble, model: ModelDouble) -> None:
        self.folder = folder
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self.environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.url,
            "OPENAI_BASE_URL": model.url,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bot", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        said, complained = process.communicate(timeout=100)
        return process.returncode, said, complained


@pytest.mark.slow
def test_an_app_that_setup_registers_satisfies_the_doctor(
    tmp_path: Path, github: GitHubDouble, browser: httpx.Client
) -> None:
    (tmp_path / ".env").write_text("# mine\nOPENAI_MODEL=double-1")
    with ModelDouble(["ready", "ready"]) as model:
        shell = Shell(tmp_path, github, model)
        process = shell.start("setup", "--url", f"{URL}/", "--organization", "acme")
        page = open_page(process, browser)
        action, _manifest = manifest_form(page)
        assert urlsplit(action).path == "/organizations/acme/settings/apps/new"
        onward = browser.get(confirm(page))
        said, complained = process.communicate(timeout=60)
        assert (process.returncode, complained) == (0, "")
        assert onward.status_code == 303
        assert onward.headers["Location"] == f"{github.url}/apps/tinygen/installations/new"
        assert onward.headers["Location"] in said

        config = load_config({}, tmp_path / ".env")
        (app,) = github.world.apps.values()
        assert (config.openai_model, config.github_app_id) == ("double-1", app.id)
        assert config.github_private_key is not None
        assert config.github_private_key.get_secret_value() == app.private_key
        assert config.github_webhook_secret is not None
        assert config.github_webhook_secret.get_secret_value() == app.webhook_secret
        assert app.webhook_url == f"{URL}/webhook"
        (key,) = config.api_keys
        assert len(key.get_secret_value()) == 64
        assert "TINYGEN_API_KEYS" in said

        assert "✗ installations" in shell.run("doctor")[1]
        github.add_repository("octocat/hello")
        github.install(app, "octocat")
        status, said, complained = shell.run("doctor")
        assert (status, complained) == (1, "")
        faults = [line for line in said.splitlines() if line.startswith("✗")]
        assert [line.partition(":")[0] for line in faults] == ["✗ address"]  # nothing serves yet
        assert not any(secret in said for secret in config.secrets())


@pytest.mark.slow
def test_a_code_that_github_does_not_know_ends_setup(
    tmp_path: Path, github: GitHubDouble, browser: httpx.Client
) -> None:
    with ModelDouble([]) as model:
        process = Shell(tmp_path, github, model).start("setup", "--url", URL)
        action, manifest = manifest_form(open_page(process, browser))
        state = parse_qs(urlsplit(action).query)["state"][0]
        answer = browser.get(manifest["redirect_url"], params={"code": "../../app", "state": state})
        _said, complained = process.communicate(timeout=60)
    assert answer.status_code == 502
    assert process.returncode == 1
    assert complained.count("\n") == 1
    assert "run setup again" in complained
    assert not (tmp_path / ".env").exists()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [*NAMES, "GITHUB_PRIVATE_KEY_PATH"])
def test_a_setting_that_is_there_is_never_overwritten(here: Path, name: str) -> None:
    (here / ".env").write_text(f"{name}=1\n")
    with pytest.raises(SetupError, match=name):
        setup(Config(), options())
    assert (here / ".env").read_text() == f"{name}=1\n"


def test_a_setting_of_the_environment_would_hide_the_new_one(here: Path) -> None:
    with pytest.raises(SetupError, match="environment"):
        setup(Config.model_validate({"GITHUB_APP_ID": "7"}), options())


@pytest.mark.parametrize(
    "url",
    [
        "bot.example.com",
        "http://bot.example.com",
        "ftp://bot.example.com",
        "https://",
        "https://a b",
        "https://user:word@bot.example.com",
        "https://bot.example.com/?a=1",
        "http://localhost.example.com",
    ],
)
def test_an_address_that_github_cannot_use_is_refused(here: Path, url: str) -> None:
    with pytest.raises(SetupError, match="address"):
        setup(Config(), options(url))


def test_without_a_terminal_the_address_must_be_given(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(SetupError, match="--url"):
            setup(Config(), options(url=None))


@pytest.mark.parametrize("organization", ["", "a/b", "a?b", "../x"])
def test_an_organization_is_a_login(here: Path, organization: str) -> None:
    with pytest.raises(SetupError, match="organization"):
        setup(Config(), options(organization=organization))


def test_a_github_that_knows_no_code_gives_no_app(github: GitHubDouble) -> None:
    with pytest.raises(OutsideError, match="keys"):
        fetch_new_app(github.api_url, "never-given")


@pytest.mark.parametrize(
    "odd",
    [
        {"webhook_secret": 'a"\nTINYGEN_API_KEYS="'},
        {"webhook_secret": ""},
        {"webhook_secret": "$(id)"},
        {"pem": "a\\"},
        {"pem": "x" * 20_001},
        {"html_url": "https://github.test/a\r\nSet-Cookie: a=b"},
        {"html_url": "javascript:alert(1)"},
        {"id": 10**30},
        {"id": -1},
    ],
    ids=lambda odd: next(iter(odd)),
)
def test_keys_that_would_write_more_than_keys_are_not_taken(odd: dict[str, Any]) -> None:
    app = {
        "id": 7,
        "html_url": "https://github.test/apps/t",
        "pem": PEM,
        "webhook_secret": "5ecret",
        **odd,
    }
    with (
        Server(lambda _request: Response(201, json.dumps(app).encode())) as server,
        pytest.raises(OutsideError, match="unknown form"),
    ):
        fetch_new_app(server.url, "code")


@pytest.mark.parametrize(
    "before", ["", "# mine\nA=1\n", "# mine\nA=1", "GITHUB_APP_ID=\nA='x # y'\r\n"]
)
def test_what_env_holds_stays_as_it_is(tmp_path: Path, before: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(before.encode())
    check_env_file(path, NAMES)
    add_settings(path, dict(zip(NAMES, ("7", PEM, "5ecret"), strict=True)))
    assert path.read_bytes().startswith(before.encode())
    config = load_config({}, path)
    assert config.github_app_id == 7
    assert config.github_private_key is not None
    assert config.github_private_key.get_secret_value() == PEM
    assert len(path.read_text().splitlines()) == len(before.splitlines()) + 3


@pytest.mark.parametrize("exists", [True, False])
def test_env_is_its_owners_alone(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / ".env"
    if exists:
        path.touch(0o644)
    add_settings(path, {"GITHUB_WEBHOOK_SECRET": "5ecret"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_shell_reads_the_key_on_one_line(tmp_path: Path) -> None:
    add_settings(tmp_path / ".env", {"GITHUB_PRIVATE_KEY": PEM})
    read = 'set -e; . "$0"; printf %s "$GITHUB_PRIVATE_KEY"'
    shell = subprocess.run(
        ["bash", "-c", read, tmp_path / ".env"], capture_output=True, text=True, check=True
    )
    assert shell.stdout == PEM.strip().replace("\n", "\\n")


def test_a_place_that_cannot_be_written_is_told_before_anything_is_registered(
    tmp_path: Path,
) -> None:
    with pytest.raises(SetupError, match="cannot be written"):
        check_env_file(tmp_path / "absent" / ".env", NAMES)
    with pytest.raises(SetupError, match="cannot be written"):
        add_settings(tmp_path / "absent" / ".env", {"A": "1"})


@pytest.mark.timeout(120)
def test_serve_without_an_app_is_set_up_in_the_browser_and_goes_on_by_itself(
    tmp_path: Path, github: GitHubDouble, browser: httpx.Client
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with ModelDouble([]) as model:
        shell = Shell(tmp_path, github, model)
        shell.environment |= {"TINYGEN_PORT": str(port), "TINYGEN_START_CHECK": "false"}
        process = shell.start("serve")
        try:
            assert process.stdout is not None
            link = process.stdout.readline().split()[-1]
            assert link.startswith(f"{url}/setup?token=")
            assert browser.get(f"{url}/readyz").status_code == 503
            assert browser.get(link).status_code == 303
            form_token = re.search(
                r'name="form_token" value="(\w+)"', browser.get(f"{url}/setup").text
            )
            given = {"url": url, "form_token": form_token[1] if form_token else ""}
            assert browser.post(f"{url}/setup/address", data=given).status_code == 303
            page = browser.get(f"{url}/setup").text
            assert f"{url} leads to this TinyGen" in page
            browser.get(confirm(page))
            assert "restarts" in browser.get(f"{url}/setup").text

            assert poll(lambda: answers(browser, f"{url}/readyz"), within_s=60)
            (app,) = github.world.apps.values()
            github.install(app, "octocat")
            assert "none yet" in browser.get(f"{url}/setup").text
            assert httpx.get(f"{url}/setup", trust_env=False).status_code == 404
            delivery = github.deliver("installation", {"action": "created"})
            github.settle()
            assert delivery.status_code == 200
            assert "received" in browser.get(f"{url}/setup").text
        finally:
            process.terminate()
            _said, complained = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "level='error'" not in complained
    assert link.partition("=")[2] not in complained


def answers(browser: httpx.Client, url: str) -> bool:
    try:
        return browser.get(url).status_code == 200
    except httpx.HTTPError:
        return False
