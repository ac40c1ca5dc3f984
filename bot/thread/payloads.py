"""The fields of GitHub's webhook payloads that TinyGen reads. Other fields may come and go, so
payloads of GitHub Enterprise Server of any version are understood.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from bot.errors import BadRequest
from bot.types.names import REPO_NAME

SET_CONTENT_TYPE = "Set the App's webhook content type to application/json."

Number = Annotated[int, Field(ge=0, lt=2**63)]
"""The range of a database's integers; GitHub's ids are far below its end."""


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
    """A comment on lines of a pull request's diff."""

    path: str
    diff_hunk: str = ""
    line: int | None = None
    start_line: int | None = None
    side: str = "RIGHT"
    commit_id: str = ""
    in_reply_to_id: Number | None = None
    pull_request_review_id: Number | None = None


class Issue(BaseModel):
    """An issue or a pull request. In an issue's payload `pull_request` tells the two apart."""

    number: Number
    pull_request: object = None
    title: str | None = None
    body: str | None = None
    user: Account | None = None
    updated_at: str = ""


def _check_repo_name(name: str) -> str:
    if not REPO_NAME.fullmatch(name):
        raise ValueError("must be owner/name")
    return name


class Repository(BaseModel):
    id: Number | None = None
    created_at: object = None
    full_name: Annotated[str, AfterValidator(_check_repo_name)]


class Installation(BaseModel):
    id: Number
    updated_at: str = ""


class OldValue(BaseModel):
    """The value of a field before an edit."""

    value: str | None = Field(alias="from")


class CommentChanges(BaseModel):
    body: OldValue | None = None


class Label(BaseModel):
    name: str


class Assignee(BaseModel):
    login: str


class WorkflowRun(BaseModel):
    id: Number
    name: str | None = None
    head_branch: str | None = None
    head_sha: str = Field(pattern=r"^[0-9a-f]{40}$")
    conclusion: str | None = None
    head_repository: Repository | None = None
    run_attempt: Number = 1
    pull_requests: list[Issue | None] | None = None


class Event(BaseModel):
    action: str
    repository: Repository
    installation: Installation | None = None


class _WithIssue(Event):
    issue: Issue


class IssueEvent(_WithIssue):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#issues"""

    sender: Account | None = None
    label: Label | None = None
    assignee: Assignee | None = None


class _WithPullRequest(Event):
    pull_request: Issue


class _WithComment(Event):
    changes: CommentChanges | None = None
    sender: Account | None = None
    comment: Comment


class IssueCommentEvent(_WithComment, _WithIssue):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment"""


class LineCommentEvent(_WithComment, _WithPullRequest):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request_review_comment"""

    comment: LineComment


class WorkflowRunEvent(Event):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_run"""

    workflow_run: WorkflowRun


class InstallationEvent(BaseModel):
    """https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation and
    #installation_repositories, which every App is sent"""

    action: str
    installation: Installation
    repositories_removed: list[Repository] = []


Payload = TypeVar("Payload", bound=BaseModel)


def read_payload(model: type[Payload], event: str, body: bytes) -> Payload:
    """The payload of a delivery. BadRequest if it is no JSON with the fields of that event."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        loc = error.errors(include_url=False, include_input=False)[0]["loc"]
    if not loc:
        raise BadRequest("The body is not a JSON object.", next_step=SET_CONTENT_TYPE)
    where = ".".join(str(part) for part in loc)
    raise BadRequest(
        f"The payload is not an {event} of GitHub's shape (at {where}).",
        next_step="Send GitHub's payload unchanged.",
    )
