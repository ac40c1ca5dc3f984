"""What GitHub said, and what it asks of us: pure functions of headers and bytes.

Verify, then read, then decide. Only the ten fields that TinyGen needs are read, so a payload of any
age and of GitHub Enterprise Server is understood. Payloads:
https://docs.github.com/en/webhooks/webhook-events-and-payloads

The fields of GitHub's payloads that TinyGen reads; what GitHub adds or drops elsewhere breaks
nothing.

https://docs.github.com/en/webhooks/webhook-events-and-payloads

Which deliveries GitHub should send again: it never does so by itself, and shows them as failed for
some days.

https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from bot.errors import BadRequest
from bot.thread.commands import MAX_BODY_CHARS, is_same, parse_command
from bot.types import Command, FailedCheck, Job, ReviewComment, Target, Triggers
from bot.types.names import REPO_NAME

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
        where = ".".join(
            str(part) for part in error.errors(include_url=False, include_input=False)[0]["loc"]
        )
        raise BadRequest(
            f"The payload is not an {event} of GitHub's shape (at {where or 'its start'}).",
            next_step="Send GitHub's payload unchanged.",
        ) from None


EVENTS = ("issue_comment", "issues", "pull_request_review_comment", "workflow_run")
"""The events that this App subscribes to; app.yml lists the same."""

SHUT = Triggers()
MAX_NAME_CHARS = 60
MAX_TIME_CHARS = 40
MAX_HUNK_CHARS = 8_000
"""The end of a hunk is where the remark stands."""
OWN_BRANCH = re.compile(r"tinygen/issue-(\d{1,18})-[0-9a-f]{8}")
"""The branches of TinyGen's pull requests, and the thread that each came from; see
bot.thread.render.branch_name."""
GHOST = "ghost"
"""Whom GitHub shows where an account is gone."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery whose signature was right. `id` names the job that it may start."""

    id: str
    event: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Ignored:
    """Not for us, and why, in a few words for whoever reads the App's deliveries."""

    reason: str


def verify_signature(secret: str, body: bytes, signature: str | None) -> bool:
    """Whether `X-Hub-Signature-256` is this body's, in constant time.
    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(
        expected.encode(), (signature or "").encode("utf-8", "surrogateescape")
    )


def read_delivery(event: str | None, delivery_id: str | None, body: bytes) -> Delivery:
    """The delivery that the headers X-GitHub-Event and X-GitHub-Delivery name. BadRequest says what
    is odd."""
    if not event or not delivery_id or not _ID.fullmatch(delivery_id):
        raise BadRequest(
            "The headers X-GitHub-Event and X-GitHub-Delivery are missing or odd.",
            next_step="Let GitHub send the delivery; a proxy must pass its headers on unchanged.",
        )
    return Delivery(delivery_id, event, body)


def job_for(
    delivery: Delivery, *, app_id: int, received_at: str, doors: Triggers = SHUT
) -> Job | Ignored:
    """The job that a delivery asks for. BadRequest where the body is not JSON of GitHub's shape."""
    if delivery.event not in EVENTS:
        _check_json_object(delivery.body)
        return Ignored(f"the event {delivery.event[:40]!r} is not one that TinyGen acts on")
    if delivery.event == "issues":
        issue = read_payload(AboutIssue, delivery.event, delivery.body)
        if issue.action == "closed":
            return _withdrawal(delivery, _place(issue, issue.issue), received_at)
        return _through_door(delivery, issue, doors, received_at)
    if delivery.event == "workflow_run":
        return _checked(delivery, read_payload(OnRun, delivery.event, delivery.body), received_at)
    comment = (
        read_payload(OnThread, delivery.event, delivery.body)
        if delivery.event == "issue_comment"
        else read_payload(OnLine, delivery.event, delivery.body)
    )
    if comment.action == "deleted" and parse_command(comment.comment.body or ""):
        return _withdrawal(delivery, _target(comment), received_at)
    return _commanded(delivery, comment, app_id=app_id, received_at=received_at)


def _withdrawal(delivery: Delivery, target: Target, received_at: str) -> Job:
    return Job(
        id=delivery.id,
        source="comment" if target.reply_to is None else "review_comment",
        target=target,
        command=Command("withdraw"),
        delivery_id=delivery.id,
        received_at=received_at,
    )


def _checked(delivery: Delivery, payload: OnRun, received_at: str) -> Job | Ignored:
    """A failed check of a branch that TinyGen may have made; whether it did is for the job to find
    out."""
    run = payload.workflow_run
    pull = next((pull for pull in run.pull_requests if pull), None)
    if payload.action != "completed" or run.conclusion != "failure":
        return Ignored("of checks, only those that failed matter")
    if pull is None or not OWN_BRANCH.fullmatch(run.head_branch or ""):
        return Ignored("the check is not of a pull request that TinyGen opened")
    if (
        run.head_repository is None
        or run.head_repository.full_name.lower() != payload.repository.full_name.lower()
    ):
        return Ignored("the check is of a fork's branch, whose logs anybody may write")
    return Job(
        id=delivery.id,
        source="comment",
        target=replace(_place(payload, pull), is_pull=True),
        command=Command("solve"),
        delivery_id=delivery.id,
        received_at=received_at,
        check=FailedCheck(
            run.id, " ".join((run.name or "check").split())[:MAX_NAME_CHARS], run.head_sha
        ),
        trigger="failed check",
    )


