"""The pages of GitHub's site that the manifest flow goes through."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlencode

from tests.doubles.github.state import World
from tests.doubles.server import Request, Response

_NEW_APP = re.compile(r"(/organizations/[^/]+)?/settings/apps/new")


def answer_page(world: World, request: Request) -> Response | None:
    """The person confirms at once: the browser is sent on with the code. None: no such page.

    https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
    """
    if request.method != "POST" or not _NEW_APP.fullmatch(request.path):
        return None
    manifest = json.loads(parse_qs(request.body.decode())["manifest"][0])
    code = world.mint("")
    world.manifests[code] = manifest
    given = {"code": code, **({"state": request.query["state"]} if "state" in request.query else {})}
    return Response(302, b"", {"Location": f"{manifest['redirect_url']}?{urlencode(given)}"})
