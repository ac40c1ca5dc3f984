"""The fields of GitHub's payloads that TinyGen reads; what GitHub adds or drops elsewhere breaks nothing.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from bot.core.repo_url import REPO_NAME
from bot.errors import BadRequest

Number = Annotated[int, Field(ge=0, lt=2**63)]
"""What a database takes; GitHub's own ids are far below."""


class Account(BaseModel):
    id: Number
    login: str
    type: str = "User"


class App(BaseModel):
    id: Number


class Comment(BaseModel):
    id: Number
    body: str | None
    user: Account | None
    updated_at: str = ""
    performed_via_github_app: App | None = None


class LineComment(Comment):
    path: str
    diff_hunk: str = ""
    line: int | None = None
    start_line: int | None = None
    side: str = "RIGHT"
    commit_id: str = ""
    in_reply_to_id: Number | None = None
    pull_request_review_id: Number | None = None


class Issue(BaseModel):
    number: Number
    pull_request: object = None
    title: str | None = None
    body: str | None = None
    user: Account | None = None
    updated_at: str = ""


def _repo_name(name: str) -> str:
    if not REPO_NAME.fullmatch(name):
        raise ValueError("must be owner/name")
    return name


class Repository(BaseModel):
    id: Number | None = None
    created_at: object = None
    full_name: Annotated[str, AfterValidator(_repo_name)]


class Installation(BaseModel):
    id: Number


class Earlier(BaseModel):
    words: str | None = Field(alias="from")


class CommentChanges(BaseModel):
    body: Earlier | None = None


class Event(BaseModel):
    action: str
    repository: Repository
    installation: Installation | None = None


class OnIssue(Event):
    issue: Issue


class Label(BaseModel):
    name: str


class Assignee(BaseModel):
    login: str


class AboutIssue(OnIssue):
    """What happened to an issue itself."""

    sender: Account | None = None
    label: Label | None = None
    assignee: Assignee | None = None


class OnPull(Event):
    pull_request: Issue


class Run(BaseModel):
    id: Number
    name: str | None = None
    head_branch: str | None = None
    head_sha: str = Field(pattern=r"^[0-9a-f]{40}$")
    conclusion: str | None = None
    head_repository: Repository | None = None
    pull_requests: list[Issue | None] = []


class OnRun(Event):
    workflow_run: Run


class Commented(Event):
    changes: CommentChanges | None = None
    sender: Account | None = None
    comment: Comment


class OnThread(Commented, OnIssue):
    pass


class OnLine(Commented, OnPull):
    comment: LineComment


Payload = TypeVar("Payload", bound=Event)


def read_payload(shape: type[Payload], event: str, body: bytes) -> Payload:
    """The body as `shape`. BadRequest where it is not JSON of that event's shape."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False, include_input=False)[0]["loc"])
        raise BadRequest(
            f"The payload is not an {event} of GitHub's shape (at {where or 'its start'}).",
            next_step="Send GitHub's payload unchanged.",
        ) from None
