"""GitHub's last step of the manifest flow: the code becomes the App's keys, once."""

from __future__ import annotations

import re
import time
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, Field, SecretStr, field_validator

from bot.config import Config
from bot.errors import OutsideError, TinyGenError

_WRITABLE = re.compile(r"[A-Za-z0-9 _.=+/\r\n-]{1,20000}")


class NewApp(BaseModel):
    """https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest"""

    id: Annotated[int, Field(ge=0, le=2**63 - 1)]
    html_url: Annotated[str, Field(max_length=2_000, pattern=r"^https?://[!-~]+$")]
    pem: SecretStr
    webhook_secret: SecretStr

    @field_validator("pem", "webhook_secret")
    @classmethod
    def _writable(cls, secret: SecretStr) -> SecretStr:
        """They are written to `.env`, between quotes."""
        if not _WRITABLE.fullmatch(secret.get_secret_value()):
            raise ValueError("holds what no key does")
        return secret


def fetch_new_app(config: Config, code: str) -> NewApp:
    """The App that was just registered, with its keys, which GitHub shows this once."""
    from bot.adapters.github.calls import Call, Calls, Server
    from bot.adapters.github.tokens import FixedToken

    server = Server(config.github_api_url, timeout_s=20.0, sleep=time.sleep, clock=time.time)
    call = Call(
        "POST", f"/app-manifests/{quote(code, safe='')}/conversions", "get the new App's keys", repeatable=False
    )
    try:
        return Calls(server, FixedToken(None)).read(NewApp, call)
    except TinyGenError as error:
        raise OutsideError(
            error.message, next_step="Delete the App that GitHub registered, if it did, and run setup again."
        ) from None
    finally:
        server.close()
