"""The periodic tasks of a worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.adapters.database import Database
from bot.errors import OutsideError
from bot.jobs.worker.maintenance import Maintenance, PeriodicTask, watch_app
from bot.types import DeliveryAttempt
from bot.types.github import AppRegistration, WebhookConfig
from bot.types.pages import AppStatus
from tests.doubles.clock import ManualClock

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_a_periodic_task_is_done_at_once_and_then_when_it_is_due() -> None:
    clock, done = ManualClock(100.0), list[str]()
    maintenance = Maintenance(
        [
            PeriodicTask("a", 10, lambda: done.append("a")),
            PeriodicTask("b", 25, lambda: done.append("b")),
        ],
        clock=clock,
    )
    for _ in range(4):
        maintenance.do_due()
        clock.now_s += 10
    assert done == ["a", "b", "a", "a", "a", "b"]


def test_a_fault_in_one_periodic_task_ends_no_other() -> None:
    done = list[str]()
    maintenance = Maintenance(
        [
            PeriodicTask("a", 10, lambda: print(1 // 0)),
            PeriodicTask("b", 10, lambda: done.append("b")),
        ],
        clock=ManualClock(100.0),
    )
    maintenance.do_due()
    assert done == ["b"]


def test_a_periodic_task_that_fails_holds_up_no_other_and_is_done_again() -> None:
    clock, done = ManualClock(100.0), list[str]()

    def fail() -> None:
        done.append("failed")
        raise OutsideError("GitHub is away.", next_step="Wait.")

    maintenance = Maintenance(
        [PeriodicTask("a", 10, fail), PeriodicTask("b", 10, lambda: done.append("b"))], clock=clock
    )
    maintenance.do_due()
    clock.now_s += 10
    maintenance.do_due()
    assert done == ["failed", "b", "failed", "b"]


class Recorded:
    """What GitHub has on record, and what it was asked to send again."""

    def __init__(self, *attempts: DeliveryAttempt) -> None:
        self.attempts = attempts
        self.redelivered: list[int] = []
        self.lists = 0

    def deliveries(self) -> Recorded:
        return self

    def recent(self, since: datetime) -> tuple[DeliveryAttempt, ...]:
        assert since == NOW - timedelta(days=3)
        self.lists += 1
        return self.attempts

    def redeliver(self, attempt_id: int) -> None:
        self.redelivered.append(attempt_id)

    def fetch_registration(self) -> AppRegistration:
        return AppRegistration("tinygen", "TinyGen", "https://github.test/apps/tinygen", {}, (), 1)

    def fetch_webhook_config(self) -> WebhookConfig:
        return WebhookConfig("https://bot.test/webhook", "json", True)


def test_the_app_is_stored_and_missed_deliveries_are_sent_again_by_one_list(
    tmp_path: Path,
) -> None:
    database = Database(f"sqlite:///{tmp_path}/jobs.sqlite")
    database.create()
    missed = DeliveryAttempt(2, "a", "issue_comment", "created", 0)
    refused = DeliveryAttempt(1, "b", "issue_comment", "created", 401)
    github = Recorded(missed, refused)
    watch_app(github, database.shared, NOW)
    assert (github.lists, github.redelivered) == (1, [2])
    assert database.shared.app() == AppStatus(
        NOW.isoformat(),
        "TinyGen",
        "https://github.test/apps/tinygen",
        "https://bot.test",
        (missed, refused),
    )
    database.close()
