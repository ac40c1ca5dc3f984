"""Among which waiting jobs a worker chooses, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from bot.adapters.database import CLAIM_S, IN_LINE_S, Database
from bot.types import WaitingJob
from tests.adapters.database.stored import job_by
from tests.doubles.clock import ManualClock


def line(database: Database) -> list[str]:
    """The ids of the jobs that the worker is given to choose among."""
    seen: list[str] = []

    def choose(waiting: Sequence[WaitingJob]) -> tuple[str, ...]:
        seen.extend(each.id for each in waiting)
        return ()

    assert database.waiting(10, choose) == ()
    return seen


def test_of_one_asker_only_the_oldest_is_looked_at(database: Database, clock: ManualClock) -> None:
    for number in range(5):
        clock.now_s += 1
        database.accept(job_by(f"d{number}", person=1))
    clock.now_s += 1
    database.accept(job_by("other", person=2))
    assert line(database) == ["d0", "other"]


def test_many_askers_in_one_repository_hide_no_other_repository(
    database: Database, clock: ManualClock
) -> None:
    for number in range(20):
        clock.now_s += 1
        database.accept(job_by(f"d{number}", person=number))
    clock.now_s += 1
    database.accept(job_by("other", person=99, repository=2))
    assert line(database) == ["d0", "d1", "other"]


def test_many_repositories_of_one_account_hide_no_other_account(
    database: Database, clock: ManualClock
) -> None:
    for number in range(300):
        database.accept(job_by(f"d{number:03}", person=number, repository=number))
    clock.now_s += 1
    database.accept(job_by("other", person=999, repository=999, installation=2))
    assert line(database) == [*(f"d{number:03}" for number in range(8)), "other"]


def test_what_is_chosen_is_given_out_once(database: Database) -> None:
    database.accept(job_by("a", person=1))
    database.accept(job_by("b", person=2))
    assert [each.id for each in database.waiting(10, lambda _waiting: ("b",))] == ["b"]
    assert line(database) == ["a"]


def test_a_command_about_to_start_elsewhere_is_not_passed_by_the_next_of_its_asker(
    database: Database, clock: ManualClock
) -> None:
    database.accept(job_by("first", person=1))
    clock.now_s += 1
    database.accept(job_by("second", person=1))
    database.accept(job_by("other", person=2))
    database.waiting(10, lambda _waiting: ("first",))
    assert line(database) == ["other"]
    clock.now_s += CLAIM_S + 1
    assert line(database) == ["first", "other"]


def test_a_command_that_nobody_can_start_stops_the_next_of_its_asker_only_for_a_while(
    database: Database, clock: ManualClock
) -> None:
    database.accept(job_by("odd", person=1))
    database.accept(job_by("second", person=1))
    clock.now_s += IN_LINE_S
    database.waiting(10, lambda _waiting: ("odd",))
    assert line(database) == ["second"]
