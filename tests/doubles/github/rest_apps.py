"""Routes about Apps: their registration, installations, tokens and webhooks."""

from __future__ import annotations

from tests.doubles.github import payloads, webhooks
from tests.doubles.github.apps import app_from_manifest
from tests.doubles.github.auth import require_app
from tests.doubles.github.refusals import Refused, not_found
from tests.doubles.github.repository import Repository
from tests.doubles.github.routing import Call, respond, route
from tests.doubles.github.state import LEVELS, App, Installation, Json, Token, iso
from tests.doubles.server import Response

TOKEN_LIFE_S = 3600


@route("GET", "/app")
def get_app(call: Call) -> Response:
    app = require_app(call.caller)
    count = sum(installation.app is app for installation in call.world.installations.values())
    return respond({**payloads.app(call.world, app), "installations_count": count})


@route("GET", "/app/installations/{id:int}")
def get_installation(call: Call) -> Response:
    return respond(payloads.installation(call.world, _installation(call)))


def _installation(call: Call) -> Installation:
    app = require_app(call.caller)
    known = call.world.installations.get(int(call.parts["id"]))
    if known is None or known.app is not app:
        raise not_found()
    return known


@route("GET", "/repos/{owner}/{repo}/installation")
def get_repo_installation(call: Call) -> Response:
    app = require_app(call.caller)
    repo = call.world.names.get(f"{call.parts['owner']}/{call.parts['repo']}".lower())
    for known in call.world.installations.values():
        if repo and known.app is app and known.covers(repo):
            return respond(payloads.installation(call.world, known))
    raise not_found()


@route("POST", "/app/installations/{id:int}/access_tokens")
def create_token(call: Call) -> Response:
    """https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app"""
    installation, world = _installation(call), call.world
    if installation.suspended:
        raise Refused(403, "This installation has been suspended")
    granted = _narrowed_permissions(installation, call.json.get("permissions"))
    chosen = _narrowed_repositories(call, installation)
    token = Token(
        world.mint("ghs_"), int(world.clock()) + TOKEN_LIFE_S, installation, None, granted, chosen
    )
    world.tokens[token.value] = token
    answer: Json = {
        "token": token.value,
        "expires_at": iso(token.expires_at_s or 0),
        "permissions": granted,
        "repository_selection": (
            "all" if (chosen or installation.repositories) is None else "selected"
        ),
    }
    if chosen is not None:
        answer["repositories"] = [payloads.repository(repo) for repo in chosen]
    return respond(answer, 201)


def _narrowed_permissions(
    installation: Installation, wanted: dict[str, str] | None
) -> dict[str, str]:
    held = {"metadata": "read", **installation.permissions}
    if not wanted:
        return held
    for name, level in wanted.items():
        if level not in LEVELS or LEVELS.index(held.get(name)) < LEVELS.index(level):
            raise Refused(422, "The permissions requested are not granted to this installation.")
    return {"metadata": "read", **wanted}


def _narrowed_repositories(call: Call, installation: Installation) -> list[Repository] | None:
    names, ids = call.json.get("repositories"), call.json.get("repository_ids")
    if not names and not ids:
        return None
    owner = installation.account.login
    chosen = [call.world.names.get(f"{owner}/{name}".lower()) for name in names or ()]
    chosen += [call.world.repositories.get(number) for number in ids or ()]
    covered = [repo for repo in chosen if repo and installation.covers(repo)]
    if len(covered) < len(chosen):
        problem = (
            "There is at least one repository that does not exist or is not accessible to the"
            " parent installation."
        )
        raise Refused(422, problem)
    return covered


@route("GET", "/app/hook/config")
def get_hook_config(call: Call) -> Response:
    return respond(_hook_config(require_app(call.caller)))


def _hook_config(app: App) -> dict[str, str]:
    config = {"url": app.webhook_url or "", "content_type": "json", "insecure_ssl": "0"}
    return {**config, "secret": "********"} if app.webhook_secret else config


@route("GET", "/app/hook/deliveries")
def list_deliveries(call: Call) -> Response:
    """Newest first, in pages that a cursor links."""
    app, query = require_app(call.caller), call.request.query
    size = min(int(query.get("per_page", 30)), 100)
    ours = [each for each in reversed(call.post.deliveries) if each.app is app and each.is_finished]
    if "cursor" in query:
        ours = [each for each in ours if each.id < int(query["cursor"])]
    headers = {}
    if len(ours) > size:
        url = f"{call.world.api_url}/app/hook/deliveries?per_page={size}&cursor={ours[size - 1].id}"
        headers["Link"] = f'<{url}>; rel="next"'
    return respond([webhooks.delivery_item(each) for each in ours[:size]], headers=headers)


@route("POST", "/app/hook/deliveries/{id:int}/attempts")
def redeliver(call: Call) -> Response:
    call.post.redeliver(_delivery(call))
    return respond({}, 202)


def _delivery(call: Call) -> webhooks.Delivery:
    app = require_app(call.caller)
    for each in call.post.deliveries:
        if each.app is app and each.id == int(call.parts["id"]):
            return each
    raise not_found()


@route("POST", "/app-manifests/{code}/conversions")
def convert_manifest(call: Call) -> Response:
    """https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest"""
    manifest = call.world.manifests.pop(call.parts["code"], None)
    if manifest is None:
        raise not_found()
    app = app_from_manifest(call.world, manifest)
    secrets = {
        "client_secret": app.client_secret,
        "webhook_secret": app.webhook_secret,
        "pem": app.private_key,
    }
    return respond({**payloads.app(call.world, app), **secrets}, 201)
