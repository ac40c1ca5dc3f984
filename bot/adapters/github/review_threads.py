"""Which threads of a pull request's reviews are resolved: the one thing asked for that the REST API
does not tell.

https://docs.github.com/en/graphql/reference/objects#pullrequestreviewthread
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bot.adapters.github.calls import Call, Calls, checked
from bot.adapters.github.errors import TRY_LATER, limit_error
from bot.adapters.github.shapes import PAGE_ITEMS, Id
from bot.errors import OutsideError

_PAGES = 10
"""Of 100 threads each."""
_LIMIT_WAIT_S = 60.0
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


class _Found(_Node):
    repository: _Repository


class _Error(_Node):
    type: str = ""
    message: str = ""


class _Answer(_Node):
    data: _Found


class _Faults(_Node):
    """They come with the status 200, and with no part of what was asked for, or some."""

    errors: list[_Error] = []


def resolved_threads(calls: Calls, repo: str, number: int) -> frozenset[int]:
    """See `bot.ports.GitHub.resolved_threads`; of the first thousand."""
    owner, _, name = repo.partition("/")
    doing = f"read which review threads of {repo}#{number} are resolved"
    found: set[int] = set()
    after: str | None = None
    for _ in range(_PAGES):
        variables = {"owner": owner, "name": name, "number": number, "after": after}
        threads = _read(
            calls, Call("POST", "/graphql", doing, json={"query": _QUERY, "variables": variables})
        )
        resolved = (thread.comments.nodes[:1] for thread in threads.nodes if thread.is_resolved)
        found.update(comment.full_database_id for first in resolved for comment in first)
        after = threads.page_info.end_cursor
        if not threads.page_info.has_next_page:
            break
    return frozenset(found)


def _read(calls: Calls, call: Call) -> _Threads:
    response = calls.send(call)
    faults = checked(_Faults, call, response).errors
    if any(fault.type == "RATE_LIMITED" for fault in faults):
        raise limit_error(call.doing, _LIMIT_WAIT_S)
    if faults:
        said = faults[0].message[:200]
        raise OutsideError(
            f"TinyGen could not {call.doing}: GitHub answered {said!r}.", next_step=TRY_LATER
        )
    return checked(_Answer, call, response).data.repository.pull_request.review_threads
