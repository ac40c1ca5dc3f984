"""Webhook deliveries: signatures, the jobs that they ask for, and redelivery."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.errors import BadRequest
from bot.thread.webhooks import (
    MAX_ATTEMPTS,
    Delivery,
    Ignored,
    address_of,
    choose_redeliveries,
    find_dead,
    parse_job,
    read_delivery,
    verify_signature,
)
from bot.types import Command, DeliveryAttempt, FailedCheck, Job, ReviewComment, Target, Triggers
from bot.types.serialization import JOB

APP_ID = 12345


def payload(**changes: Any) -> dict[str, Any]:
    """The fields of an issue_comment that are read."""
    return {
        "action": "created",
        "comment": {
            "id": 7,
            "body": "/tinygen fix",
            "user": {"id": 1, "login": "octocat", "type": "User"},
        },
        "issue": {"number": 3},
        "repository": {"full_name": "octocat/hello"},
        "installation": {"id": 99},
        **changes,
    }


def ask(body: object, event: str = "issue_comment") -> Job | Ignored:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_job(
        Delivery("d-1", event, content),
        app_id=APP_ID,
        received_at="now",
        triggers=Triggers("tinygen", "tinygen[bot]"),
    )


def accepted(body: object, event: str = "issue_comment") -> Job:
    job = ask(body, event)
    assert isinstance(job, Job)
    return job


def test_githubs_own_example_of_a_signature_is_right() -> None:
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert verify_signature("It's a Secret to Everybody", b"Hello, World!", signature)


@pytest.mark.parametrize(
    "signature", [None, "", "sha256=", "sha1=757107ea", "sha256=" + "0" * 64, "\udcff"]
)
def test_any_other_signature_is_wrong(signature: str | None) -> None:
    assert not verify_signature("secret", b"Hello, World!", signature)


def test_a_command_becomes_a_job_named_by_its_delivery() -> None:
    assert ask(payload()) == Job(
        id="d-1",
        source="comment",
        target=Target("octocat/hello", 99, 3, is_pull=False, comment_id=7),
        command=Command("solve", "fix"),
        actor="octocat",
        actor_id=1,
        delivery_id="d-1",
        received_at="now",
    )


def test_the_thread_is_kept_as_it_stood_when_the_command_was_given() -> None:
    words = {
        "id": 7,
        "body": "/tinygen fix",
        "user": {"id": 1, "login": "ada"},
        "updated_at": "2026-11-22T12:00:00Z",
    }
    job = accepted(payload(comment=words, issue={"number": 3, "title": "Broken", "body": None}))
    assert (job.given_at, job.thread) == ("2026-11-22T12:00:00Z", ("Broken", ""))


def test_a_pull_request_is_told_from_an_issue() -> None:
    job = accepted(payload(issue={"number": 3, "pull_request": {"url": "x"}}))
    assert job.target.is_pull


def test_a_deleted_command_takes_back_what_its_comment_asked_for() -> None:
    assert ask(payload(action="deleted")) == Job(
        id="d-1",
        source="comment",
        target=Target("octocat/hello", 99, 3, comment_id=7),
        command=Command("withdraw"),
        delivery_id="d-1",
        received_at="now",
    )


def test_an_event_has_one_key_whichever_delivery_tells_of_it() -> None:
    def key(delivery_id: str = "d-1", **parts: Any) -> str:
        body = json.dumps(payload(**parts)).encode()
        job = parse_job(Delivery(delivery_id, "issue_comment", body), app_id=1, received_at="now")
        assert isinstance(job, Job)
        return job.event_key

    first = {"id": 7, "body": "/tinygen fix", "user": {"id": 1, "login": "ada"}, "updated_at": "t1"}
    assert key(comment=first) == key("d-2", comment=first)
    others = [{**first, "id": 8}, {**first, "updated_at": "t2"}, {**first, "body": "/tinygen mend"}]
    keys = {key(comment=each) for each in (first, *others)}
    assert len({*keys, key(comment=first, action="deleted")}) == 5


def test_a_closed_issue_takes_back_all_that_was_asked_in_it() -> None:
    job = accepted(payload(action="closed"), event="issues")
    assert (job.command.verb, job.target.issue_number, job.target.comment_id) == (
        "withdraw",
        3,
        None,
    )


def test_a_bots_command_is_known_as_a_bots() -> None:
    bot = {"id": 2, "login": "other[bot]", "type": "Bot"}
    job = accepted(payload(comment={"id": 7, "body": "/tinygen x", "user": bot}))
    assert job.actor_is_bot


@pytest.mark.parametrize(
    "before", ["fix", "> /tinygen fix", "/tinygen break", "/tinygen --pr fix", None]
)
def test_an_edit_that_makes_a_command_is_its_editors(before: str | None) -> None:
    editor = {"id": 5, "login": "mona", "type": "User"}
    job = accepted(payload(action="edited", changes={"body": {"from": before}}, sender=editor))
    assert (job.command, job.actor, job.actor_id) == (Command("solve", "fix"), "mona", 5)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (payload(action="pinned"), "created or edited"),
        (payload(action="edited", changes={}), "before its edit"),
        (
            payload(action="edited", changes={"body": {"from": "/tinygen  fix\n"}}),
            "before its edit",
        ),
        (payload(action="edited", changes={"body": {"from": "x"}}), "no author"),
        (payload(comment={"id": 7, "body": "hi", "user": None}), "no command"),
        (payload(comment={"id": 7, "body": None, "user": None}), "no command"),
        (payload(comment={"id": 7, "body": "/tinygen x", "user": None}), "no author"),
        (payload(installation=None), "no installation"),
        (
            payload(
                comment={
                    "id": 7,
                    "body": "/tinygen",
                    "user": None,
                    "performed_via_github_app": {"id": APP_ID},
                }
            ),
            "TinyGen's own",
        ),
    ],
)
def test_what_is_not_for_us_is_ignored_with_the_reason(body: dict[str, Any], reason: str) -> None:
    asked = ask(body)
    assert isinstance(asked, Ignored)
    assert reason in asked.reason


def test_other_events_are_ignored_by_name() -> None:
    assert "'push'" in getattr(ask({}, "push"), "reason", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b"{",
        b"\xff\xfe{}",
        b"null",
        b'{"action": 1}',
        b"[" * 100_000,
        payload(issue={"number": "x"}),
    ],
)
@pytest.mark.parametrize("event", ["issue_comment"])
def test_what_is_not_of_githubs_shape_is_a_bad_request(body: object, event: str) -> None:
    with pytest.raises(BadRequest):
        ask(body, event)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_a_bad_request_for_every_event(body: bytes) -> None:
    with pytest.raises(BadRequest):
        ask(body, "ping")


@pytest.mark.parametrize("name", ["../x", "a/b/c", "a b/c", ""])
def test_a_repository_has_a_repositorys_name(name: str) -> None:
    with pytest.raises(BadRequest):
        ask(payload(repository={"full_name": name}))


@pytest.mark.parametrize(
    ("event", "delivery_id"),
    [(None, "a"), ("push", None), ("", "a"), ("push", "a b"), ("push", "x" * 65)],
)
def test_the_headers_name_event_and_delivery(event: str | None, delivery_id: str | None) -> None:
    with pytest.raises(BadRequest):
        read_delivery(event, delivery_id, b"{}")


RUN = {
    "id": 5,
    "name": "CI\n and   more",
    "head_branch": "tinygen/issue-3-0123abcd",
    "head_sha": "a" * 40,
    "conclusion": "failure",
    "pull_requests": [{"number": 4}],
    "head_repository": {"full_name": "octocat/hello"},
}


def checked(**changes: Any) -> dict[str, Any]:
    return payload(action="completed", workflow_run={**RUN, **changes})


def test_a_failed_check_of_a_branch_of_ours_is_a_job_without_an_actor() -> None:
    job = accepted(checked(), "workflow_run")
    assert (job.target.issue_number, job.target.is_pull, job.actor) == (4, True, None)
    assert (job.check, job.trigger) == (FailedCheck(5, "CI and more", "a" * 40), "failed check")


@pytest.mark.parametrize(
    "changes",
    [
        {"conclusion": "success"},
        {"head_branch": "topic"},
        {"head_branch": None},
        {"pull_requests": []},
    ],
)
def test_other_checks_are_ignored(changes: dict[str, Any]) -> None:
    assert isinstance(ask(checked(**changes), "workflow_run"), Ignored)


@pytest.mark.parametrize(
    "head", [{"full_name": "mallory/hello"}, {"full_name": "octocat/hello-2"}, None]
)
def test_a_check_of_a_forks_branch_is_ignored(head: object) -> None:
    """Whatever it calls its branch, and though GitHub may name a pull request."""
    ignored = ask(checked(head_repository=head), "workflow_run")
    assert isinstance(ignored, Ignored)
    assert "fork" in ignored.reason


@pytest.mark.parametrize(
    ("user", "login"),
    [
        ({"id": 1, "login": "ada"}, "ada"),
        ({"id": 2, "login": "renovate[bot]", "type": "Bot"}, "renovate[bot]"),
        ({"id": 2, "login": "Copilot", "type": "Bot"}, "Copilot[bot]"),
        (None, None),
    ],
)
def test_who_opened_the_thread_is_kept_and_a_bot_is_told_by_its_name(
    user: object, login: str | None
) -> None:
    job = accepted(payload(issue={"number": 3, "title": "Broken", "user": user}))
    assert job.opened_by == login


@pytest.mark.parametrize(
    ("author", "edited_of"),
    [
        ({"id": 1, "login": "octocat"}, None),
        ({"id": 2, "login": "mallory"}, "mallory"),
        (None, "ghost"),
    ],
)
def test_whose_comment_an_edit_put_a_command_into_is_kept(
    author: object, edited_of: str | None
) -> None:
    comment = {"id": 7, "body": "/tinygen fix", "user": author}
    changes = {"body": {"from": "It whispers."}}
    job = accepted(
        payload(
            action="edited", comment=comment, sender={"id": 1, "login": "octocat"}, changes=changes
        )
    )
    assert (job.actor, job.edited_of) == ("octocat", edited_of)


def on_a_line(**changes: Any) -> dict[str, Any]:
    user = {"id": 1, "login": "octocat"}
    comment = {
        "id": 7,
        "body": "/tinygen fix",
        "user": user,
        "path": "a.py",
        "line": 3,
        "diff_hunk": "@@",
        **changes,
    }
    return payload(comment=comment, pull_request={"number": 3})


def test_a_command_on_a_line_is_answered_at_the_threads_first_comment() -> None:
    job = accepted(
        on_a_line(in_reply_to_id=6, pull_request_review_id=9), "pull_request_review_comment"
    )
    assert (job.source, job.target.reply_to, job.target.comment_id) == ("review_comment", 6, 7)
    assert job.trigger == "review"
    assert job.remarks == (ReviewComment(7, "a.py", "@@", 3, None, "RIGHT", "", "fix", 9),)


def test_a_command_that_an_edit_brought_is_part_of_no_review() -> None:
    edited = {
        **on_a_line(pull_request_review_id=9),
        "action": "edited",
        "sender": {"id": 1, "login": "octocat"},
    }
    job = accepted({**edited, "changes": {"body": {"from": "x"}}}, "pull_request_review_comment")
    assert job.remarks[0].review_id is None


@pytest.mark.parametrize(
    ("action", "named", "trigger"),
    [
        ("labeled", {"label": {"name": "TinyGen"}}, "label"),
        ("assigned", {"assignee": {"login": "tinygen[bot]"}}, "assignment"),
    ],
)
def test_a_job_says_by_what_of_an_issue_it_was_asked_for(
    action: str, named: dict[str, Any], trigger: str
) -> None:
    body = {**payload(action=action, sender={"id": 1, "login": "octocat"}), **named}
    job = accepted(body, "issues")
    assert (job.trigger, job.source) == (trigger, "comment")


def test_a_job_that_was_stored_before_it_said_so_was_asked_for_in_a_comment() -> None:
    stored = JOB.dump(Job("d-1", "comment", Target("o/r", 9, 3), Command("solve")))
    del stored["trigger"]
    assert JOB.load(stored).trigger == "comment"


def attempt(
    number: int, status: int, guid: str = "g", event: str = "issue_comment", action: str = "created"
) -> DeliveryAttempt:
    return DeliveryAttempt(number, guid, event, action, status)


def test_one_that_never_arrived_is_asked_for_by_its_newest_attempt() -> None:
    assert choose_redeliveries([attempt(2, 503), attempt(1, 0)]) == (2,)


def test_one_that_arrived_once_is_not() -> None:
    assert choose_redeliveries([attempt(3, 0), attempt(2, 202), attempt(1, 502)]) == ()


def test_one_that_was_refused_is_not() -> None:
    assert choose_redeliveries([attempt(1, 401)]) == ()


def test_one_that_cannot_hold_a_command_is_not() -> None:
    assert (
        choose_redeliveries(
            [attempt(1, 0, "a", event="push"), attempt(2, 0, "b", action="deleted")]
        )
        == ()
    )


def test_after_some_attempts_it_is_left_to_the_operator() -> None:
    assert choose_redeliveries([attempt(n, 0) for n in range(MAX_ATTEMPTS)]) == ()
    assert choose_redeliveries([attempt(n, 0) for n in range(MAX_ATTEMPTS - 1)]) != ()


def test_a_delivery_is_dead_if_no_attempt_succeeded_and_the_newest_is_told() -> None:
    attempts = [
        attempt(6, 401, "a"),
        attempt(5, 503, "b"),
        attempt(4, 202, "c"),
        attempt(3, 0, "c"),
        attempt(2, 202, "b"),
        attempt(1, 0, "a"),
    ]
    assert find_dead(attempts) == (attempts[0],)


def test_the_newest_dead_deliveries_are_told_up_to_a_limit() -> None:
    attempts = [attempt(number, 0, f"{number}") for number in range(30, 0, -1)]
    assert find_dead(attempts, limit=20) == tuple(attempts[:20])


def test_the_bots_address_is_the_webhooks_but_for_its_path() -> None:
    assert address_of("https://bot.test/a/webhook") == "https://bot.test/a"
    assert address_of("https://relay.test/abc") == ""
    assert address_of("") == ""
