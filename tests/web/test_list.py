"""The list of jobs, as JSON and as a page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.types import DeliveryAttempt
from bot.types.pages import AppStatus, Spending
from tests.fakes import MemoryListing
from tests.web.site import ALICE, BOSS, JOB, KEY, OPERATOR_KEY, REPORT, Site

DEAD = DeliveryAttempt(
    5, "guid-of-a-dead-one", "issues", "closed", 502, "2026-01-01T00:00:00+00:00"
)


@pytest.fixture
def site() -> Site:
    site = Site()
    site.workers.beat("w-1")
    site.status.save_app(AppStatus("2026-01-01", dead=(DEAD,)))
    assert isinstance(site.listing, MemoryListing)
    site.listing.spent = (Spending("acme/secret-plans", 3, 7, 1_000, 200, 0.25),)
    return site


def listed(site: Site, key: str, query: str = "") -> Any:
    answer = site.app.test_client().get(f"/jobs{query}", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    return answer.json


def test_an_operator_sees_what_waits_what_was_spent_and_what_never_arrived(site: Site) -> None:
    answer = listed(site, OPERATOR_KEY)
    assert [job["id"] for job in answer["jobs"]] == [JOB.id]
    overview = answer["overview"]
    assert (overview["states"]["failed"], overview["workers"], overview["paused"]) == (1, 1, None)
    assert overview["log_rows_waiting"] == 0
    assert overview["dead_deliveries"] == [
        {
            "delivery": DEAD.guid,
            "event": "issues",
            "action": "closed",
            "status": 502,
            "tried_at": DEAD.delivered_at,
        }
    ]
    for by in ("day", "repo", "person", "model"):
        assert overview["spent"][by][0]["cost_usd"] == 0.25


def test_others_see_their_own_jobs_and_no_overview(site: Site) -> None:
    assert listed(site, KEY) == {"jobs": [], "next": None, "overview": None}
    shown = site.signed_in(ALICE).get("/jobs").text
    assert JOB.id in shown
    for words in ("Spent", DEAD.guid, "alive", "0.25"):
        assert words not in shown


def test_the_page_has_all_of_it(site: Site) -> None:
    site.reports.pause_reason = "the host moves"
    site.reports.save(replace(REPORT, state="running", waits_for="GitHub's limit."))
    shown = site.signed_in(BOSS).get("/jobs").text
    for words in (DEAD.guid, "issues.closed", "1,200", "$0.2500", "the host moves", "alive"):
        assert words in shown
    assert "waits for: GitHub&#39;s limit." in shown


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?state=failed", 200),
        ("?state=", 200),
        ("?repo=Acme/Secret-Plans", 200),
        ("?state=no", 422),
        ("?repo=no", 400),
        ("?limit=0", 422),
        ("?limit=101", 422),
        ("?after=x", 400),
    ],
)
def test_what_is_asked_for_is_checked(site: Site, query: str, status: int) -> None:
    key = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    answer = site.app.test_client().get(f"/jobs{query}", headers=key)
    assert answer.status_code == status
    if status == 200:
        assert answer.json
        assert [job["id"] for job in answer.json["jobs"]] == [JOB.id]
