"""`python -m bot setup`: registers the GitHub App by GitHub's manifest flow and writes its keys to
`.env`.

Setup adds to `.env` and changes nothing that it holds.
https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from bot.cli.output import print_line, program
from bot.cli.setup.manifest import fetch_new_app, read_manifest
from bot.cli.setup.page import Page
from bot.config import Config, service_env_file
from bot.errors import SetupError

WAIT_S = 3600.0
"""GitHub's own limit for the steps of the manifest flow."""
_WRITTEN = (
    "GITHUB_APP_ID",
    "GITHUB_CLIENT_ID",
    "GITHUB_CLIENT_SECRET",
    "GITHUB_PRIVATE_KEY",
    "GITHUB_WEBHOOK_SECRET",
)
_MUST_BE_ABSENT = (*_WRITTEN, "GITHUB_PRIVATE_KEY_PATH")
_API_KEYS = "TINYGEN_API_KEYS"
"""Added if it is not set: without it, every user and program of this machine may call /run."""
_URL = re.compile(r"(https://[^\s/?#@]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^\s?#]*)?")
_LOGIN = re.compile(r"[A-Za-z0-9_-]+")
_URL_QUESTION = """\
GitHub sends each comment to this bot, so it needs an https address that GitHub reaches: that of \
your host
(deploy/README.md), or of a tunnel to this machine, as \
`cloudflared tunnel --url http://127.0.0.1:{port}` or
`ngrok http {port}` print it. It can be changed later on the App's page.
URL: """


def setup(config: Config, options: argparse.Namespace) -> int:
    """Registers the App, while a person confirms it in a browser. Overwrites no setting."""
    env_file = service_env_file(os.environ)
    with suppress(OSError):  # the next line tells that it cannot be written
        env_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_absent(config, env_file)
    bot_url = _parse_bot_url(options.url or _ask_url(config))
    manifest = read_manifest()
    api_key = {} if config.api_keys else {_API_KEYS: secrets.token_hex(32)}

    def render_manifest(redirect_url: str) -> dict[str, Any]:
        return manifest.to_post(bot_url, redirect_url)

    def finish(code: str) -> str:
        app = fetch_new_app(config, code)
        secrets_of_app = (app.client_secret, app.pem, app.webhook_secret)
        values = (
            str(app.id),
            app.client_id,
            *(secret.get_secret_value() for secret in secrets_of_app),
        )
        add_settings(env_file, {**dict(zip(_WRITTEN, values, strict=True)), **api_key})
        return f"{app.html_url}/installations/new"

    new_app_url = _new_app_url(config.github_server_url, options.organization)
    with Page(new_app_url, render_manifest, finish) as page:
        print_line(f"Open {page.url} in a browser, and confirm the App on GitHub.")
        print_line(
            f"From another machine, first: ssh -L {page.port}:127.0.0.1:{page.port} this-machine"
        )
        install_url = page.wait(WAIT_S)
    print_line(f"Wrote {', '.join((*_WRITTEN, *api_key))} to {env_file}.")
    print_line(f"Now install the App on your repositories: {install_url}")
    print_line(f"Then look whether all is well: {program()} doctor")
    return 0


def _check_absent(config: Config, env_file: Path) -> None:
    check_env_file(env_file, _MUST_BE_ABSENT)
    if config.github_app_id or config.github_private_key or config.github_webhook_secret:
        raise SetupError(
            f"The environment already sets one of {', '.join(_MUST_BE_ABSENT)}, and wins over"
            f" {env_file}.",
            next_step="Unset it, then run setup again.",
        )


def _ask_url(config: Config) -> str:
    if not sys.stdin.isatty():
        raise SetupError(
            "Setup does not know this bot's address.",
            next_step="Give --url https://bot.example.com.",
        )
    try:
        return input(_URL_QUESTION.format(port=config.port))
    except EOFError:
        return ""


def _parse_bot_url(text: str) -> str:
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


def check_env_file(path: Path, names: tuple[str, ...]) -> None:
    """SetupError if the file already has a value for one of the settings, or cannot be written."""
    values = dotenv_values(path, interpolate=False) if path.is_file() else {}
    given = [name for name in names if values.get(name)]
    if given:
        raise SetupError(
            f"{path} already sets {', '.join(given)}.",
            next_step=(
                "Setup overwrites nothing: remove what it sets for the old App, then run it again."
            ),
        )
    written = path if path.exists() else path.absolute().parent
    if not os.access(written, os.W_OK):
        raise SetupError(
            f"{path} cannot be written.",
            next_step="Run setup as the user that owns it, in TinyGen's directory.",
        )


def add_settings(path: Path, settings: Mapping[str, str]) -> None:
    """Adds the settings at the end of the file, and makes the file readable by its owner alone.
    What it holds stays as it is."""
    try:
        before = path.read_bytes() if path.exists() else b""
        lines = "".join(f"{name}={_quote(value)}\n" for name, value in settings.items())
        if before and not before.endswith(b"\n"):
            lines = "\n" + lines
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(file, "ab") as env:
            os.fchmod(env.fileno(), 0o600)
            env.write(lines.encode())
            env.flush()
            os.fsync(env.fileno())
    except OSError as error:
        raise SetupError(
            f"{path} cannot be written: {error.strerror}.",
            next_step="Mend that, then set them there by hand.",
        ) from None


def _quote(value: str) -> str:
    r"""One line in double quotes, with `\n` for newlines: dotenv, systemd and the shell all read a
    usable key from it."""
    return '"' + value.strip().replace("\n", "\\n") + '"'
