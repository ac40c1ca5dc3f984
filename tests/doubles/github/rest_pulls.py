"""Routes about pull requests. https://docs.github.com/en/rest/pulls/pulls"""

from __future__ import annotations

from tests.doubles.github import payloads_pulls
from tests.doubles.github.payloads_pulls import commits_between
from tests.doubles.github.refusals import Refused, invalid, not_found
from tests.doubles.github.repository import Repository
from tests.doubles.github.rest_issues import check_body
from tests.doubles.github.routing import Call, paged, respond, route
from tests.doubles.github.state import Issue
from tests.doubles.server import Response


def _pull(call: Call) -> Issue:
    if call.issue.pull is None:
        raise not_found()
    return call.issue


@route("GET", "/repos/{owner}/{repo}/pulls/{number:int}", "pull_requests:read")
def get_pull(call: Call) -> Response:
    return respond(payloads_pulls.pull(call.repo, _pull(call)))


@route("GET", "/repos/{owner}/{repo}/pulls", "pull_requests:read")
def list_pulls(call: Call) -> Response:
    query = call.request.query
    state, head, base = query.get("state", "open"), query.get("head"), query.get("base")
    found = [
        issue
        for issue in reversed(call.repo.pulls)
        if state in ("all", issue.state)
        and (not base or _base(issue) == base)
        and (not head or _head(issue) == head)
    ]
    page, headers = paged(call, found)
    return respond(
        [payloads_pulls.pull_simple(call.repo, issue) for issue in page], headers=headers
    )


def _base(issue: Issue) -> str:
    return issue.pull.base_ref if issue.pull else ""


def _head(issue: Issue) -> str:
    return f"{issue.pull.head_owner.login}:{issue.pull.head_ref}" if issue.pull else ""


@route("POST", "/repos/{owner}/{repo}/pulls", "pull_requests:write")
def create_pull(call: Call) -> Response:
    title, head, base = call.text("title"), call.text("head"), call.text("base")
    body = check_body("PullRequest", call.json.get("body") or "")
    if not title.strip():
        raise invalid("PullRequest", "missing_field", "title")
    if call.json.get("draft") and not call.repo.has_drafts:
        raise Refused(422, "Draft pull requests are not supported in this repository.")
    _check_ends(call.repo, head, base)
    issue = call.repo.open_pull(
        call.caller.actor,
        title,
        head=head,
        base=base,
        body=body,
        draft=bool(call.json.get("draft")),
        via=call.caller.via,
    )
    shown = payloads_pulls.pull(call.repo, issue)
    return respond(shown, 201, {"Location": shown["url"]})


@route("PATCH", "/repos/{owner}/{repo}/pulls/{number:int}", "pull_requests:write")
def update_pull(call: Call) -> Response:
    issue = _pull(call)
    if call.json.get("body") is not None:
        issue.body = check_body("PullRequest", call.text("body"))
    if call.json.get("state") == "closed":
        issue.state, issue.closed_at = "closed", call.world.now()
    return respond(payloads_pulls.pull(call.repo, issue))


def _check_ends(repo: Repository, head: str, base: str) -> None:
    try:
        source, branch = repo.source(head)
    except KeyError:
        raise invalid("PullRequest", "invalid", "head") from None
    new, old = source.git.branch(branch), repo.git.branch(base)
    if new is None:
        raise invalid("PullRequest", "invalid", "head")
    if old is None:
        raise invalid("PullRequest", "invalid", "base")
    label = f"{source.owner.login}:{branch}"
    if any(
        issue.state == "open" and _head(issue) == label and _base(issue) == base
        for issue in repo.pulls
    ):
        raise invalid(
            "PullRequest", "custom", message=f"A pull request already exists for {label}."
        )
    if source is repo and not commits_between(repo, old, new):
        raise invalid("PullRequest", "custom", message=f"No commits between {base} and {branch}")


@route(
    "POST", "/repos/{owner}/{repo}/pulls/{number:int}/requested_reviewers", "pull_requests:write"
)
def request_reviewers(call: Call) -> Response:
    """https://docs.github.com/en/rest/pulls/review-requests#request-reviewers-for-a-pull-request"""
    issue, logins = _pull(call), call.json.get("reviewers", [])
    if any(not call.repo.may(call.world.user(login), "write") for login in logins):
        raise Refused(422, "Reviews may only be requested from collaborators.")
    if issue.author.login in logins:
        raise Refused(422, "Review cannot be requested from pull request author.")
    issue.reviewers += [login for login in logins if login not in issue.reviewers]
    return respond(payloads_pulls.pull_simple(call.repo, issue), 201)


@route("GET", "/repos/{owner}/{repo}/pulls/{number:int}/comments", "pull_requests:read")
def list_review_comments(call: Call) -> Response:
    number = _pull(call).number
    ours = [
        each
        for each in list(call.repo.comments.values())
        if each.number == number and each.path is not None
    ]
    page, headers = paged(call, ours)
    return respond(
        [payloads_pulls.review_comment(call.repo, each) for each in page], headers=headers
    )


@route("PATCH", "/repos/{owner}/{repo}/pulls/comments/{id:int}", "pull_requests:write")
def edit_review_comment(call: Call) -> Response:
    body = check_body("PullRequestReviewComment", call.text("body"))
    call.repo.edit_comment(call.comment, body, by=call.caller.actor)
    return respond(payloads_pulls.review_comment(call.repo, call.comment))


@route(
    "POST",
    "/repos/{owner}/{repo}/pulls/{number:int}/comments/{id:int}/replies",
    "pull_requests:write",
)
def reply_to_review_comment(call: Call) -> Response:
    issue, body = _pull(call), check_body("PullRequestReviewComment", call.text("body"))
    above = call.comment
    if above.in_reply_to is not None:
        raise invalid("PullRequestReviewComment", "invalid", "in_reply_to")
    reply = call.repo.review_comment(
        issue.number,
        call.caller.actor,
        body,
        path=above.path or "",
        line=above.line or 1,
        in_reply_to=above.id,
    )
    return respond(payloads_pulls.review_comment(call.repo, reply), 201)
