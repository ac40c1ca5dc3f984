"""The lines of calls that start no job, and that of one that does: one each, without a key or words
of the caller."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.types import Command, Failure, Job, Report, State, Target
from bot.web.call_log import LINES
from tests.test_web import COMMENT, KEYS, REPO_URL, Web

WRONG = "sha256=" + "0" * 64


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def web() -> Web:
    return Web({"TINYGEN_API_KEYS": ",".join(KEYS)})


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_wrong_signature_is_a_warning_with_what_its_sender_named(
    web: Web, lines: list[Any]
) -> None:
    odd = "d-1 \x1b[31m" + "x" * 300
    web.deliver(
        COMMENT,
        X_Hub_Signature_256=WRONG,
        X_GitHub_Delivery=odd.replace("\x1b", "é"),
        X_Forwarded_For="1.2.3.4, 5.6.7.8",
    )
    (line,) = lines
    assert (line["log_level"], line["event"]) == ("warning", "a signature is missing or wrong")
    assert line["delivery"].startswith("d-1???31mxxx")
    assert len(line["delivery"]) == 64
    assert line["event_name"] == "issue_comment"
    assert (line["address"], line["forwarded_for"]) == ("127.0.0.1", "5.6.7.8")


def test_a_flood_of_wrong_signatures_is_a_few_lines(web: Web, lines: list[Any]) -> None:
    for _ in range(50):
        web.deliver(COMMENT, X_Hub_Signature_256=None)
    assert len(lines) == LINES


def test_a_signed_delivery_that_cannot_be_read_is_a_warning(web: Web, lines: list[Any]) -> None:
    web.deliver({"action": "created"})
    (line,) = lines
    assert (line["log_level"], line["event"]) == ("warning", "a delivery is malformed")


def test_a_ping_is_a_line(web: Web, lines: list[Any]) -> None:
    web.deliver({"zen": "Keep it logically awesome."}, event="ping")
    assert lines == [{"event": "ping", "log_level": "info", "delivery": "d-1"}]


def test_an_ignored_event_is_for_who_debugs(web: Web, lines: list[Any]) -> None:
    web.deliver({"zen": "Keep it logically awesome."}, event="star")
    (line,) = lines
    assert (line["event"], line["log_level"], line["event_name"]) == ("ignored", "debug", "star")


def test_an_accepted_delivery_is_one_line_however_often_it_comes(
    web: Web, lines: list[Any]
) -> None:
    for _ in range(3):
        assert web.deliver(COMMENT).status_code == 202
    (line,) = lines
    assert (line["event"], line["job"], line["delivery"]) == ("accepted", "d-1", "d-1")
    assert (line["command"], line["asker"], line["number"]) == ("solve", "octocat", 3)


def test_an_accepted_call_is_one_line_with_the_callers_name(web: Web, lines: list[Any]) -> None:
    answer = web.run(**bearer(KEYS[0]), Prefer="respond-async")
    (line,) = lines
    assert answer.json
    assert (line["event"], line["job"]) == ("accepted", answer.json["job"])
    assert line["asker"].startswith("key ")
    assert line["trigger"] == "call"


@pytest.mark.parametrize("headers", [{}, bearer("wrong-key-of-somebody")])
def test_a_call_without_a_key_is_a_line_without_what_it_sent(
    web: Web, lines: list[Any], headers: dict[str, str]
) -> None:
    web.run(**headers)
    assert lines == [
        {
            "event": "refused",
            "log_level": "info",
            "status": 401,
            "path": "/run",
            "address": "127.0.0.1",
        }
    ]


@pytest.mark.parametrize(
    ("setting", "status"),
    [("TINYGEN_DENY=octocat/*", 404), ("TINYGEN_RUN_HOURLY=1", 429)],
)
def test_a_caller_that_is_refused_is_named_without_its_key(setting: str, status: int) -> None:
    name, _, value = setting.partition("=")
    web = Web({"TINYGEN_API_KEYS": ",".join(KEYS), name: value})
    web.will_end()
    web.run(**bearer(KEYS[0]))
    with capture_logs() as lines:
        assert web.run(**bearer(KEYS[0])).status_code == status
    (line,) = lines
    assert (line["event"], line["log_level"], line["status"]) == ("refused", "info", status)
    assert line["caller"].startswith("key ")
    assert KEYS[0] not in str(lines)


def test_a_job_that_found_no_repository_is_no_refused_call(web: Web, lines: list[Any]) -> None:
    web.will_end(state="failed", failure=Failure("No such repository.", "Look.", kind="NotFound"))
    assert web.run(**bearer(KEYS[0])).status_code == 404
    assert [line["event"] for line in lines] == ["accepted"]


def test_a_call_that_failed_is_a_warning_with_its_path(web: Web, lines: list[Any]) -> None:
    web.reports.is_away = True
    path = "/jobs/secret-words-of-a-caller"
    assert web.client.get(path, headers=bearer(KEYS[0])).status_code == 503
    (line,) = lines
    assert (line["log_level"], line["event"], line["status"]) == ("warning", "a call failed", 503)
    assert line["path"] == "/jobs/<job_id>"


def test_the_wait_for_the_first_worker_is_no_failed_call(web: Web, lines: list[Any]) -> None:
    assert web.client.get("/readyz").status_code == 503
    assert lines == []


def test_a_delivery_that_cannot_be_stored_is_a_warning(web: Web, lines: list[Any]) -> None:
    web.inbox.is_away = True
    assert web.deliver(COMMENT).status_code == 503
    assert [(line["event"], line["path"]) for line in lines] == [("a call failed", "/webhook")]


def test_a_fault_of_our_own_is_one_error(web: Web, lines: list[Any]) -> None:
    def fail(_job: object) -> bool:
        raise ZeroDivisionError

    web.inbox.accept = fail  # type: ignore[assignment, method-assign]
    assert web.deliver(COMMENT).status_code == 500
    assert [line["log_level"] for line in lines] == ["error"]


def test_a_call_that_is_answered_is_no_line(web: Web, lines: list[Any]) -> None:
    for path in ("/healthz", "/docs/openapi.json", "/nothing"):
        web.client.get(path)
    web.run({"repoUrl": REPO_URL}, **bearer(KEYS[0]))
    assert lines == []


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_a_job_that_is_asked_for_on_a_page_is_accepted_by_a_line(
    lines: list[Any], action: str
) -> None:
    web = Web({"TINYGEN_API_KEYS": KEYS[0]})
    state: State = "running" if action == "cancel" else "failed"
    web.reports.save(Report(Job("j-1", "run", Target("o/r"), Command("solve", "x")), state))
    if action == "cancel":
        web.client.delete("/jobs/j-1", headers=bearer(KEYS[0]))
    else:
        web.client.post("/jobs/j-1/retry", headers=bearer(KEYS[0]))
    assert [line["event"] for line in lines] == ["accepted"]
