"""The pages of GitHub's site that the manifest flow goes through, and the places where logs of
checks and attached files are kept."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlencode

from tests.doubles.github.attachments import answer_file
from tests.doubles.github.state import World
from tests.doubles.server import Request, Response

_NEW_APP = re.compile(r"(/organizations/[^/]+)?/settings/apps/new")

_STORED_LOG = re.compile(r"/stored-logs/(\d+)")


def _stored_log(world: World, request: Request, job_id: int) -> Response:
    """The address contains the credential: a request with a second one is refused, as by the real
    storage."""
    runs = (run for repo in world.repositories.values() for run in repo.runs.values())
    log = next((run.log for run in runs if run.job_id == job_id), None)
    if log is None or "Authorization" in request.headers:
        return Response(400, b"InvalidAuthenticationInfo", {})
    return Response(200, log.encode(), {"Content-Type": "text/plain; charset=utf-8"})


def answer_page(world: World, request: Request) -> Response | None:
    """The person confirms at once: the browser is sent on with the code. None: no such page.

    https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
    """
    if found := _STORED_LOG.fullmatch(request.path):
        return _stored_log(world, request, int(found[1]))
    if file := answer_file(world, request):
        return file
    if request.method != "POST" or not _NEW_APP.fullmatch(request.path):
        return None
    manifest = json.loads(parse_qs(request.body.decode())["manifest"][0])
    code = world.mint("")
    world.manifests[code] = manifest
    given = {
        "code": code,
        **({"state": request.query["state"]} if "state" in request.query else {}),
    }
    return Response(302, b"", {"Location": f"{manifest['redirect_url']}?{urlencode(given)}"})
