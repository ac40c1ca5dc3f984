"""The REST API: finds the route, the caller and the repository, and turns refusals into answers."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from email.utils import formatdate

from tests.doubles.github import (
    graphql,
    rest_actions,
    rest_apps,
    rest_git,
    rest_issues,
    rest_pulls,
    rest_repos,
)
from tests.doubles.github.auth import Caller, check_access, identify
from tests.doubles.github.limits import Limits
from tests.doubles.github.refusals import Refused, not_found
from tests.doubles.github.repository import Repository
from tests.doubles.github.routing import ROUTES, Call, Route, respond
from tests.doubles.github.state import World
from tests.doubles.github.webhooks import Post
from tests.doubles.server import Request, Response

MODULES = (graphql, rest_actions, rest_apps, rest_git, rest_issues, rest_pulls, rest_repos)
"""Importing them is what fills ROUTES."""
_BY_NUMBER = re.compile(r"/repositories/(\d+)(/.*)?")


def answer(world: World, post: Post, limits: Limits, request: Request) -> Response:
    caller = Caller()
    with world.lock:
        try:
            caller = identify(world, request.headers)
            if request.path != "/rate_limit":
                limits.count(caller)
            response = _dispatch(Call(world, request, caller, post, limits))
        except Refused as refused:
            response = respond(refused.json, refused.status, refused.headers)
        headers = {
            "Date": formatdate(world.clock(), usegmt=True),
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Request-Id": uuid.uuid4().hex.upper(),
            **limits.headers(caller),
        }
        return replace(response, headers={**headers, **response.headers})


def _dispatch(call: Call) -> Response:
    call.request = replace(call.request, path=_by_name(call.world, call.request.path))
    for route in ROUTES:
        match = (
            route.pattern.fullmatch(call.request.path)
            if route.method == call.request.method
            else None
        )
        if match:
            call.parts = match.groupdict()
            if route.needs:
                call.found = _repository(call, route)
            return route.handler(call)
    raise not_found()


def _by_name(world: World, path: str) -> str:
    """GitHub redirects from a former name to `/repositories/<id>`."""
    match = _BY_NUMBER.fullmatch(path)
    repo = world.repositories.get(int(match[1])) if match else None
    return f"/repos/{repo.full_name}{match[2] or ''}" if match and repo else path


def _repository(call: Call, route: Route) -> Repository:
    name = f"{call.parts['owner']}/{call.parts['repo']}"
    repo = call.world.names.get(name.lower())
    if repo is None:
        raise not_found()
    check_access(call.caller, repo, route.needs)
    if repo.full_name.lower() != name.lower():
        rest = call.request.path.removeprefix(f"/repos/{name}")
        url = f"{call.world.api_url}/repositories/{repo.id}{rest}"
        query = f"?{call.request.query_string}" if call.request.query_string else ""
        raise Refused(
            301, "Moved Permanently", headers={"Location": url + query}, extra={"url": url}
        )
    return repo
