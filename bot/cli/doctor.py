"""`python -m bot doctor`: whether all that TinyGen needs is there, and the next step for each
fault."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.app import build_database, build_github, build_model, build_supabase, set_up_logs
from bot.cli.output import print_line
from bot.cli.setup.manifest import read_manifest
from bot.config import Config
from bot.errors import OutsideError, SetupError, TinyGenError
from bot.logs import cleaner
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
MODEL_S = 60.0
"""How long the model may take for one word: a server may have to load it first."""
MAX_WAITING_S = 60.0

_LEVELS = {"read": 1, "write": 2, "admin": 3}
_BY_CHOICE = {"workflows": "write"}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `good` None: no fault, but worth knowing."""

    subject: str
    good: bool | None
    words: str
    next_step: str = ""

    def __str__(self) -> str:
        mark = {True: "✓", False: "✗", None: "–"}[self.good]
        step = f" → {self.next_step}" if self.next_step else ""
        return " ".join(f"{mark} {self.subject}: {self.words}{step}".split())


@dataclass(frozen=True, slots=True)
class Outside:
    """How what the checks reach is made."""

    github: Callable[[Config], GitHubApp] = build_github
    model: Callable[[Config], Model] = build_model
    supabase: Callable[[Config], SupabaseStore | None] = build_supabase
    database: Callable[[Config], Database] = build_database


def doctor(config: Config, _options: argparse.Namespace) -> int:
    """Prints a line for each finding as it is made; 1 where one of them is a fault."""
    set_up_logs(config)
    clean, faults = cleaner(config.secrets()), 0
    for finding in examine(config, Outside()):
        print_line(clean(str(finding)))
        faults += finding.good is False
    print_line(f"{faults} to mend." if faults else "All is well.")
    return 1 if faults else 0


def examine(config: Config, outside: Outside) -> Iterator[Finding]:
    """Every check's findings, also where an earlier one failed."""
    import httpx

    for subject, check in _CHECKS.items():
        try:
            yield from check(config, outside)
        except TinyGenError as error:
            yield Finding(subject, False, error.message, error.next_step)
        except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
            words = f"It cannot be checked ({type(error).__name__})."
            yield Finding(
                subject, False, words, "Check its settings, and that this machine reaches it."
            )


def _secret(config: Config, _outside: Outside) -> Iterator[Finding]:
    secret = config.github_webhook_secret
    if secret is None:
        step = "Run `python -m bot setup`, or copy it from the App's page into .env."
        raise SetupError("GITHUB_WEBHOOK_SECRET is not set.", next_step=step)
    if len(secret.get_secret_value()) < MIN_SECRET_CHARS:
        words = "It is set, but short: whoever guesses it can give orders in anybody's name."
        yield Finding(
            "webhook secret", None, words, "Use 32 random characters, here and on the App's page."
        )
    else:
        yield Finding("webhook secret", True, "It is set.")


def _key(config: Config, _outside: Outside) -> Iterator[Finding]:
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


def _clock(config: Config, outside: Outside) -> Iterator[Finding]:
    import httpx

    with outside.github(config) as github:
        try:
            skew_s = github.clock_skew_s()
        except httpx.HTTPError as error:
            step = "Check GITHUB_API_URL, and that this machine reaches it."
            raise OutsideError(
                f"GitHub did not answer ({type(error).__name__}).", next_step=step
            ) from None
    words = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} GitHub's."
    if abs(skew_s) > MAX_SKEW_S:
        raise SetupError(
            words, next_step="Set this machine's clock by the network: `timedatectl set-ntp true`."
        )
    yield Finding("clock", True, words)


def _app(config: Config, outside: Outside) -> Iterator[Finding]:
    if config.github_app_id is None or config.github_private_key is None:
        return
    with outside.github(config) as github:
        try:
            facts = github.fetch_registration()
        except SetupError as error:
            step = (
                "See that GITHUB_APP_ID and the key are of one App, and the clock right; else"
                " generate a new key."
            )
            raise SetupError(error.message, next_step=step) from None
        yield Finding("App", True, f"{facts.name} ({config.github_server_url}/apps/{facts.slug}).")
        yield from _registration(facts)
        yield _hook(github.fetch_webhook_config())


def _registration(facts: AppRegistration) -> Iterator[Finding]:
    """The App compared with app.yml, and whether it is installed."""
    manifest = read_manifest()
    yield _permissions(facts.permissions, manifest.default_permissions)
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


def _permissions(held: Mapping[str, str], wanted: Mapping[str, str]) -> Finding:
    missing, extra = _beyond(wanted, held), _beyond(held, {**wanted, **_BY_CHOICE})
    if missing:
        step = (
            "Grant them on the App's page, under Permissions & events, then accept them on each"
            " installation."
        )
        return Finding("permissions", False, f"Missing: {missing}.", step)
    if extra:
        step = "Take them away on the App's page, under Permissions & events."
        return Finding("permissions", None, f"More than TinyGen uses: {extra}.", step)
    return Finding("permissions", True, f"{_beyond(held, {})}.")


