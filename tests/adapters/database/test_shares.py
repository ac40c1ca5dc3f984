"""Which waiting jobs are looked at, and how long a refusal counts, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.adapters.database import Database
from bot.ports import WaitingJob
from bot.types import Failure, Job, Report
from tests.adapters.conftest import Clock
from tests.adapters.database.test_database import job

NO = Failure("You may not.", "Ask mona.")


def by(job_id: str, person: int, repository: int = 1, installation: int = 1) -> Job:
    """A person's command in a repository of an installation."""
    target = replace(job().target, repository_id=repository, installation_id=installation)
    return replace(job(job_id), actor=f"person-{person}", actor_id=person, target=target)


def line(database: Database) -> list[str]:
    """The ids of the jobs that the worker is given to choose among."""
    seen: list[str] = []

    def choose(waiting: Sequence[WaitingJob]) -> tuple[str, ...]:
        seen.extend(each.id for each in waiting)
        return ()

    assert database.waiting(10, choose) == ()
    return seen


def test_of_one_asker_only_the_oldest_is_looked_at(database: Database, clock: Clock) -> None:
    for number in range(5):
        clock.now += 1
        database.accept(by(f"d{number}", person=1))
    clock.now += 1
    database.accept(by("other", person=2))
    assert line(database) == ["d0", "other"]


def test_many_askers_in_one_repository_hide_no_other_repository(
    database: Database, clock: Clock
) -> None:
    for number in range(20):
        clock.now += 1
        database.accept(by(f"d{number}", person=number))
    clock.now += 1
    database.accept(by("other", person=99, repository=2))
    assert line(database) == ["d0", "d1", "other"]


def test_many_repositories_of_one_account_hide_no_other_account(
    database: Database, clock: Clock
) -> None:
    for number in range(300):
        database.accept(by(f"d{number:03}", person=number, repository=number))
    clock.now += 1
    database.accept(by("other", person=999, repository=999, installation=2))
    assert line(database) == [*(f"d{number:03}" for number in range(8)), "other"]


def test_what_is_chosen_is_given_out_once(database: Database) -> None:
    database.accept(by("a", person=1))
    database.accept(by("b", person=2))
    assert [each.id for each in database.waiting(10, lambda _waiting: ("b",))] == ["b"]
    assert line(database) == ["a"]


def test_a_refusal_counts_for_ten_minutes(database: Database, clock: Clock) -> None:
    refused = by("a", person=1)
    database.refusals.add(refused, NO, covers="")
    clock.now += 599
    assert database.refusals.standing(by("b", person=1), kind="solve pr") == NO
    clock.now += 2
    assert database.refusals.standing(by("b", person=1), kind="solve pr") is None


def test_a_refusal_counts_for_person_and_repository_by_their_ids(database: Database) -> None:
    refused = by("a", person=1)
    database.refusals.add(refused, NO, covers="")
    renamed = replace(refused, actor="new-login", target=replace(refused.target, repo="new/name"))
    assert database.refusals.standing(renamed, kind="help") == NO
    assert database.refusals.standing(by("b", person=2), kind="help") is None
    assert database.refusals.standing(by("b", person=1, repository=2), kind="help") is None


def test_a_refusal_of_one_kind_of_command_leaves_the_others(database: Database) -> None:
    database.refusals.add(by("a", person=1), NO, covers="solve pr")
    assert database.refusals.standing(by("b", person=1), kind="solve pr") == NO
    assert database.refusals.standing(by("b", person=1), kind="solve diff") is None


def test_of_a_job_that_was_refused_again_the_log_alone_is_kept(database: Database) -> None:
    again = by("a", person=1)
    database.accept(again)
    database.refuse(
        Report(again, "refused", failure=NO, finished_at="2026-01-01T00:00:01+00:00"), ship=True
    )
    assert line(database) == []
    assert database.latest(again.target.repository_key, again.target.issue_number or 0) == ()
    report = database.load("a")
    assert report
    assert (report.state, report.job.actor) == ("refused", "person-1")
    assert report.failure == Failure("You may not. Ask mona.", "")
    assert len(database.outbox) == 1


def test_old_refusals_are_forgotten(database: Database, clock: Clock) -> None:
    database.refusals.add(by("a", person=1), NO, covers="")
    clock.now += 601
    database.prune()
    clock.now -= 601
    assert database.refusals.standing(by("b", person=1), kind="help") is None


def test_the_open_jobs_of_a_thread_are_those_taken_and_those_waiting(database: Database) -> None:
    key = by("a", person=1).target.repository_key
    for name in ("taken", "waits", "over"):
        database.accept(by(name, person=1))
    database.accept(
        replace(by("elsewhere", person=1), target=replace(by("x", person=1).target, issue_number=8))
    )
    for name in ("taken", "over"):
        database.taken(name)
    database.save(Report(by("over", person=1), "done"))
    assert {each.id for each in database.open_jobs(key, 7)} == {"taken", "waits"}


def test_all_that_is_open_and_has_not_changed_is_found_page_by_page(
    database: Database, clock: Clock
) -> None:
    for number in range(201):
        database.save(Report(by(f"d{number:03}", person=1), "running"))
    database.save(Report(by("over", person=1), "done"))
    clock.now += 60
    database.save(Report(by("lately", person=1), "running"))
    clock.now += 1
    first = database.unfinished(60)
    assert [each.job.id for each in first] == [f"d{number:03}" for number in range(200)]
    assert [each.job.id for each in database.unfinished(60, first[-1].job.id)] == ["d200"]
    assert database.unfinished(60, "d200") == ()


def test_what_was_refused_for_good_is_no_part_of_a_threads_history(database: Database) -> None:
    refused = by("refused", person=2)
    database.save(Report(by("a", person=1), "done"))
    database.save(Report(refused, "refused", failure=NO))
    limited = Failure("Too many.", "Later.", retryable=True)
    database.save(Report(by("limited", person=1), "refused", failure=limited))
    assert {each.job.id for each in database.latest(refused.target.repository_key, 7)} == {
        "a",
        "limited",
    }
