"""The App's manifest from `app.yml`, and the last step of GitHub's manifest flow, in which a code
is exchanged for the App's keys, once.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from bot.config import find_shipped
from bot.errors import OutsideError, SetupError, TinyGenError
from bot.thread.page_links import CALLBACK
from bot.types.setup import Address, AppKeys

MANIFEST = find_shipped("app.yml")

_WRITABLE = re.compile(r"[A-Za-z0-9 _.=+/\r\n-]{1,20000}")
"""Values that can be written to `.env` between quotes."""
_TIMEOUT_S = 20.0


class Hook(BaseModel):
    url: str
    active: bool = True


class Manifest(BaseModel):
    """Field names are GitHub's:
    https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    public: bool = False
    url: str
    hook_attributes: Hook
    callback_urls: tuple[str, ...] = ()
    default_permissions: dict[str, str]
    default_events: tuple[str, ...]

    def to_post(self, address: Address, redirect_url: str) -> dict[str, Any]:
        """The form that GitHub takes, for a bot that is reached at `address`."""
        return {
            **self.model_dump(mode="json"),
            "url": address.url,
            "hook_attributes": {"url": address.hook_url, "active": True},
            "callback_urls": [f"{address.url}{CALLBACK}"],
            "redirect_url": redirect_url,
        }


def read_manifest(path: Path = MANIFEST) -> Manifest:
    """SetupError if the file is missing or is not a manifest."""
    import yaml

    try:
        return Manifest.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise SetupError(
            f"app.yml cannot be used ({type(error).__name__}).",
            next_step="Restore the file that came with TinyGen.",
        ) from error


class NewApp(BaseModel):
    """https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest"""

    id: Annotated[int, Field(ge=0, le=2**63 - 1)]
    html_url: Annotated[str, Field(max_length=2_000, pattern=r"^https?://[!-~]+$")]
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    client_secret: SecretStr
    pem: SecretStr
    webhook_secret: SecretStr

    @field_validator("client_secret", "pem", "webhook_secret")
    @classmethod
    def _writable(cls, secret: SecretStr) -> SecretStr:
        if not _WRITABLE.fullmatch(secret.get_secret_value()):
            raise ValueError("holds what no key does")
        return secret


def fetch_new_app(api_url: str, code: str) -> AppKeys:
    """The App that was just registered, with its keys, which GitHub gives out only once."""
    from bot.adapters.github.auth import TokenCredentials
    from bot.adapters.github.client import ApiClient, ApiRequest, Transport

    transport = Transport(api_url, timeout_s=_TIMEOUT_S, sleep=time.sleep, clock=time.time)
    request = ApiRequest(
        "POST",
        f"/app-manifests/{quote(code, safe='')}/conversions",
        "get the new App's keys",
        idempotent=False,
    )
    try:
        app = ApiClient(transport, TokenCredentials(None)).read(NewApp, request)
    except TinyGenError as error:
        raise OutsideError(
            error.message,
            next_step="Delete the App that GitHub registered, if it did, and run setup again.",
        ) from None
    finally:
        transport.close()
    return AppKeys(
        app.id,
        app.html_url,
        app.pem.get_secret_value(),
        app.webhook_secret.get_secret_value(),
        app.client_id,
        app.client_secret.get_secret_value(),
    )
