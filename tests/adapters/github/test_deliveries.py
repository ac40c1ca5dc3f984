"""Deliveries that GitHub tried while nobody listened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.jobs.worker.maintenance import redeliver_missed
from tests.adapters.github.conftest import InstalledApp
from tests.doubles.server import Request, Response, Server

NOW = datetime.now(UTC)
SINCE = NOW - timedelta(days=3)


def test_what_came_while_nobody_listened_is_sent_again_once(installed: InstalledApp) -> None:
    got: list[str] = []

    def receive(request: Request) -> Response:
        got.append(request.headers.get("x-github-delivery", ""))
        return Response(202)

    installed.app.webhook_url = "http://127.0.0.1:9/webhook"
    issue = installed.repo.open_issue("octocat", "t", "b")
    installed.repo.comment(issue.number, "octocat", "/tinygen a")
    missed = [each.guid for each in installed.double.deliveries if each.event == "issue_comment"]
    with Server(receive) as receiver:
        installed.app.webhook_url = f"{receiver.url}/webhook"
        deliveries = installed.adapter().deliveries()
        assert redeliver_missed(deliveries, deliveries.recent(SINCE)) == 1
        installed.double.settle()
        assert got == missed
        assert redeliver_missed(deliveries, deliveries.recent(SINCE)) == 0


def test_more_than_a_page_is_looked_through(installed: InstalledApp) -> None:
    installed.app.webhook_url = "http://127.0.0.1:9/webhook"
    issue = installed.repo.open_issue("octocat", "t", "b")
    for number in range(130):
        installed.repo.comment(issue.number, "octocat", f"comment {number}")
    attempts = installed.adapter().deliveries().recent(NOW - timedelta(days=3))
    assert len([each for each in attempts if each.event == "issue_comment"]) == 130
    assert len(installed.double.requests.of("GET", "/app/hook/deliveries")) >= 2


def test_what_is_older_is_left_out(installed: InstalledApp) -> None:
    installed.app.webhook_url = "http://127.0.0.1:9/webhook"
    installed.repo.open_issue("octocat", "t", "b")
    assert installed.adapter().deliveries().recent(NOW + timedelta(days=1)) == ()
