"""Finds the function that answers a request; also error answers in GitHub's form, and pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode

from tests.doubles.github.auth import Caller
from tests.doubles.github.limits import Limits
from tests.doubles.github.refusals import Refused, not_found
from tests.doubles.github.repository import Repository
from tests.doubles.github.state import Comment, Issue, Json, World
from tests.doubles.github.webhooks import Post
from tests.doubles.server import Request, Response

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    world: World
    request: Request
    caller: Caller
    post: Post
    limits: Limits
    parts: dict[str, str] = field(default_factory=dict)
    """What the route's pattern caught."""
    found: Repository | None = None

    @property
    def repo(self) -> Repository:
        assert self.found is not None, "the route names no repository"
        return self.found

    @property
    def json(self) -> Json:
        """The body as an object; an empty body is an empty object."""
        try:
            body = json.loads(self.request.body or b"{}")
        except ValueError:
            raise Refused(400, "Problems parsing JSON") from None
        if not isinstance(body, dict):
            raise Refused(400, "Body should be a JSON object")
        return body

    def text(self, name: str) -> str:
        """A string that the body must have."""
        value = self.json.get(name)
        if not isinstance(value, str):
            raise Refused(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        return value

    @property
    def issue(self) -> Issue:
        issue = self.repo.issues.get(int(self.parts["number"]))
        if issue is None:
            raise not_found()
        return issue

    @property
    def comment(self) -> Comment:
        comment = self.repo.comments.get(int(self.parts["id"]))
        if comment is None or (comment.path is not None) != ("/pulls/" in self.request.path):
            raise not_found()
        return comment


Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """`needs` is an App's permission and level, such as `issues:write`; several are
    alternatives."""

    method: str
    pattern: re.Pattern[str]
    needs: tuple[str, ...]
    handler: Handler


ROUTES: list[Route] = []


def route(method: str, template: str, *needs: str) -> Callable[[Handler], Handler]:
    """`{name}` catches a segment, `{name:int}` digits, `{name:path}` segments."""
    kinds = {"": "[^/]+", "int": r"\d{1,18}", "path": ".+"}

    def catch(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{kinds[match[3] or '']})"

    pattern = re.compile(re.sub(r"\{(\w+)(:(\w+))?\}", catch, template))

    def add(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, needs, handler))
        return handler

    return add


def respond(
    json_value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    body = b"" if status == 204 else json.dumps(json_value).encode()
    return Response(
        status, body, {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    )


def paged(call: Call, items: Sequence[T]) -> tuple[Sequence[T], dict[str, str]]:
    """The page that was asked for, and the `Link` header that leads on.

    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    query = call.request.query
    size = min(_number(query.get("per_page"), 30), 100)
    number = _number(query.get("page"), 1)
    last = max(1, -(-len(items) // size))
    targets = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    wanted = {
        rel: n
        for rel, n in targets.items()
        if (rel in ("prev", "first") and number > 1) or n > number
    }
    url = f"{call.world.api_url}{call.request.path}"
    links = [
        f'<{url}?{urlencode({**query, "page": n})}>; rel="{rel}"'
        for rel, n in wanted.items()
        if 1 <= n <= last
    ]
    return items[(number - 1) * size : number * size], {"Link": ", ".join(links)} if links else {}


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) > 0 else default
