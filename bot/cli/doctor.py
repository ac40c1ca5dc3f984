"""`python -m bot doctor`: checks that all that TinyGen needs is there, and says what to do about
each fault."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from bot.app import build_database, build_github, build_model, build_supabase, set_up_logs
from bot.cli.output import print_line
from bot.cli.setup.manifest import read_manifest
from bot.config import Config
from bot.errors import OutsideError, SetupError, TinyGenError
from bot.logs import make_redactor
from bot.types import Message, Prompt

if TYPE_CHECKING:
    from bot.adapters.database import Database
    from bot.adapters.github import GitHubApp
    from bot.adapters.github.app import AppRegistration, WebhookConfig
    from bot.adapters.supabase import SupabaseStore
    from bot.ports import Model

MAX_SKEW_S = 30.0
MIN_FREE_BYTES = 1 << 30
MIN_SECRET_CHARS = 16
MIN_GIT = (2, 38)
GIT_TIMEOUT_S = 10.0
MODEL_TIMEOUT_S = 60.0
"""For a reply of one word: a server may have to load the model first."""
MAX_JOB_WAIT_S = 60.0

_LEVELS = {"read": 1, "write": 2, "admin": 3}
_OPTIONAL_PERMISSIONS = {"workflows": "write"}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the output. `good` None: no fault, but worth knowing."""

    subject: str
    good: bool | None
    message: str
    next_step: str = ""

    def __str__(self) -> str:
        mark = {True: "✓", False: "✗", None: "–"}[self.good]
        step = f" → {self.next_step}" if self.next_step else ""
        return " ".join(f"{mark} {self.subject}: {self.message}{step}".split())


@dataclass(frozen=True, slots=True)
class Services:
    """Makes the services that the checks reach."""

    github: Callable[[Config], GitHubApp] = build_github
    model: Callable[[Config], Model] = build_model
    supabase: Callable[[Config], SupabaseStore | None] = build_supabase
    database: Callable[[Config], Database] = build_database


def doctor(config: Config, _options: argparse.Namespace) -> int:
    """Prints a line for each finding as soon as there is one. Exit status 1 if one is a fault."""
    set_up_logs(config)
    remove_secrets = make_redactor(config.secrets())
    fault_count = 0
    for finding in find_all(config, Services()):
        print_line(remove_secrets(str(finding)))
        if finding.good is False:
            fault_count += 1
    print_line(f"{fault_count} to mend." if fault_count else "All is well.")
    return 1 if fault_count else 0


def find_all(config: Config, services: Services) -> Iterator[Finding]:
    """The findings of every check, even if an earlier one failed."""
    import httpx

    for subject, check in _CHECKS.items():
        try:
            yield from check(config, services)
        except TinyGenError as error:
            yield Finding(subject, False, error.message, error.next_step)
        except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"It cannot be checked ({type(error).__name__})."
            step = "Check its settings, and that this machine reaches it."
            yield Finding(subject, False, message, step)


def _check_secret(config: Config, _services: Services) -> Iterator[Finding]:
    secret = config.github_webhook_secret
    if secret is None:
        step = "Run `python -m bot setup`, or copy it from the App's page into .env."
        raise SetupError("GITHUB_WEBHOOK_SECRET is not set.", next_step=step)
    if len(secret.get_secret_value()) < MIN_SECRET_CHARS:
        message = "It is set, but short: whoever guesses it can give orders in anybody's name."
        step = "Use 32 random characters, here and on the App's page."
        yield Finding("webhook secret", None, message, step)
    else:
        yield Finding("webhook secret", True, "It is set.")


def _check_key(config: Config, _services: Services) -> Iterator[Finding]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    given = {"GITHUB_APP_ID": config.github_app_id, "GITHUB_PRIVATE_KEY": config.github_private_key}
    missing = [name for name, value in given.items() if value is None]
    if missing or config.github_private_key is None:
        step = "Run `python -m bot setup`, or copy it from the App's page into .env."
        verb = "are" if len(missing) > 1 else "is"
        raise SetupError(f"{' and '.join(missing)} {verb} not set.", next_step=step)
    try:
        key = load_pem_private_key(
            config.github_private_key.get_secret_value().encode(), password=None
        )
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        step = "Generate a private key on the App's page, and give the whole PEM file."
        raise SetupError(
            "GITHUB_PRIVATE_KEY is no RSA private key without a passphrase.", next_step=step
        )
    yield Finding("App key", True, f"RSA, {key.key_size} bits.")


