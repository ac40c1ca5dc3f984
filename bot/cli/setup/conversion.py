"""GitHub's last step of the manifest flow: the code becomes the App's keys, once."""

from __future__ import annotations

import time
from urllib.parse import quote

from pydantic import BaseModel, SecretStr

from bot.config import Config
from bot.errors import OutsideError, TinyGenError


class NewApp(BaseModel):
    """https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest"""

    id: int
    html_url: str
    pem: SecretStr
    webhook_secret: SecretStr


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
