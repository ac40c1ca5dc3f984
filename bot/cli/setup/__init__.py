"""`python -m bot setup`: the guided set-up of `/setup`, served on this machine alone until the App is
registered.

Setup adds to `.env` and changes nothing that it holds.
https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import argparse
import sys
import time
from urllib.parse import urlsplit

from bot.app import set_up_logs
from bot.cli.output import print_line, program
from bot.cli.setup.env_file import MUST_BE_ABSENT, check_env_file, settings_file
from bot.config import Config
from bot.errors import BadRequest, SetupError, TimedOut

WAIT_S = 3600.0
"""GitHub's own limit for the steps of the manifest flow."""
_URL_QUESTION = """\
GitHub sends each comment to this bot, so it needs an https address that GitHub reaches: that of \
your host
(deploy/README.md), or of a tunnel to this machine, as \
`cloudflared tunnel --url http://127.0.0.1:{port}` or
`ngrok http {port}` print it. It can be changed later on the App's page.
URL: """


def setup(config: Config, options: argparse.Namespace) -> int:
    """Registers the App, while a person confirms it in a browser. Overwrites no setting."""
    from bot.cli.setup.process import SetupProcess
    from bot.web.setup.inputs import parse_address, parse_organization

    set_up_logs(config.model_copy(update={"log_level": "error"}))
    _check_absent(config)
    given = options.organization
    try:
        address = parse_address(options.url or _ask_url(config))
        organization = "" if given is None else parse_organization(given)
    except BadRequest as error:
        raise SetupError(error.message, next_step=error.next_step) from None
    process = SetupProcess(config, is_serving=False, address=address, organization=organization)
    started_s = time.monotonic()
    finished = process.run(_announce, WAIT_S)
    if finished is None:
        if time.monotonic() - started_s < WAIT_S:
            raise KeyboardInterrupt
        message = f"Nobody registered the App within {WAIT_S / 60:.0f} minutes."
        raise TimedOut(message, next_step=f"Run `{program()} setup` again.")
    print_line(f"Wrote {', '.join(finished.added)} to {settings_file()}.")
    print_line(f"Now install the App on your repositories: {finished.install_url}")
    print_line(f"Then look whether all is well: {program()} doctor")
    return 0


def _announce(link: str) -> None:
    port = urlsplit(link).port
    print_line(f"Open {link} in a browser, and confirm the App on GitHub.")
    print_line(f"From another machine, first: ssh -L {port}:127.0.0.1:{port} this-machine")


def _check_absent(config: Config) -> None:
    check_env_file(settings_file(), MUST_BE_ABSENT)
    if not config.waits_for_setup():
        raise SetupError(
            f"The environment already sets one of {', '.join(MUST_BE_ABSENT)}, and wins over"
            f" {settings_file()}.",
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