def _check_clock(config: Config, services: Services) -> Iterator[Finding]:
    import httpx

    with services.github(config) as github:
        try:
            skew_s = github.clock_skew_s()
        except httpx.HTTPError as error:
            step = "Check GITHUB_API_URL, and that this machine reaches it."
            raise OutsideError(
                f"GitHub did not answer ({type(error).__name__}).", next_step=step
            ) from None
    direction = "ahead of" if skew_s > 0 else "behind"
    message = f"{abs(skew_s):.0f} s {direction} GitHub's."
    if abs(skew_s) > MAX_SKEW_S:
        step = "Set this machine's clock by the network: `timedatectl set-ntp true`."
        raise SetupError(message, next_step=step)
    yield Finding("clock", True, message)


def _check_app(config: Config, services: Services) -> Iterator[Finding]:
    if config.github_app_id is None or config.github_private_key is None:
        return
    with services.github(config) as github:
        try:
            facts = github.fetch_registration()
        except SetupError as error:
            step = (
                "See that GITHUB_APP_ID and the key are of one App, and the clock right; else"
                " generate a new key."
            )
            raise SetupError(error.message, next_step=step) from None
        yield Finding("App", True, f"{facts.name} ({config.github_server_url}/apps/{facts.slug}).")
        yield from _check_registration(facts)
        yield _check_hook(github.fetch_webhook_config())


def _check_registration(facts: AppRegistration) -> Iterator[Finding]:
    """Compares the App with app.yml, and checks that it is installed."""
    manifest = read_manifest()
    yield _check_permissions(facts.permissions, manifest.default_permissions)
    missing = sorted(set(manifest.default_events) - set(facts.events))
    if missing:
        step = "Subscribe to them on the App's page, under Permissions & events."
        yield Finding("events", False, f"Missing: {', '.join(missing)}.", step)
    else:
        yield Finding("events", True, f"{', '.join(manifest.default_events)}.")
    if facts.installations is None:
        yield Finding("installations", None, "GitHub does not say how many there are.")
    elif facts.installations == 0:
        step = "Install the App on your repositories: on its page, under Install App."
        yield Finding("installations", False, "The App is installed nowhere.", step)
    else:
        yield Finding("installations", True, f"{facts.installations}.")


def _check_permissions(held: Mapping[str, str], wanted: Mapping[str, str]) -> Finding:
    missing = _list_beyond(wanted, held)
    extra = _list_beyond(held, {**wanted, **_OPTIONAL_PERMISSIONS})
    if missing:
        step = (
            "Grant them on the App's page, under Permissions & events, then accept them on each"
            " installation."
        )
        return Finding("permissions", False, f"Missing: {missing}.", step)
    if extra:
        step = "Take them away on the App's page, under Permissions & events."
        return Finding("permissions", None, f"More than TinyGen uses: {extra}.", step)
    everything = _list_beyond(held, {})
    return Finding("permissions", True, f"{everything}.")


def _list_beyond(held: Mapping[str, str], limit: Mapping[str, str]) -> str:
    """The permissions of `held` that `limit` does not have, or has at a lower level, as text."""
    beyond = []
    for name in sorted(held):
        if _LEVELS.get(held[name], 0) > _LEVELS.get(limit.get(name, ""), 0):
            beyond.append(f"{name}: {held[name]}")
    return ", ".join(beyond)


def _check_hook(hook: WebhookConfig) -> Finding:
    url = urlsplit(hook.url)
    faults = []
    if not hook.url:
        faults.append("It has no URL.")
    if hook.content_type != "json":
        faults.append("Its deliveries are not sent as application/json.")
    if not hook.checks_tls:
        faults.append("GitHub does not check the certificate there.")
    if url.scheme == "http" and url.hostname not in _LOOPBACK:
        faults.append("Its deliveries are sent unencrypted.")
    if faults:
        step = (
            "On the App's page, under Webhook: https://HOST/webhook, application/json, SSL"
            " verification."
        )
        return Finding("webhook", False, " ".join(faults), step)
    if not url.path.endswith("/webhook"):
        path = url.path or "/"
        message = f"{url.hostname} gets it at {path}, TinyGen answers at /webhook."
        return Finding("webhook", None, message)
    return Finding("webhook", True, f"{url.scheme}://{url.hostname}{url.path}")


