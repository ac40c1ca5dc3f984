"""The one GraphQL query that TinyGen sends: which review threads of a pull request are resolved.

https://docs.github.com/en/graphql/reference/objects#pullrequestreviewthread
"""

from __future__ import annotations

from tests.doubles.github.auth import check_access
from tests.doubles.github.refusals import Refused
from tests.doubles.github.repository import Repository
from tests.doubles.github.routing import Call, respond, route
from tests.doubles.github.state import Comment, Json
from tests.doubles.server import Response


@route("POST", "/graphql")
def answer(call: Call) -> Response:
    """Errors come with the status 200."""
    asked = call.json["variables"]
    assert "reviewThreads(first: 100" in call.json["query"], (
        "another question than the double was made for"
    )
    repo = call.world.names.get(f"{asked['owner']}/{asked['name']}".lower())
    try:
        if repo is None or asked["number"] not in repo.issues:
            raise Refused(404, "Could not resolve to a PullRequest.")
        check_access(call.caller, repo, ("pull_requests:read",))
    except Refused as refused:
        return respond(
            {
                "data": {"repository": None},
                "errors": [{"type": "NOT_FOUND", "message": str(refused)}],
            }
        )
    threads = _threads(repo, asked["number"], int(asked["after"] or 0))
    return respond({"data": {"repository": {"pullRequest": {"reviewThreads": threads}}}})


def _threads(repo: Repository, number: int, after: int) -> Json:
    on_lines = (
        each
        for each in list(repo.comments.values())
        if each.number == number and each.path is not None
    )
    first = [each for each in on_lines if each.in_reply_to is None]
    page = {"hasNextPage": len(first) > after + 100, "endCursor": str(after + 100)}
    return {"pageInfo": page, "nodes": [_thread(each) for each in first[after : after + 100]]}


def _thread(first: Comment) -> Json:
    return {
        "isResolved": first.is_resolved,
        "comments": {"nodes": [{"fullDatabaseId": str(first.id)}]},
    }
