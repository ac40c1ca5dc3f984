"""The embedded database, on SQLite and on PostgreSQL: what was accepted, what was reported, what
was logged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.database import CLAIM_S, KEEP_S, Database
from bot.types import Command, Failure, Report, State, Usage
from bot.types.snapshot import Patch
from tests.adapters.database.stored import NO, RECEIVED_AT, job, job_by, log_rows, rows
from tests.doubles.clock import ManualClock


def ids(jobs: object) -> list[str]:
    assert isinstance(jobs, tuple)
    return [one.id for one in jobs]


def test_an_accepted_job_waits_with_all_that_it_holds(database: Database) -> None:
    database.accept(job())
    assert database.waiting(10) == (job(),)


def test_a_job_id_that_waits_already_starts_nothing(database: Database) -> None:
    database.accept(job(prompt="first"))
    database.accept(job(prompt="second"))
    assert database.waiting(10) == (job(prompt="first"),)


def test_a_job_id_that_was_taken_starts_nothing_a_month_later(
    database: Database, clock: ManualClock
) -> None:
    database.accept(job())
    database.taken("delivery-1")
    clock.now_s += KEEP_S - 1
    database.prune()
    database.accept(job())
    assert database.waiting(10) == ()


def test_waiting_jobs_come_oldest_first_and_no_more_than_asked(
    database: Database, clock: ManualClock
) -> None:
    for job_id, age_s in (("b", 10), ("a", 20), ("c", 30)):
        clock.now_s -= age_s
        database.accept(job(job_id))
        clock.now_s += age_s
    assert ids(database.waiting(2)) == ["c", "a"]
    assert ids(database.waiting(2)) == ["b"]


def test_a_job_that_one_worker_looks_at_is_not_given_to_another(
    database: Database, clock: ManualClock
) -> None:
    database.accept(job())
    assert ids(database.waiting(10)) == ["delivery-1"]
    clock.now_s += CLAIM_S / 2
    assert database.waiting(10) == ()


def test_a_job_whose_worker_died_before_it_was_taken_is_given_out_again(
    database: Database, clock: ManualClock
) -> None:
    database.accept(job())
    database.waiting(10)
    clock.now_s += CLAIM_S + 1
    assert ids(database.waiting(10)) == ["delivery-1"]


def test_a_clock_that_was_set_back_delays_no_job(database: Database, clock: ManualClock) -> None:
    database.accept(job())
    database.waiting(10)
    clock.now_s -= 86_400
    assert ids(database.waiting(10)) == ["delivery-1"]


def test_a_taken_job_waits_no_more_and_is_kept_once(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    database.accept(job())
    database.taken("delivery-1")
    database.taken("delivery-1")
    (row,) = rows(database_url, "tinygen_jobs")
    assert (row["id"], row["job"], row["state"]) == ("delivery-1", None, "queued")
    clock.now_s += CLAIM_S + 1
    assert database.waiting(10) == ()
    assert database.oldest_waiting_s() == 0


def test_taking_an_unknown_job_is_no_failure(database: Database) -> None:
    database.taken("nobody's")
    assert database.load("nobody's") is None


def test_the_age_of_the_oldest_waiting_job_is_told(database: Database, clock: ManualClock) -> None:
    assert database.oldest_waiting_s() == 0
    database.accept(job("old"))
    clock.now_s += 40
    database.accept(job("new"))
    clock.now_s += 2
    assert database.oldest_waiting_s() == pytest.approx(42)


def test_a_job_is_queued_from_its_acceptance_until_its_first_report(database: Database) -> None:
    database.accept(job())
    assert database.load("delivery-1") == Report(job(), "queued")
    database.taken("delivery-1")
    assert database.load("delivery-1") == Report(job(), "queued")


def test_a_report_that_is_quicker_than_the_taking_stays(database: Database) -> None:
    database.accept(job())
    database.save(Report(job(), "running"))
    database.taken("delivery-1")
    assert database.load("delivery-1") == Report(job(), "running")


def test_a_report_is_loaded_as_it_was_saved(database: Database) -> None:
    report = Report(
        job(prompt="\0 \udc80 \ud800 ü 🚀"),
        "done",
        patch=Patch("a" * 40, "diff --git a/\udcff b/\udcff\n"),
        usage=Usage(3, 10, 20, cost_usd=0.25),
        failure=Failure("It broke.", "Mend it."),
    )
    database.save(report)
    assert database.load("delivery-1") == report


def test_an_unknown_job_has_no_report(database: Database) -> None:
    assert database.load("unknown") is None
    assert database.load("\0") is None


@pytest.mark.parametrize("late", ["queued", "running"])
def test_an_older_state_never_replaces_a_final_report(database: Database, late: State) -> None:
    database.save(Report(job(), "running"))
    database.save(Report(job(), "failed"))
    database.save(Report(job(), late))
    loaded = database.load("delivery-1")
    assert loaded is not None
    assert loaded.state == "failed"


def test_a_threads_reports_come_newest_job_first(database: Database, clock: ManualClock) -> None:
    for job_id in ("z", "b", "a"):
        database.save(Report(job(job_id), "running"))
        clock.now_s += 1
    database.save(Report(job("elsewhere", issue_number=8), "running"))
    database.save(Report(job("z"), "done"))
    assert [report.job.id for report in database.latest("octocat/hello", 7)] == ["a", "b", "z"]
    assert [report.job.id for report in database.latest("octocat/hello", 7, limit=1)] == ["a"]


def test_a_threads_jobs_are_in_the_order_of_their_acceptance(
    database: Database, clock: ManualClock
) -> None:
    for job_id in ("first", "second"):
        database.accept(job(job_id))
        clock.now_s += 1
    for job_id in ("second", "first"):
        database.taken(job_id)
        clock.now_s += 1
    assert [report.job.id for report in database.latest("octocat/hello", 7)] == ["second", "first"]


def test_jobs_are_counted_by_state_with_the_waiting_ones_as_queued(database: Database) -> None:
    for job_id in ("a", "b"):
        database.accept(job(job_id))
    database.taken("a")
    database.save(Report(job("c"), "done"))
    assert database.counts() == {
        "queued": 2,
        "running": 0,
        "done": 1,
        "failed": 0,
        "cancelled": 0,
        "refused": 0,
    }


def test_pruning_removes_what_ended_long_ago_and_nothing_else(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    for job_id in ("ended", "running", "waiting"):
        database.accept(job(job_id))
    database.taken("ended")
    database.taken("running")
    database.save(Report(job("ended"), "done"))
    database.write(Report(job("ended"), "done"))
    clock.now_s += KEEP_S + 1
    assert database.prune() == 1
    assert len(log_rows(database_url)) == 1
    assert database.load("ended") is None
    assert database.counts()["queued"] == 2
    assert ids(database.waiting(10)) == ["waiting"]


def test_of_a_job_that_was_refused_again_the_log_alone_is_kept(database: Database) -> None:
    again = job_by("a", person=1)
    database.accept(again)
    database.refuse(
        Report(again, "refused", failure=NO, finished_at="2026-01-01T00:00:01+00:00"), ship=True
    )
    assert database.waiting(10) == ()
    assert database.latest(again.target.repository_key, again.target.issue_number or 0) == ()
    report = database.load("a")
    assert report
    assert (report.state, report.job.actor) == ("refused", "person-1")
    assert report.failure == Failure("You may not. Ask mona.", "")
    assert len(database.outbox) == 1


def test_the_open_jobs_of_a_thread_are_those_taken_and_those_waiting(database: Database) -> None:
    key = job_by("a", person=1).target.repository_key
    for name in ("taken", "waits", "over"):
        database.accept(job_by(name, person=1))
    database.accept(
        replace(
            job_by("elsewhere", person=1),
            target=replace(job_by("x", person=1).target, issue_number=8),
        )
    )
    for name in ("taken", "over"):
        database.taken(name)
    database.save(Report(job_by("over", person=1), "done"))
    assert {each.id for each in database.open_jobs(key, 7)} == {"taken", "waits"}


def test_all_that_is_open_and_has_not_changed_is_found_page_by_page(
    database: Database, clock: ManualClock
) -> None:
    for number in range(201):
        database.save(Report(job_by(f"d{number:03}", person=1), "running"))
    database.save(Report(job_by("over", person=1), "done"))
    clock.now_s += 60
    database.save(Report(job_by("lately", person=1), "running"))
    clock.now_s += 1
    first = database.unfinished(60)
    assert [each.job.id for each in first] == [f"d{number:03}" for number in range(200)]
    assert [each.job.id for each in database.unfinished(60, first[-1].job.id)] == ["d200"]
    assert database.unfinished(60, "d200") == ()


def test_a_key_that_is_a_name_never_replaces_one_that_is_an_id(database: Database) -> None:
    by_id, by_name = job_by("a", person=1), job("a")
    database.save(Report(by_id, "running"))
    database.save(Report(by_name, "done"))
    assert [each.state for each in database.latest(by_id.target.repository_key, 7)] == ["done"]


def test_a_report_of_a_job_that_was_known_by_its_id_only_is_found_by_name(
    database: Database,
) -> None:
    deleted = replace(job(), command=Command("withdraw"))
    database.accept(deleted)
    database.taken(deleted.id)
    assert database.load(deleted.id) is None
    database.save(Report(job(), "done"))
    assert [each.job.id for each in database.latest("octocat/hello", 7)] == [deleted.id]


def test_what_was_refused_for_good_is_no_part_of_a_threads_history(database: Database) -> None:
    refused = job_by("refused", person=2)
    database.save(Report(job_by("a", person=1), "done"))
    database.save(Report(refused, "refused", failure=NO))
    limited = Failure("Too many.", "Later.", retryable=True)
    database.save(Report(job_by("limited", person=1), "refused", failure=limited))
    assert {each.job.id for each in database.latest(refused.target.repository_key, 7)} == {
        "a",
        "limited",
    }


def test_the_age_of_the_oldest_job_that_does_not_run_is_told(
    database: Database, clock: ManualClock
) -> None:
    assert database.oldest_queued_s() == 0
    database.accept(job("a"))
    clock.now_s += 10
    assert database.oldest_queued_s() == 10
    database.taken("a")
    clock.now_s += 10
    assert database.oldest_queued_s() == 20
    database.save(Report(job("a"), "running"))
    assert database.oldest_queued_s() == 0


def test_workers_that_are_long_gone_are_forgotten(database: Database, clock: ManualClock) -> None:
    database.beat("one")
    clock.now_s = time.time()
    assert database.prune(60) == 0
    clock.now_s += 70
    assert database.prune(60) == 1


def test_the_log_is_pruned_by_age_where_that_is_asked(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    clock.now_s = datetime.fromisoformat(RECEIVED_AT).timestamp() + 100
    database.write(Report(job("done"), "done"))
    database.write(Report(job("open"), "running"))
    assert database.prune_log(200) == 0
    assert database.prune_log(50) == 1
    assert [row["id"] for row in log_rows(database_url)] == ["open"]


def test_the_log_has_one_row_per_request_brought_to_its_newest_state(
    database: Database, database_url: str
) -> None:
    database.write(Report(job(), "queued"))
    done = Report(
        job(),
        "done",
        base_sha="a" * 40,
        patch=Patch("a" * 40, "diff"),
        usage=Usage(2, 30, 4, cost_usd=0.5),
    )
    database.write(done)
    (row,) = log_rows(database_url)
    assert (row["state"], row["diff"], row["base_sha"]) == ("done", "diff", "a" * 40)
    assert (row["model_calls"], row["prompt_tokens"], row["completion_tokens"]) == (2, 30, 4)
    assert (row["installation_id"], float(row["cost_usd"])) == (2**40, 0.5)


def test_the_logs_first_time_of_creation_stays(database: Database, database_url: str) -> None:
    database.write(Report(job(), "queued"))
    database.write(Report(replace(job(), received_at="2031-01-01T00:00:00+00:00"), "done"))
    (row,) = log_rows(database_url)
    assert str(row["created_at"]).startswith("2026-11-22")


def test_a_request_without_a_time_is_logged_with_this_one(
    database: Database, database_url: str
) -> None:
    database.write(Report(replace(job(), received_at=""), "queued"))
    (row,) = log_rows(database_url)
    assert str(row["created_at"]).startswith("1970-01-12")


def test_an_older_state_never_replaces_a_final_one_in_the_log(
    database: Database, database_url: str
) -> None:
    database.write(Report(job(), "done"))
    database.write(Report(job(), "refused", failure=Failure("No.", "Ask an owner.")))
    database.write(Report(job(), "running"))
    (row,) = log_rows(database_url)
    assert (row["state"], row["error"]) == ("refused", "No. Ask an owner.")


def test_what_is_no_text_is_logged_as_a_replacement_character(
    database: Database, database_url: str
) -> None:
    database.write(Report(job(prompt="a\0b\udc80c\ud800"), "queued"))
    (row,) = log_rows(database_url)
    assert row["prompt"] == "a\ufffdb\ufffdc\ufffd"


@pytest.fixture(scope="module")
def one_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('data')}/tinygen.sqlite")
    database.create()
    yield database
    database.close()


any_text = st.text(st.characters(codec=None, exclude_categories=()))


@settings(deadline=None, max_examples=50)
@given(prompt=any_text, summary=any_text)
def test_every_text_survives(one_database: Database, prompt: str, summary: str) -> None:
    report = Report(job(prompt=prompt), "done", summary=summary)
    one_database.save(report)
    one_database.write(report)
    assert one_database.load("delivery-1") == report