def _through_door(
    delivery: Delivery, payload: AboutIssue, doors: Triggers, received_at: str
) -> Job | Ignored:
    """The job that the issue's own text is the task of."""
    label, assignee = payload.label, payload.assignee
    said = {"label": label.name if label else "", "assignee": assignee.login if assignee else ""}
    if not doors.is_opened(payload.action, **said):
        return Ignored(
            "of an issue itself, only its closing, TinyGen's label and its assignment to TinyGen"
            " matter"
        )
    user = payload.sender
    if payload.installation is None or user is None or payload.issue.pull_request is not None:
        return Ignored("the delivery names no installation, no sender, or no issue")
    return Job(
        id=delivery.id,
        source="comment",
        target=_place(payload, payload.issue),
        command=Command("solve"),
        actor=user.login,
        actor_id=user.id,
        actor_is_bot=user.type == "Bot" or user.login.endswith("[bot]"),
        delivery_id=delivery.id,
        received_at=received_at,
        given_at=payload.issue.updated_at,
        thread=_thread(payload.issue),
        opened_by=_opener(payload.issue),
        trigger="label" if payload.action == "labeled" else "assignment",
    )


def _place(payload: Event, issue: Issue) -> Target:
    repository = payload.repository
    return Target(
        repo=repository.full_name,
        installation_id=payload.installation.id if payload.installation else None,
        issue_number=issue.number,
        is_pull=issue.pull_request is not None,
        repository_id=repository.id,
        repository_made_at=str(repository.created_at or "")[:MAX_TIME_CHARS],
    )


def _target(payload: OnThread | OnLine) -> Target:
    comment = payload.comment
    if isinstance(payload, OnThread):
        return replace(_place(payload, payload.issue), comment_id=comment.id)
    # Replies cannot be replied to: all of a thread's go to its first comment.
    first = payload.comment.in_reply_to_id or comment.id
    return replace(
        _place(payload, payload.pull_request), is_pull=True, comment_id=comment.id, reply_to=first
    )


def _commanded(
    delivery: Delivery, payload: OnThread | OnLine, *, app_id: int, received_at: str
) -> Job | Ignored:
    if payload.action not in ("created", "edited"):
        return Ignored("only comments that were created or edited are commands")
    if (
        payload.comment.performed_via_github_app
        and payload.comment.performed_via_github_app.id == app_id
    ):
        return Ignored("the comment is TinyGen's own")
    command = parse_command(payload.comment.body or "")
    if command is None:
        return Ignored("the comment holds no command")
    if payload.action == "edited" and is_same(command, _command_before(payload)):
        return Ignored("the comment held this command before its edit")
    issue = payload.issue if isinstance(payload, OnThread) else payload.pull_request
    # The words of an edit are the editor's, whoever wrote the comment.
    user = payload.sender if payload.action == "edited" else payload.comment.user
    if payload.installation is None or user is None:
        return Ignored("the delivery names no installation or no author")
    return Job(
        id=delivery.id,
        source="comment" if isinstance(payload, OnThread) else "review_comment",
        target=_target(payload),
        command=command,
        actor=user.login,
        actor_id=user.id,
        actor_is_bot=user.type == "Bot" or user.login.endswith("[bot]"),
        delivery_id=delivery.id,
        received_at=received_at,
        remarks=() if isinstance(payload, OnThread) else (_remark(payload, command),),
        given_at=payload.comment.updated_at,
        thread=_thread(issue),
        opened_by=_opener(issue),
        trigger="comment" if isinstance(payload, OnThread) else "review",
        edited_of=None if payload.comment.user == user else _login(payload.comment.user) or GHOST,
    )


def _thread(issue: Issue) -> tuple[str, str] | None:
    return None if issue.title is None else (issue.title, (issue.body or "")[:MAX_BODY_CHARS])


def _opener(issue: Issue) -> str | None:
    return _login(issue.user)


def _login(user: Account | None) -> str | None:
    """A bot's always ends in `[bot]` here, as most do at GitHub."""
    if user is None or user.type != "Bot":
        return user.login if user else None
    return f"{user.login.removesuffix('[bot]')}[bot]"


def _remark(payload: OnLine, command: Command) -> ReviewComment:
    comment = payload.comment
    return ReviewComment(
        comment_id=comment.id,
        path=comment.path,
        hunk=comment.diff_hunk[-MAX_HUNK_CHARS:],
        line=comment.line,
        start_line=comment.start_line,
        side=comment.side,
        commit_sha=comment.commit_id,
        words=command.prompt,
        review_id=comment.pull_request_review_id if payload.action == "created" else None,
    )


def _command_before(payload: Commented) -> Command | None:
    """The command that the comment held before its edit; what did not change its words left them as
    they are."""
    if payload.changes is None or payload.changes.body is None:
        return parse_command(payload.comment.body or "")
    return parse_command(payload.changes.body.words or "")


def _check_json_object(body: bytes) -> None:
    try:
        is_object = isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise BadRequest(
            "The body is not a JSON object.",
            next_step="Set the App's webhook content type to application/json.",
        )


MAX_ATTEMPTS = 5
"""What failed so often is left to the operator."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a delivery. `guid` is the delivery's id, the same for each; `status` is 0
    where none came back."""

    id: int
    guid: str
    event: str
    action: str | None
    status: int


def choose_missed(attempts: Iterable[Attempt]) -> tuple[int, ...]:
    """The attempts to repeat, one for each delivery that may hold a command and never arrived. What
    TinyGen itself refused (a status below 500) would be refused again."""
    by_guid: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.event in EVENTS and attempt.action in ("created", "edited", "completed"):
            by_guid.setdefault(attempt.guid, []).append(attempt)
    return tuple(
        max(attempt.id for attempt in tries)
        for tries in by_guid.values()
        if len(tries) < MAX_ATTEMPTS
        and all(attempt.status == 0 or attempt.status >= 500 for attempt in tries)
    )
