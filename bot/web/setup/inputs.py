"""What a person types into set-up, checked. Each function raises BadRequest with what to give instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from bot.config import Config, read_pem
from bot.errors import BadRequest
from bot.types.setup import APP_SETTINGS, Address, AppKeys, ModelChoice, Owner

MAX_VALUE_CHARS = 20_000
_URL = re.compile(r"(https://[^\s/?#@]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^\s?#]*)?")
_RELAY = re.compile(r"https://[^\s/?#@]+/[^\s?#]*")
_SERVER = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._/-]*)?", re.ASCII)
"""It becomes a part of a header, too."""
_LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_APP_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_WRITABLE = re.compile(rf"[ !#%-\[\]-_a-~\n]{{0,{MAX_VALUE_CHARS}}}")
r"""Values that can be written to `.env` between double quotes, and mean the same to dotenv, systemd and
the shell: printable ASCII without `"`, `$`, `\` and the backtick."""


def parse_address(text: str, relay: str = "") -> Address:
    """The address without `/webhook` and the last slash."""
    url = text.strip().rstrip("/").removesuffix("/webhook")
    if not _URL.fullmatch(url) or not _has_host(url):
        raise BadRequest(
            f"{url[:100]!r} is no address for webhooks.",
            next_step="Give one as https://bot.example.com.",
        )
    relay = relay.strip()
    if relay and not (_RELAY.fullmatch(relay) and _has_host(relay)):
        raise BadRequest(
            f"{relay[:100]!r} is no channel of a relay.",
            next_step="Give one as https://smee.io/CHANNEL, or leave it empty.",
        )
    return Address(url, relay)


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:  # a bracket that is not closed, or a port over 65535
        return False


def parse_organization(text: str) -> str:
    if not _LOGIN.fullmatch(text):
        raise BadRequest(
            f"{text[:100]!r} names no organization.",
            next_step="Give its login, as in github.com/LOGIN.",
        )
    return text


def parse_owner(organization: str, server_url: str, api_url: str) -> Owner:
    """`api_url` "": where that server has its API."""
    server = _parse_server(server_url)
    api = _parse_server(api_url) if api_url.strip() else api_url_of(server)
    organization = organization.strip()
    return Owner(server, api, parse_organization(organization) if organization else "")


def _parse_server(text: str) -> str:
    url = text.strip().rstrip("/")
    if not _SERVER.fullmatch(url) or not _has_host(url):
        raise BadRequest(
            f"{url[:100]!r} is no address of a GitHub server.",
            next_step="Give one as https://github.example.com, or leave https://github.com.",
        )
    return url


def api_url_of(server_url: str) -> str:
    """https://docs.github.com/en/enterprise-server@latest/rest/quickstart and
    https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom"""
    url = urlsplit(server_url)
    if url.hostname == "github.com" or str(url.hostname).endswith(".ghe.com"):
        return f"{url.scheme}://api.{url.netloc}"
    return f"{server_url}/api/v3"


def parse_model(key: str, base_url: str, name: str) -> ModelChoice:
    choice = ModelChoice(base_url.strip(), name.strip(), key.strip())
    if choice.base_url and not _has_host(choice.base_url):
        raise BadRequest(
            f"{choice.base_url[:100]!r} is no address of a model's server.",
            next_step="Give one as https://api.openai.com/v1.",
        )
    check_writable("OPENAI_API_KEY", choice.key)
    check_writable("OPENAI_BASE_URL", choice.base_url)
    check_writable("OPENAI_MODEL", choice.name)
    return choice


def parse_app(form: Mapping[str, str]) -> AppKeys:
    """An App that exists, as its owner has its id and keys; its page is not known yet."""
    given = {name: value.strip() for name, value in form.items()}
    if not _APP_ID.fullmatch(given.get("app_id", "")):
        raise BadRequest(
            "The App id is a number.", next_step="Copy it from the App's page, under About."
        )
    try:
        private_key = read_pem(given.get("private_key", ""))
    except ValueError as error:
        raise BadRequest(
            f"The private key {error}.",
            next_step="Give the whole .pem file that GitHub gave you, or its base64.",
        ) from None
    client_id, client_secret = given.get("client_id", ""), given.get("client_secret", "")
    if bool(client_id) != bool(client_secret):
        raise BadRequest(
            "The client id and the client secret go together.",
            next_step="Give both, or leave both empty.",
        )
    secret = given.get("webhook_secret", "")
    if not secret:
        raise BadRequest(
            "The webhook secret is empty: TinyGen takes no unsigned deliveries.",
            next_step="Set one on the App's page, under Webhook, and give it here.",
        )
    app = AppKeys(int(given["app_id"]), "", private_key, secret, client_id, client_secret)
    for name, value in app_settings(app).items():
        check_writable(name, value)
    return app


def app_settings(app: AppKeys) -> dict[str, str]:
    """The App as settings; "" for what it does not have."""
    values = (str(app.id), app.client_id, app.client_secret, app.private_key, app.webhook_secret)
    return dict(zip(APP_SETTINGS, values, strict=True))


def owner_settings(owner: Owner) -> dict[str, str]:
    """Where the App's GitHub is, if it is not github.com."""
    fields = Config.model_fields
    default = fields["github_server_url"].default, fields["github_api_url"].default
    if (owner.server_url, owner.api_url) == default:
        return {}
    return {"GITHUB_SERVER_URL": owner.server_url, "GITHUB_API_URL": owner.api_url}


def model_settings(choice: ModelChoice) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": choice.key,
        "OPENAI_BASE_URL": choice.base_url,
        "OPENAI_MODEL": choice.name,
    }


def check_writable(name: str, value: str) -> None:
    if not _WRITABLE.fullmatch(value):
        raise BadRequest(
            f"{name} is too long, or holds a character that .env cannot hold (a quote, $, a"
            " backslash, one that is not ASCII).",
            next_step="Give another value, or write it into .env by hand.",
        )
