"""The pages of GitHub's site on which a person lets an App act in their name.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from tests.doubles.github.state import App, SignInCode, Token, World
from tests.doubles.server import Request, Response


def answer_sign_in(world: World, request: Request) -> Response | None:
    """None: no such page."""
    if (request.method, request.path) == ("GET", "/login/oauth/authorize"):
        return _authorize(world, request.query)
    if (request.method, request.path) == ("POST", "/login/oauth/access_token"):
        return _exchange(world, dict(parse_qsl(request.body.decode())))
    return None


def _authorize(world: World, asked: Mapping[str, str]) -> Response:
    """Whoever sits at the browser confirms at once, or denies it."""
    app = _app_of(world, asked.get("client_id"))
    if app is None:
        return Response(404, b"Not Found", {})
    given = {"state": asked["state"]} if "state" in asked else {}
    if world.at_browser is None:
        given["error"] = "access_denied"
    else:
        assert asked.get("code_challenge_method") == "S256"
        given["code"] = world.mint("")
        world.sign_in_codes[given["code"]] = SignInCode(
            world.at_browser, app, asked["redirect_uri"], asked["code_challenge"]
        )
    return Response(302, b"", {"Location": f"{asked['redirect_uri']}?{urlencode(given)}"})


def _exchange(world: World, asked: dict[str, str]) -> Response:
    """A code counts once. GitHub answers errors with the status 200."""
    app = _app_of(world, asked.get("client_id"))
    if app is None or asked.get("client_secret") != app.client_secret:
        return _json({"error": "incorrect_client_credentials"})
    code = world.sign_in_codes.pop(asked.get("code", ""), None)
    if code is None or code.app is not app:
        return _json({"error": "bad_verification_code"})
    if asked.get("redirect_uri") != code.redirect_uri:
        return _json({"error": "redirect_uri_mismatch"})
    digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
    if base64.urlsafe_b64encode(digest).decode().rstrip("=") != code.challenge:
        return _json({"error": "bad_verification_code"})
    token = Token(world.mint("ghu_"), user=code.user, expires_at_s=world.clock() + 8 * 3600)
    world.tokens[token.value] = token
    return _json({"access_token": token.value, "token_type": "bearer", "scope": ""})


def _app_of(world: World, client_id: str | None) -> App | None:
    return next((app for app in world.apps.values() if app.client_id == client_id), None)


def _json(value: object) -> Response:
    return Response(200, json.dumps(value).encode(), {"Content-Type": "application/json"})
