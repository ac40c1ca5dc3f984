"""Which review threads of a pull request are resolved. The REST API does not tell it, so this is
the one use of GraphQL.

https://docs.github.com/en/graphql/reference/objects#pullrequestreviewthread
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bot.adapters.github.client import ApiClient, ApiRequest, parse_response
from bot.adapters.github.errors import TRY_LATER, rate_limit_error
from bot.adapters.github.schemas import PAGE_ITEMS, Id
from bot.errors import OutsideError

_MAX_PAGES = 10
"""Of 100 threads each."""
_RATE_LIMIT_S = 60.0
_QUERY = """\
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


class _Pull(_Node):
    review_threads: _Threads


class _Repository(_Node):
    pull_request: _Pull


class _Data(_Node):
    repository: _Repository


class _Answer(_Node):
    data: _Data


class _Error(_Node):
    type: str = ""
    message: str = ""


class _Errors(_Node):
    """Errors come with the status 200, and with none or some of the data."""

    errors: list[_Error] = []


def fetch_resolved_threads(api: ApiClient, repo: str, number: int) -> frozenset[int]:
    """See `bot.ports.GitHub.resolved_threads`; of the first thousand threads."""
    owner, _, name = repo.partition("/")
    purpose = f"read which review threads of {repo}#{number} are resolved"
    resolved: set[int] = set()
    after: str | None = None
    for _ in range(_MAX_PAGES):
        variables = {"owner": owner, "name": name, "number": number, "after": after}
        body = {"query": _QUERY, "variables": variables}
        threads = _fetch_page(api, ApiRequest("POST", "/graphql", purpose, json=body))
        for thread in threads.nodes:
            if thread.is_resolved:
                resolved.update(comment.full_database_id for comment in thread.comments.nodes)
        after = threads.page_info.end_cursor
        if not threads.page_info.has_next_page:
            break
    return frozenset(resolved)


def _fetch_page(api: ApiClient, request: ApiRequest) -> _Threads:
    response = api.send(request)
    errors = parse_response(_Errors, request, response).errors
    if any(error.type == "RATE_LIMITED" for error in errors):
        raise rate_limit_error(request.purpose, _RATE_LIMIT_S)
    if errors:
        quote = errors[0].message[:200]
        message = f"TinyGen could not {request.purpose}: GitHub answered {quote!r}."
        raise OutsideError(message, next_step=TRY_LATER)
    answer = parse_response(_Answer, request, response)
    return answer.data.repository.pull_request.review_threads
