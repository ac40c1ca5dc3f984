"""GitHub's webhook deliveries as jobs: pure functions of headers and bytes.

The receiver verifies the signature, reads the delivery, and parses the job that it asks for.
GitHub never repeats a failed delivery by itself, so the last function chooses which to ask for
again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.errors import BadRequest
from bot.thread.commands import MAX_BODY_CHARS, is_mentioned, is_same_command, parse_command
from bot.thread.payloads import (
    SET_CONTENT_TYPE,
    Account,
    Event,
    InstallationEvent,
    Issue,
    IssueCommentEvent,
    IssueEvent,
    LineCommentEvent,
    WorkflowRunEvent,
    read_payload,
)
from bot.types import (
    Command,
    DeliveryAttempt,
    FailedCheck,
    Job,
    Removal,
    ReviewComment,
    Target,
    Triggers,
)
from bot.types.github import GHOST
from bot.types.names import OWN_BRANCH

EVENTS = ("issue_comment", "issues", "pull_request_review_comment", "workflow_run")
"""The events that the App subscribes to; app.yml has the same list."""

NO_TRIGGERS = Triggers()
MAX_NAME_CHARS = 60
MAX_TIME_CHARS = 40
MAX_HUNK_CHARS = 8_000
"""Of a longer hunk the end is kept: the commented line is there."""
_REMOVALS = (("installation", "deleted"), ("installation_repositories", "removed"))
MAX_ATTEMPTS = 5
"""A delivery that failed so often is left to the operator."""
_DELIVERY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery whose signature was verified. A job that it starts has the same id."""

    id: str
    event: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Ignored:
    """Why a delivery asks for no job, in a few words for the App's page of deliveries."""

    reason: str


def verify_signature(secret: str, body: bytes, signature: str | None) -> bool:
    """Whether `X-Hub-Signature-256` is the signature of this body. Compares in constant time.
    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(
        expected.encode(), (signature or "").encode("utf-8", "surrogateescape")
    )


def read_delivery(event: str | None, delivery_id: str | None, body: bytes) -> Delivery:
    """The delivery with the headers X-GitHub-Event and X-GitHub-Delivery. BadRequest if one is
    missing or malformed."""
    if not event or not delivery_id or not _DELIVERY_ID.fullmatch(delivery_id):
        raise BadRequest(
            "The headers X-GitHub-Event and X-GitHub-Delivery are missing or odd.",
            next_step="Let GitHub send the delivery; a proxy must pass its headers on unchanged.",
        )
    return Delivery(delivery_id, event, body)


def parse_job(
    delivery: Delivery, *, app_id: int, received_at: str, triggers: Triggers = NO_TRIGGERS
) -> Job | Ignored:
    """The job that a delivery asks for. BadRequest if the body is no payload of GitHub's."""
    event, body = delivery.event, delivery.body
    if event == "issues":
        return _parse_issue(delivery, read_payload(IssueEvent, event, body), triggers, received_at)
    if event == "workflow_run":
        return _parse_run(delivery, read_payload(WorkflowRunEvent, event, body), received_at)
    if event in ("installation", "installation_repositories"):
        return _parse_removal(delivery, received_at)
    payload: IssueCommentEvent | LineCommentEvent
    if event == "issue_comment":
        payload = read_payload(IssueCommentEvent, event, body)
    elif event == "pull_request_review_comment":
        payload = read_payload(LineCommentEvent, event, body)
    else:
        _check_json_object(body)
        return Ignored(f"the event {event[:40]!r} is not one that TinyGen acts on")
    return _parse_comment(delivery, payload, app_id, received_at)


def _parse_removal(delivery: Delivery, received_at: str) -> Job | Ignored:
    """Of repositories that the App was removed from nothing is kept."""
    try:
        payload = read_payload(InstallationEvent, delivery.event, delivery.body)
    except BadRequest:
        _check_json_object(delivery.body)
        return Ignored("the delivery names no installation")
    is_whole = delivery.event == "installation" and payload.action == "deleted"
    removed = payload.repositories_removed if payload.action == "removed" else []
    if not is_whole and not removed:
        return Ignored("of an installation, only the removal of repositories matters")
    targets = [Target(each.full_name, repository_id=each.id) for each in removed]
    removal = Removal(
        payload.installation.id,
        tuple(target.repository_key for target in targets),
        tuple(target.repo for target in targets),
    )
    target = Target("", payload.installation.id)
    job = replace(
        _job(delivery, target, Command("forget"), received_at),
        removal=removal,
        given_at=payload.installation.updated_at,
    )
    return _of_event(job, delivery.event, payload.installation.updated_at, *removal.keys)


