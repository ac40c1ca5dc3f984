"""What the REST API does not tell: which review threads of a pull request are resolved, and which
open pull requests close an issue.

https://docs.github.com/en/graphql/reference/objects#pullrequestreviewthread
https://docs.github.com/en/graphql/reference/objects#issue (closedByPullRequestsReferences)
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bot.adapters.github.client import ApiClient, ApiRequest, parse_response
from bot.adapters.github.errors import TRY_LATER, rate_limit_error
from bot.adapters.github.schemas import PAGE_ITEMS, Id
from bot.errors import OutsideError

_MAX_PAGES = 10
"""Of 100 threads each."""
_RATE_LIMIT_S = 60.0
_THREADS = """\
query ($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { isResolved comments(first: 1) { nodes { fullDatabaseId } } }
      }
    }
  }
}
"""


_CLOSING_PULLS = """\
query ($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    issue(number: $number) {
      closedByPullRequestsReferences(first: 20, includeClosedPrs: false) { nodes { state url } }
    }
  }
}
"""
_MAX_CLOSING_PULLS = 20

T = TypeVar("T", bound=BaseModel)


class _Node(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Comment(_Node):
    full_database_id: Id


class _Comments(_Node):
    nodes: Annotated[list[_Comment], Field(max_length=1)]


class _Thread(_Node):
    is_resolved: bool
    comments: _Comments


class _PageInfo(_Node):
    has_next_page: bool
    end_cursor: Annotated[str, Field(max_length=1_000)] | None = None


class _Threads(_Node):
    page_info: _PageInfo
    nodes: Annotated[list[_Thread], Field(max_length=PAGE_ITEMS)]


class _ThreadsOfPull(_Node):
    review_threads: _Threads


class _RepositoryOfPull(_Node):
    pull_request: _ThreadsOfPull


class _PullData(_Node):
    repository: _RepositoryOfPull


class _PullAnswer(_Node):
    data: _PullData


class _ClosingPull(_Node):
    state: str
    url: Annotated[str, Field(max_length=500, pattern=r"^https?://[\w.:/-]+/pull/\d{1,18}$")]


class _ClosingPulls(_Node):
    nodes: Annotated[list[_ClosingPull], Field(max_length=_MAX_CLOSING_PULLS)]


class _PullsOfIssue(_Node):
    closed_by_pull_requests_references: _ClosingPulls


class _RepositoryOfIssue(_Node):
    issue: _PullsOfIssue


class _IssueData(_Node):
    repository: _RepositoryOfIssue


class _IssueAnswer(_Node):
    data: _IssueData


class _Error(_Node):
    type: str = ""
    message: str = ""


class _Errors(_Node):
    """Errors come with the status 200, and with none or some of the data."""

    errors: list[_Error] = []


def fetch_resolved_threads(api: ApiClient, repo: str, number: int) -> frozenset[int]:
    """See `bot.ports.GitHub.resolved_threads`; of the first thousand threads."""
    purpose = f"read which review threads of {repo}#{number} are resolved"
    resolved: set[int] = set()
    after: str | None = None
    for _ in range(_MAX_PAGES):
        request = _request(_THREADS, repo, purpose, number=number, after=after)
        threads = _ask(_PullAnswer, api, request).data.repository.pull_request.review_threads
        for thread in threads.nodes:
            if thread.is_resolved:
                resolved.update(comment.full_database_id for comment in thread.comments.nodes)
        after = threads.page_info.end_cursor
        if not threads.page_info.has_next_page:
            break
    return frozenset(resolved)


def fetch_closing_pulls(api: ApiClient, repo: str, number: int) -> tuple[str, ...]:
    """See `bot.ports.GitHub.closing_pulls`; the first twenty."""
    purpose = f"read which pull requests close {repo}#{number}"
    request = _request(_CLOSING_PULLS, repo, purpose, number=number)
    issue = _ask(_IssueAnswer, api, request).data.repository.issue
    pulls = issue.closed_by_pull_requests_references.nodes
    return tuple(pull.url for pull in pulls if pull.state == "OPEN")


def _request(query: str, repo: str, purpose: str, **variables: object) -> ApiRequest:
    owner, _, name = repo.partition("/")
    body = {"query": query, "variables": {"owner": owner, "name": name, **variables}}
    return ApiRequest("POST", "/graphql", purpose, json=body)


def _ask(kind: type[T], api: ApiClient, request: ApiRequest) -> T:
    response = api.send(request)
    errors = parse_response(_Errors, request, response).errors
    if any(error.type == "RATE_LIMITED" for error in errors):
        raise rate_limit_error(request.purpose, _RATE_LIMIT_S)
    if errors:
        quote = errors[0].message[:200]
        message = f"TinyGen could not {request.purpose}: GitHub answered {quote!r}."
        raise OutsideError(message, next_step=TRY_LATER)
    return parse_response(kind, request, response)
