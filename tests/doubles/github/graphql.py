"""The two GraphQL queries that TinyGen sends: which review threads of a pull request are resolved, and
which open pull requests close an issue.

https://docs.github.com/en/graphql/reference/objects#pullrequestreviewthread
https://docs.github.com/en/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue
"""

from __future__ import annotations

import re

from tests.doubles.github import payloads_pulls
from tests.doubles.github.auth import check_access
from tests.doubles.github.refusals import Refused
from tests.doubles.github.repository import Repository
from tests.doubles.github.routing import Call, respond, route
from tests.doubles.github.state import Comment, Json
from tests.doubles.server import Response


@route("POST", "/graphql")
def answer(call: Call) -> Response:
    """Errors come with the status 200."""
    asked, query = call.json["variables"], call.json["query"]
    is_about_issue = "closedByPullRequestsReferences(first: 20" in query
    assert is_about_issue or "reviewThreads(first: 100" in query, (
        "another question than the double was made for"
    )
    repo = call.world.names.get(f"{asked['owner']}/{asked['name']}".lower())
    try:
        if repo is None or asked["number"] not in repo.issues:
            kind = "Issue" if is_about_issue else "PullRequest"
            raise Refused(404, f"Could not resolve to a {kind}.")
        check_access(call.caller, repo, ("pull_requests:read",))
    except Refused as refused:
        return respond(
            {
                "data": {"repository": None},
                "errors": [{"type": "NOT_FOUND", "message": str(refused)}],
            }
        )
    if is_about_issue:
        nodes = _closing_pulls(repo, asked["number"])
        return respond(
            {
                "data": {
                    "repository": {"issue": {"closedByPullRequestsReferences": {"nodes": nodes}}}
                }
            }
        )
    threads = _threads(repo, asked["number"], int(asked["after"] or 0))
    return respond({"data": {"repository": {"pullRequest": {"reviewThreads": threads}}}})


def _closing_pulls(repo: Repository, number: int) -> list[Json]:
    """By the keywords in their descriptions, as far as pull requests into the default branch go."""
    closing = re.compile(
        rf"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):? #{number}\b", re.IGNORECASE
    )
    return [
        {"state": "OPEN", "url": payloads_pulls.pull_simple(repo, issue)["html_url"]}
        for issue in repo.pulls
        if issue.state == "open" and closing.search(issue.body or "")
    ]


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