def _check_json_object(body: bytes) -> None:
    try:
        is_object = isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise BadRequest("The body is not a JSON object.", next_step=SET_CONTENT_TYPE)


def _parse_issue(
    delivery: Delivery, payload: IssueEvent, triggers: Triggers, received_at: str
) -> Job | Ignored:
    """A label or an assignment makes the issue's own text the task."""
    issue = payload.issue
    if payload.action == "closed":
        closing = _job(delivery, _target(payload, issue), Command("withdraw"), received_at)
        closing = replace(closing, given_at=issue.updated_at)
        closing = _by(closing, payload.sender)
        return _of_event(closing, "closed", issue.updated_at, str(closing.actor_id))
    label = payload.label.name if payload.label else ""
    assignee = payload.assignee.login if payload.assignee else ""
    if not triggers.match(payload.action, label=label, assignee=assignee):
        return Ignored(
            "of an issue itself, only its closing, TinyGen's label and its assignment to TinyGen"
            " matter"
        )
    if payload.installation is None or payload.sender is None or issue.pull_request is not None:
        return Ignored("the delivery names no installation, no sender, or no issue")
    job = replace(
        _job(delivery, _target(payload, issue), Command("solve"), received_at),
        given_at=issue.updated_at,
        trigger="label" if payload.action == "labeled" else "assignment",
    )
    job = _with_asker(job, payload.sender, issue)
    return _of_event(job, payload.action, label, assignee, issue.updated_at)


def _parse_run(delivery: Delivery, payload: WorkflowRunEvent, received_at: str) -> Job | Ignored:
    """A failed check of a branch that has the form of TinyGen's. The job finds out later whether
    TinyGen made it."""
    run = payload.workflow_run
    if payload.action != "completed" or run.conclusion != "failure":
        return Ignored("of checks, only those that failed matter")
    pulls = [pull for pull in run.pull_requests or () if pull]
    if not pulls or not OWN_BRANCH.fullmatch(run.head_branch or ""):
        return Ignored("the check is not of a pull request that TinyGen opened")
    head = run.head_repository
    if head is None or head.full_name.lower() != payload.repository.full_name.lower():
        return Ignored("the check is of a fork's branch, whose logs anybody may write")
    target = replace(_target(payload, pulls[0]), is_pull=True)
    name = " ".join((run.name or "check").split())[:MAX_NAME_CHARS]
    job = replace(
        _job(delivery, target, Command("solve"), received_at),
        check=FailedCheck(run.id, name, run.head_sha, run_attempt=run.run_attempt),
        trigger="failed check",
    )
    return _of_event(job, "run", str(run.id), str(run.run_attempt))


def _parse_comment(
    delivery: Delivery,
    payload: IssueCommentEvent | LineCommentEvent,
    app_id: int,
    received_at: str,
) -> Job | Ignored:
    comment, action = payload.comment, payload.action
    if action == "deleted" and parse_command(comment.body or ""):
        deletion = _job(delivery, _comment_target(payload), Command("withdraw"), received_at)
        deletion = replace(deletion, given_at=comment.updated_at)
        return _of_event(_by(deletion, payload.sender), "deleted")
    if action not in ("created", "edited"):
        return Ignored("only comments that were created or edited are commands")
    app = comment.performed_via_github_app
    if app and app.id == app_id:
        return Ignored("the comment is TinyGen's own")
    command = _command_of(comment.body or "", action)
    if command is None:
        return Ignored("the comment holds no command")
    if action == "edited" and is_same_command(command, _command_before_edit(payload)):
        return Ignored("the comment held this command before its edit")
    # The words of an edit are the editor's, whoever wrote the comment.
    asker = payload.sender if action == "edited" else comment.user
    if payload.installation is None or asker is None:
        return Ignored("the delivery names no installation or no author")

    job = _job(delivery, _comment_target(payload), command, received_at)
    edited_of = None if comment.user == asker else _login(comment.user) or GHOST
    job = replace(job, given_at=comment.updated_at, edited_of=edited_of)
    said_by = str(asker.id)
    job = _of_event(job, action, comment.updated_at, comment.body or "", said_by)
    if isinstance(payload, IssueCommentEvent):
        return _with_asker(job, asker, payload.issue)
    job = replace(job, trigger="review", remarks=(_review_comment(payload, command),))
    return _with_asker(job, asker, payload.pull_request)


def _command_of(body: str, action: str) -> Command | None:
    """What the comment asks for. One that only names TinyGen is told how to ask, if it is new."""
    command = parse_command(body)
    if command is None and action == "created" and is_mentioned(body):
        return Command("mention")
    return command