def _check_model(config: Config, services: Services) -> Iterator[Finding]:
    openai_url = Config.model_fields["openai_base_url"].default
    if config.openai_api_key is None and config.openai_base_url == openai_url:
        step = "Set it in .env, or set OPENAI_BASE_URL to a server that wants no key."
        raise SetupError("OPENAI_API_KEY is not set.", next_step=step)
    yield _ask_model(config, services, "generate", "model")
    if config.scout_model is not None:
        yield _ask_model(config, services, "choose", "scout model")


def _ask_model(
    config: Config, services: Services, purpose: Literal["generate", "choose"], subject: str
) -> Finding:
    messages = (Message("system", "Answer with one word."), Message("user", "Say ready."))
    prompt = Prompt(purpose, messages)
    try:
        reply = services.model(config).ask(prompt, stop=lambda: False, deadline_s=MODEL_TIMEOUT_S)
    except TinyGenError as error:
        return Finding(subject, False, error.message, error.next_step)
    return Finding(subject, True, f"{reply.model} answered in {reply.seconds:.1f} s.")


def _check_supabase(config: Config, services: Services) -> Iterator[Finding]:
    store = services.supabase(config)
    if store is None:
        message = "It is not set up: the request log stays in the embedded database."
        yield Finding("Supabase", None, message)
        return
    try:
        store.check()
    finally:
        store.close()
    yield Finding("Supabase", True, "The request log is there, with all of its columns.")


def _check_data_dir(config: Config, _services: Services) -> Iterator[Finding]:
    path = config.data_dir.resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            free_bytes = shutil.disk_usage(path).free
    except OSError as error:
        step = "Set TINYGEN_DATA_DIR to a directory that TinyGen's user may write."
        raise SetupError(f"{path} cannot be written: {error.strerror}.", next_step=step) from None
    if free_bytes < MIN_FREE_BYTES:
        raise OutsideError(
            f"{path} has {free_bytes >> 20} MB left.",
            next_step="Free or add disk space: repositories are cached there.",
        )
    yield Finding("data directory", True, f"{path}, {free_bytes >> 30} GB left.")


def _check_database(config: Config, services: Services) -> Iterator[Finding]:
    is_local = config.database_url is None
    if is_local and config.data_dir.exists() and config.data_dir.stat().st_uid != os.geteuid():
        # A database that is made now would belong to the wrong user, and the bot could not open it.
        message = "Not opened: its directory is another user's."
        yield Finding("database", None, message, "Run this as TinyGen's user.")
        return
    database = services.database(config)
    try:
        job_count = sum(database.counts().values())
        waiting_s = database.oldest_waiting_s()
    finally:
        database.close()
    if waiting_s > MAX_JOB_WAIT_S:
        step = (
            "Start a worker, or look at its log: `python -m bot serve`, or `python -m bot worker`."
        )
        raise SetupError(f"A job has waited {waiting_s:.0f} s for a worker.", next_step=step)
    yield Finding("database", True, f"It answers; {job_count} jobs known.")


def _check_git(_config: Config, _services: Services) -> Iterator[Finding]:
    step = f"Install git {MIN_GIT[0]}.{MIN_GIT[1]} or newer."
    try:
        ended = subprocess.run(
            ["git", "version"], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        raise SetupError("git cannot be run.", next_step=step) from None
    match = re.search(r"(\d+)\.(\d+)", ended.stdout)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < MIN_GIT:
        raise SetupError(f"git is too old: {version[0]}.{version[1]}.", next_step=step)
    yield Finding("git", True, f"{version[0]}.{version[1]}.")


_CHECKS: Mapping[str, Callable[[Config, Services], Iterator[Finding]]] = {
    "webhook secret": _check_secret,
    "App key": _check_key,
    "clock": _check_clock,
    "App": _check_app,
    "model": _check_model,
    "Supabase": _check_supabase,
    "data directory": _check_data_dir,
    "database": _check_database,
    "git": _check_git,
}
