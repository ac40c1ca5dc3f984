"""Deliveries that GitHub tried while nobody listened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.jobs.worker.maintenance import redeliver_missed
from tests.adapters.github.conftest import Stage
from tests.doubles.server import Request, Response, Server

NOW = datetime.now(UTC)


def test_what_came_while_nobody_listened_is_sent_again_once(stage: Stage) -> None:
    got: list[str] = []

    def receive(request: Request) -> Response:
        got.append(request.headers.get("x-github-delivery", ""))
        return Response(202)

    stage.app.webhook_url = "http://127.0.0.1:9/webhook"
    issue = stage.repo.open_issue("octocat", "t", "b")
    stage.repo.comment(issue.number, "octocat", "/tinygen a")
    missed = [each.guid for each in stage.double.deliveries if each.event == "issue_comment"]
    with Server(receive) as receiver:
        stage.app.webhook_url = f"{receiver.url}/webhook"
        deliveries = stage.github().deliveries()
        assert redeliver_missed(deliveries, NOW - timedelta(days=3)) == 1
        stage.double.settle()
        assert got == missed
        assert redeliver_missed(deliveries, NOW - timedelta(days=3)) == 0


def test_more_than_a_page_is_looked_through(stage: Stage) -> None:
    stage.app.webhook_url = "http://127.0.0.1:9/webhook"
    issue = stage.repo.open_issue("octocat", "t", "b")
    for number in range(130):
        stage.repo.comment(issue.number, "octocat", f"comment {number}")
    attempts = stage.github().deliveries().recent(NOW - timedelta(days=3))
    assert len([each for each in attempts if each.event == "issue_comment"]) == 130
    assert len(stage.double.requests.of("GET", "/app/hook/deliveries")) >= 2


def test_what_is_older_is_left_out(stage: Stage) -> None:
    stage.app.webhook_url = "http://127.0.0.1:9/webhook"
    stage.repo.open_issue("octocat", "t", "b")
    assert stage.github().deliveries().recent(NOW + timedelta(days=1)) == ()