def _command_before_edit(payload: IssueCommentEvent | LineCommentEvent) -> Command | None:
    """The command of the comment before its edit: the present one if the text was not edited."""
    changes = payload.changes
    if changes is None or changes.body is None:
        return parse_command(payload.comment.body or "")
    return parse_command(changes.body.value or "")


def _job(delivery: Delivery, target: Target, command: Command, received_at: str) -> Job:
    return Job(
        id=delivery.id,
        source="comment" if target.reply_to is None else "review_comment",
        target=target,
        command=command,
        delivery_id=delivery.id,
        received_at=received_at,
    )


def _of_event(job: Job, *what: str) -> Job:
    """The job with the key of its event: its comment, or its thread, and `what` happened there. A
    delivery that somebody captured can be sent again under another id, but is of the same event.
    Without the time of the event there is no key."""
    if not job.given_at and job.check is None:
        return job
    target = job.target
    where = (target.repository_key, job.source, target.comment_id, target.issue_number)
    said = json.dumps((*where, *what)).encode()
    return replace(job, event_key=hashlib.sha256(said).hexdigest())


def _by(job: Job, sender: Account | None) -> Job:
    """The job with the person who did what it tells of."""
    if sender is None:
        return job
    return replace(job, actor=sender.login, actor_id=sender.id, actor_is_bot=_is_bot(sender))


def _is_bot(account: Account) -> bool:
    return account.type == "Bot" or account.login.endswith("[bot]")


def _target(payload: Event, issue: Issue) -> Target:
    repository = payload.repository
    return Target(
        repo=repository.full_name,
        installation_id=payload.installation.id if payload.installation else None,
        issue_number=issue.number,
        is_pull=issue.pull_request is not None,
        repository_id=repository.id,
        repository_made_at=str(repository.created_at or "")[:MAX_TIME_CHARS],
    )


def _comment_target(payload: IssueCommentEvent | LineCommentEvent) -> Target:
    comment_id = payload.comment.id
    if isinstance(payload, IssueCommentEvent):
        return replace(_target(payload, payload.issue), comment_id=comment_id)
    return replace(
        _target(payload, payload.pull_request),
        is_pull=True,
        comment_id=comment_id,
        # GitHub has no replies to replies: all go to the first comment of the thread.
        reply_to=payload.comment.in_reply_to_id or comment_id,
    )


def _with_asker(job: Job, asker: Account, issue: Issue) -> Job:
    """The job with its asker, and the title, body and author of the issue at that time."""
    thread = None
    if issue.title is not None:
        thread = (issue.title, (issue.body or "")[:MAX_BODY_CHARS])
    return replace(_by(job, asker), thread=thread, opened_by=_login(issue.user))


def _login(user: Account | None) -> str | None:
    """The login, with `[bot]` at the end of every bot's: GitHub leaves it out of some."""
    if user is None:
        return None
    if user.type != "Bot":
        return user.login
    return f"{user.login.removesuffix('[bot]')}[bot]"


def _review_comment(payload: LineCommentEvent, command: Command) -> ReviewComment:
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


def address_of(hook_url: str) -> str:
    """The bot's address, from the URL that the App's deliveries are sent to; "" if that is another
    path than TinyGen's, such as a relay's."""
    address = hook_url.removesuffix("/webhook")
    return "" if address == hook_url else address


def find_dead(attempts: Iterable[DeliveryAttempt], limit: int = 20) -> tuple[DeliveryAttempt, ...]:
    """The newest attempt at each delivery of which no attempt succeeded, newest first. `attempts`
    are newest first too."""
    newest: dict[str, DeliveryAttempt] = {}
    taken = set()
    for attempt in attempts:
        newest.setdefault(attempt.guid, attempt)
        if 200 <= attempt.status < 300:
            taken.add(attempt.guid)
    return tuple(each for guid, each in newest.items() if guid not in taken)[:limit]


def choose_redeliveries(attempts: Iterable[DeliveryAttempt]) -> tuple[int, ...]:
    """The ids of attempts to repeat: the newest of each delivery that may hold a command and never
    arrived. An answer below 500 means that it arrived: TinyGen would refuse it again.
    https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries"""
    by_guid: dict[str, list[DeliveryAttempt]] = {}
    for attempt in attempts:
        is_command = attempt.event in EVENTS and attempt.action in (
            "created",
            "edited",
            "completed",
        )
        is_removal = (attempt.event, attempt.action) in _REMOVALS
        if is_command or is_removal:
            by_guid.setdefault(attempt.guid, []).append(attempt)
    chosen = []
    for tries in by_guid.values():
        never_arrived = all(attempt.status == 0 or attempt.status >= 500 for attempt in tries)
        if never_arrived and len(tries) < MAX_ATTEMPTS:
            chosen.append(max(attempt.id for attempt in tries))
    return tuple(chosen)
