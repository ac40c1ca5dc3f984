"""`python -m bot setup`: registers the GitHub App by GitHub's manifest flow and writes its keys to
`.env`.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest

`.env`, to which setup adds and in which it changes nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from bot.cli.output import print_line
from bot.cli.setup.manifest import fetch_new_app, read_manifest
from bot.cli.setup.page import Page
from bot.config import Config
from bot.errors import SetupError


def check_env_file(path: Path, names: tuple[str, ...]) -> None:
    """SetupError where one of the settings has a value there already, or nothing could be added."""
    values = dotenv_values(path, interpolate=False) if path.is_file() else {}
    given = [name for name in names if values.get(name)]
    if given:
        raise SetupError(
            f"{path} already sets {', '.join(given)}.",
            next_step=(
                "Setup overwrites nothing: remove what it sets for the old App, then run it again."
            ),
        )
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise SetupError(
            f"{path} cannot be written.",
            next_step="Run setup as the user that owns it, in TinyGen's directory.",
        )


def add_settings(path: Path, settings: Mapping[str, str]) -> None:
    """Adds them at the file's end, and makes it readable by its owner alone. What it holds stays as
    it is."""
    try:
        before = path.read_bytes() if path.exists() else b""
        added = "".join(f"{name}={_quoted(value)}\n" for name, value in settings.items())
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(file, "ab") as env:
            os.fchmod(env.fileno(), 0o600)
            env.write((b"" if before.endswith(b"\n") or not before else b"\n") + added.encode())
            env.flush()
            os.fsync(env.fileno())
    except OSError as error:
        raise SetupError(
            f"{path} cannot be written: {error.strerror}.",
            next_step="Mend that, then set them there by hand.",
        ) from None


def _quoted(value: str) -> str:
    r"""One line in double quotes with `\n` for newlines, which dotenv, systemd and the shell each leave usable."""
    return '"' + value.strip().replace("\n", "\\n") + '"'


ENV_FILE = Path(".env")
WAIT_S = 3600.0
"""GitHub's own bound on the three steps together."""
_WRITTEN = ("GITHUB_APP_ID", "GITHUB_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET")
_MUST_BE_ABSENT = (*_WRITTEN, "GITHUB_PRIVATE_KEY_PATH")
_API_KEYS = "TINYGEN_API_KEYS"
"""Written where there is none: without it, every user and program of this machine may call /run."""
_URL = re.compile(r"(https://[^\s/?#@]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^\s?#]*)?")
_LOGIN = re.compile(r"[A-Za-z0-9_-]+")
_ASK = """\
GitHub sends each comment to this bot, so it needs an https address that GitHub reaches: that of your host
(deploy/README.md), or of a tunnel to this machine, as `cloudflared tunnel --url http://127.0.0.1:{port}` or
`ngrok http {port}` print it. It can be changed later on the App's page.
URL: """


def setup(config: Config, options: argparse.Namespace) -> int:
    """Registers the App with a person's help; nothing is overwritten."""
    _check_absent(config)
    url = _read_url(options.url or _ask_url(config))
    manifest = read_manifest()
    key = {} if config.api_keys else {_API_KEYS: secrets.token_hex(32)}

    def finish(code: str) -> str:
        app = fetch_new_app(config, code)
        values = (str(app.id), app.pem.get_secret_value(), app.webhook_secret.get_secret_value())
        add_settings(ENV_FILE, {**dict(zip(_WRITTEN, values, strict=True)), **key})
        return f"{app.html_url}/installations/new"

    new_app_url = _new_app_url(config.github_server_url, options.organization)
    with Page(
        new_app_url, lambda redirect_url: manifest.to_post(url, redirect_url), finish
    ) as page:
        print_line(f"Open {page.url} in a browser, and confirm the App on GitHub.")
        print_line(
            f"From another machine, first: ssh -L {page.port}:127.0.0.1:{page.port} this-machine"
        )
        install_url = page.wait(WAIT_S)
    print_line(f"Wrote {', '.join((*_WRITTEN, *key))} to {ENV_FILE}.")
    print_line(f"Now install the App on your repositories: {install_url}")
    print_line("Then look whether all is well: python -m bot doctor")
    return 0


def _check_absent(config: Config) -> None:
    check_env_file(ENV_FILE, _MUST_BE_ABSENT)
    if config.github_app_id or config.github_private_key or config.github_webhook_secret:
        raise SetupError(
            f"The environment already sets one of {', '.join(_MUST_BE_ABSENT)}, and wins over"
            f" {ENV_FILE}.",
            next_step="Unset it, then run setup again.",
        )


def _ask_url(config: Config) -> str:
    if not sys.stdin.isatty():
        raise SetupError(
            "Setup does not know this bot's address.",
            next_step="Give --url https://bot.example.com.",
        )
    try:
        return input(_ASK.format(port=config.port))
    except EOFError:
        return ""


def _read_url(text: str) -> str:
    """The bot's address, without `/webhook` and the last slash."""
    text = text.strip().rstrip("/").removesuffix("/webhook")
    if not _URL.fullmatch(text):
        raise SetupError(
            f"{text[:100]!r} is no address for webhooks.",
            next_step="Give one as https://bot.example.com.",
        )
    return text


def _new_app_url(server_url: str, organization: str | None) -> str:
    if organization is None:
        return f"{server_url}/settings/apps/new"
    if not _LOGIN.fullmatch(organization):
        raise SetupError(
            f"{organization[:100]!r} names no organization.",
            next_step="Give its login, as in github.com/LOGIN.",
        )
    return f"{server_url}/organizations/{organization}/settings/apps/new"
