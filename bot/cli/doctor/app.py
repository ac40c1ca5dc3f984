"""The checks of the GitHub App: its secret and key, and what GitHub has on record of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.cli.doctor.finding import Checkup, Finding
from bot.cli.setup.manifest import read_manifest
from bot.errors import SetupError

if TYPE_CHECKING:
    from bot.adapters.github import GitHubApp
    from bot.types.github import AppRegistration, WebhookConfig

MIN_SECRET_CHARS = 16
MAX_INSTALLATIONS = 20
"""Each costs two requests, to count its repositories."""

_LEVELS = {"read": 1, "write": 2, "admin": 3}
_OPTIONAL_PERMISSIONS = {"workflows": "write"}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_secret(checkup: Checkup) -> Iterator[Finding]:
    secret = checkup.config.github_webhook_secret
    if secret is None:
        step = "Run `python -m bot setup`, or copy it from the App's page into .env."
        raise SetupError("GITHUB_WEBHOOK_SECRET is not set.", next_step=step)
    if len(secret.get_secret_value()) < MIN_SECRET_CHARS:
        message = "It is set, but short: whoever guesses it can give orders in anybody's name."
        step = "Use 32 random characters, here and on the App's page."
        yield Finding("webhook secret", None, message, step)
    else:
        yield Finding("webhook secret", True, "It is set.")


def check_key(checkup: Checkup) -> Iterator[Finding]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    config = checkup.config
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


def check_app(checkup: Checkup) -> Iterator[Finding]:
    config = checkup.config
    if config.github_app_id is None or config.github_private_key is None:
        return
    with checkup.services.github(config) as github:
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
        if facts.installations is None:
            yield Finding("installations", None, "GitHub does not say how many there are.")
        elif facts.installations == 0:
            step = "Install the App on your repositories: on its page, under Install App."
            yield Finding("installations", False, "The App is installed nowhere.", step)
        elif checkup.is_thorough:
            yield from _check_installations(github, facts.installations)
        else:
            yield Finding("installations", True, f"{facts.installations}.")


def _check_registration(facts: AppRegistration) -> Iterator[Finding]:
    """Compares the App with app.yml."""
    manifest = read_manifest()
    yield _check_permissions(facts.permissions, manifest.default_permissions)
    missing = sorted(set(manifest.default_events) - set(facts.events))
    if missing:
        step = "Subscribe to them on the App's page, under Permissions & events."
        yield Finding("events", False, f"Missing: {', '.join(missing)}.", step)
    else:
        yield Finding("events", True, f"{', '.join(manifest.default_events)}.")


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
    return Finding("webhook", True, f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}")


def _check_installations(github: GitHubApp, count: int) -> Iterator[Finding]:
    """A line for each that is suspended, and one for all. Owners and repositories are not named."""
    found = github.fetch_installations(limit=MAX_INSTALLATIONS)
    suspended = [each for each in found if each.repositories is None]
    for each in suspended:
        message = "One is suspended: its commands are not seen, and nothing can be done there."
        step = f"Its owner unsuspends it at {each.page_url}."
        yield Finding("suspended installation", False, message, step)
    repositories = sum(each.repositories or 0 for each in found)
    looked_at = f" in the first {len(found)}" if count > len(found) else ""
    if not repositories and not suspended:
        step = "Choose repositories on the installation's page on GitHub."
        message = f"{count}, with no repository{looked_at}."
        yield Finding("installations", False, message, step)
    else:
        noun = "repository" if repositories == 1 else "repositories"
        yield Finding("installations", True, f"{count}, with {repositories} {noun}{looked_at}.")
