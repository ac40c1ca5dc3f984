"""Registers Apps in the double."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.doubles.github.state import App, Json, User, World

DEFAULT_PERMISSIONS = {
    "actions": "read",
    "contents": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
}
"""Those that TinyGen's manifest asks for."""
DEFAULT_EVENTS = ("issue_comment", "pull_request_review_comment")


@cache
def make_key() -> str:
    """A private RSA key as PEM: the same one throughout a process, since making one takes a tenth
    of a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


@cache
def public_part(pem: str) -> str:
    """The public key, of a private or public one."""
    if "PRIVATE" not in pem:
        return pem
    key = serialization.load_pem_private_key(pem.encode(), password=None).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def register(world: World, app_id: int, slug: str, key: str, settings: Json) -> App:
    """An App and its bot user. `settings` are named as in a manifest: `default_permissions`,
    `default_events`, `hook_attributes`, `name`; and `webhook_secret`."""
    bot = User(next(world.ids), f"{slug}[bot]", "Bot")
    world.users[bot.login.lower()] = bot
    app = App(
        id=app_id,
        slug=slug,
        owner=world.user(settings.get("owner", "octocat")),
        bot=bot,
        public_key=public_part(key),
        private_key=key if "PRIVATE" in key else None,
        permissions=dict(settings.get("default_permissions") or DEFAULT_PERMISSIONS),
        events=list(settings.get("default_events", DEFAULT_EVENTS)),
        webhook_url=settings.get("hook_attributes", {}).get("url"),
        webhook_secret=settings.get("webhook_secret"),
        created_at=world.now(),
        name=settings.get("name", slug),
    )
    world.apps[app_id] = app
    return app


def app_from_manifest(world: World, manifest: Json) -> App:
    """https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest"""
    name = manifest["name"]
    settings = {**manifest, "webhook_secret": world.mint("")}
    return register(world, next(world.ids), name.lower().replace(" ", "-"), make_key(), settings)
