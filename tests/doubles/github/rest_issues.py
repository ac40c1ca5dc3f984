"""Routes about issues, their comments, and reactions."""

from __future__ import annotations

from tests.doubles.github import payloads
from tests.doubles.github.attachments import rendered
from tests.doubles.github.auth import grants
from tests.doubles.github.payloads import REACTIONS
from tests.doubles.github.refusals import Refused, invalid
from tests.doubles.github.routing import Call, paged, respond, route
from tests.doubles.github.state import Comment, Issue, Json
from tests.doubles.server import Response

LONGEST_BODY = 65_536
"""Characters."""
WRITE = ("issues:write", "pull_requests:write")
READ = ("issues:read", "pull_requests:read")


def check_body(resource: str, body: str) -> str:
    if len(body) > LONGEST_BODY:
        raise invalid(
            resource,
            "unprocessable",
            "data",
            f"Body is too long (maximum is {LONGEST_BODY} characters)",
        )
    return body


def _check_thread(call: Call) -> Issue:
    """The issue, if the App may write on it: on a pull request either permission serves, on an
    issue only its own."""
    issue, token = call.issue, call.caller.token
    if token and token.installation and not issue.pull and not grants(token, "issues:write"):
        raise Refused(403, "Resource not accessible by integration")
    return issue


@route("GET", "/repos/{owner}/{repo}/issues/{number:int}", *READ)
def get_issue(call: Call) -> Response:
    return respond(_shown(call, payloads.issue(call.repo, call.issue)))


def _shown(call: Call, shown: Json) -> Json:
    return rendered(shown) if ".full+json" in call.request.headers.get("Accept", "") else shown


@route("POST", "/repos/{owner}/{repo}/issues", "issues:write")
def create_issue(call: Call) -> Response:
    if not call.repo.has_issues:
        raise Refused(410, "Issues are disabled for this repo")
    title, body = call.text("title"), call.json.get("body")
    if not title.strip():
        raise invalid("Issue", "missing_field", "title")
    check_body("Issue", body or "")
    issue = call.repo.open_issue(call.caller.actor, title, body, via=call.caller.via)
    return respond(payloads.issue(call.repo, issue), 201)


@route("GET", "/repos/{owner}/{repo}/issues/{number:int}/comments", *READ)
def list_comments(call: Call) -> Response:
    page, headers = paged(call, call.repo.thread(call.issue.number))
    return respond(
        [_shown(call, payloads.comment(call.repo, comment)) for comment in page], headers=headers
    )


@route("POST", "/repos/{owner}/{repo}/issues/{number:int}/comments", *WRITE)
def create_comment(call: Call) -> Response:
    issue, body = _check_thread(call), _comment_body(call)
    if issue.locked:
        raise Refused(403, "Unable to create comment because issue is locked.")
    comment = call.repo.comment(issue.number, call.caller.actor, body, via=call.caller.via)
    shown = payloads.comment(call.repo, comment)
    return respond(shown, 201, {"Location": shown["url"]})


def _comment_body(call: Call) -> str:
    body = check_body("IssueComment", call.text("body"))
    if not body.strip():
        raise invalid("IssueComment", "unprocessable", "data", "Body cannot be blank")
    return body


@route("PATCH", "/repos/{owner}/{repo}/issues/comments/{id:int}", *WRITE)
def edit_comment(call: Call) -> Response:
    comment, body = _own(call), _comment_body(call)
    call.repo.edit_comment(comment, body, by=call.caller.actor)
    return respond(payloads.comment(call.repo, comment))


def _own(call: Call) -> Comment:
    """The comment, if the caller wrote it or may write to the repository, as an App with
    `issues:write` may."""
    comment, token = call.comment, call.caller.token
    if (
        token
        and token.user
        and comment.author is not token.user
        and not call.repo.may(token.user, "write")
    ):
        raise Refused(403, "Must have admin rights to Repository.")
    return comment


@route("POST", "/repos/{owner}/{repo}/issues/{number:int}/labels", *WRITE)
def add_labels(call: Call) -> Response:
    """https://docs.github.com/en/rest/issues/labels#add-labels-to-an-issue"""
    issue = _check_thread(call)
    issue.labels += [name for name in call.json.get("labels", []) if name not in issue.labels]
    return respond([payloads.label(call.repo, name) for name in issue.labels])


def _react(call: Call, to: Comment | Issue) -> Response:
    content = call.json.get("content")
    if content not in REACTIONS:
        raise invalid("Reaction", "invalid", "content", f"{content} is not a reaction")
    reaction, is_new = call.repo.react(to, call.caller.actor, content)
    return respond(payloads.reaction(call.world, reaction), 201 if is_new else 200)


@route("POST", "/repos/{owner}/{repo}/issues/comments/{id:int}/reactions", *WRITE)
def react_to_comment(call: Call) -> Response:
    return _react(call, call.comment)


@route("POST", "/repos/{owner}/{repo}/pulls/comments/{id:int}/reactions", "pull_requests:write")
def react_to_review_comment(call: Call) -> Response:
    return _react(call, call.comment)