def _beyond(some: Mapping[str, str], others: Mapping[str, str]) -> str:
    """What of `some` goes further than `others`, in words."""
    further = (
        name
        for name in sorted(some)
        if _LEVELS.get(some[name], 0) > _LEVELS.get(others.get(name, ""), 0)
    )
    return ", ".join(f"{name}: {some[name]}" for name in further)


def _hook(hook: WebhookConfig) -> Finding:
    url = urlsplit(hook.url)
    faults = {
        "It has no URL.": not hook.url,
        "Its deliveries are not sent as application/json.": hook.content_type != "json",
        "GitHub does not check the certificate there.": not hook.checks_tls,
        "Its deliveries are sent unencrypted.": (
            url.scheme == "http" and url.hostname not in _LOOPBACK
        ),
    }
    words = " ".join(fault for fault, is_there in faults.items() if is_there)
    if words:
        step = (
            "On the App's page, under Webhook: https://HOST/webhook, application/json, SSL"
            " verification."
        )
        return Finding("webhook", False, words, step)
    if not url.path.endswith("/webhook"):
        return Finding(
            "webhook",
            None,
            f"{url.hostname} gets it at {url.path or '/'}, TinyGen answers at /webhook.",
        )
    return Finding("webhook", True, f"{url.scheme}://{url.hostname}{url.path}")


def _model(config: Config, outside: Outside) -> Iterator[Finding]:
    if (
        config.openai_api_key is None
        and config.openai_base_url == Config.model_fields["openai_base_url"].default
    ):
        step = "Set it in .env, or set OPENAI_BASE_URL to a server that wants no key."
        raise SetupError("OPENAI_API_KEY is not set.", next_step=step)
    prompt = Prompt(
        "generate", (Message("system", "Answer with one word."), Message("user", "Say ready."))
    )
    reply = outside.model(config).ask(prompt, stop=lambda: False, deadline_s=MODEL_S)
    yield Finding("model", True, f"{reply.model} answered in {reply.seconds:.1f} s.")


def _supabase(config: Config, outside: Outside) -> Iterator[Finding]:
    store = outside.supabase(config)
    if store is None:
        yield Finding(
            "Supabase", None, "It is not set up: the request log stays in the embedded database."
        )
        return
    try:
        store.check()
    finally:
        store.close()
    yield Finding("Supabase", True, "The request log is there, with all of its columns.")


def _data_dir(config: Config, _outside: Outside) -> Iterator[Finding]:
    path = config.data_dir.resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            free_bytes = shutil.disk_usage(path).free
    except OSError as error:
        step = "Set TINYGEN_DATA_DIR to a directory that TinyGen's user may write."
        raise SetupError(f"{path} cannot be written: {error.strerror}.", next_step=step) from None
    if free_bytes < MIN_FREE_BYTES:
        words = f"{path} has {free_bytes >> 20} MB left."
        raise OutsideError(
            words, next_step="Free or add disk space: repositories are cached there."
        )
    yield Finding("data directory", True, f"{path}, {free_bytes >> 30} GB left.")


def _database(config: Config, outside: Outside) -> Iterator[Finding]:
    if (
        config.database_url is None
        and config.data_dir.exists()
        and config.data_dir.stat().st_uid != os.geteuid()
    ):
        # a file made here would be another's, and keep the bot from starting
        yield Finding(
            "database",
            None,
            "Not opened: its directory is another user's.",
            "Run this as TinyGen's user.",
        )
        return
    database = outside.database(config)
    try:
        known, waiting_s = sum(database.counts().values()), database.oldest_waiting_s()
    finally:
        database.close()
    if waiting_s > MAX_WAITING_S:
        step = (
            "Start a worker, or look at its log: `python -m bot serve`, or `python -m bot worker`."
        )
        raise SetupError(f"A job has waited {waiting_s:.0f} s for a worker.", next_step=step)
    yield Finding("database", True, f"It answers; {known} jobs known.")


def _git(_config: Config, _outside: Outside) -> Iterator[Finding]:
    step = f"Install git {MIN_GIT[0]}.{MIN_GIT[1]} or newer."
    try:
        said = subprocess.run(
            ["git", "version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        raise SetupError("git cannot be run.", next_step=step) from None
    found = re.search(r"(\d+)\.(\d+)", said)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < MIN_GIT:
        raise SetupError(f"git is too old: {version[0]}.{version[1]}.", next_step=step)
    yield Finding("git", True, f"{version[0]}.{version[1]}.")


_CHECKS: Mapping[str, Callable[[Config, Outside], Iterator[Finding]]] = {
    "webhook secret": _secret,
    "App key": _key,
    "clock": _clock,
    "App": _app,
    "model": _model,
    "Supabase": _supabase,
    "data directory": _data_dir,
    "database": _database,
    "git": _git,
}
