"""The rows that the request log elsewhere has not taken, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from bot.adapters.database import KEEP_S, Database
from bot.adapters.database.outbox import CLAIM_S
from bot.ports import UnsentReport
from bot.types import Report
from tests.adapters.database.stored import job
from tests.doubles.clock import ManualClock


def add(database: Database, job_id: str, minute: int = 0) -> None:
    came = f"2026-11-22T10:{minute:02}:00+00:00"
    database.outbox.add(Report(replace(job(job_id), received_at=came), "done"))


def take(database: Database) -> UnsentReport:
    row = database.outbox.next()
    assert row is not None
    return row


def test_rows_go_in_the_order_in_which_their_jobs_came(database: Database) -> None:
    for job_id, minute in (("b", 2), ("c", 3), ("a", 1)):
        add(database, job_id, minute)
    gone = []
    while (row := database.outbox.next()) is not None:
        gone.append(row.id)
        database.outbox.sent(row)
    assert (gone, len(database.outbox)) == (["a", "b", "c"], 0)


def test_while_one_is_on_its_way_no_other_overtakes_it(
    database: Database, clock: ManualClock
) -> None:
    add(database, "a", 1)
    add(database, "b", 2)
    assert take(database).id == "a"
    assert database.outbox.next() is None
    clock.now_s += CLAIM_S + 1
    assert take(database).id == "a", "its sender died"


def test_one_that_could_not_be_sent_goes_first_again(database: Database) -> None:
    add(database, "a", 1)
    add(database, "b", 2)
    database.outbox.keep(take(database))
    assert take(database).id == "a"


def test_one_that_was_refused_lets_the_others_pass_and_is_tried_later(
    database: Database, clock: ManualClock
) -> None:
    add(database, "a", 1)
    add(database, "b", 2)
    database.outbox.refused(take(database), 30.0)
    other = take(database)
    assert other.id == "b"
    database.outbox.sent(other)
    assert database.outbox.next() is None
    clock.now_s += 31
    again = take(database)
    assert (again.id, again.refusals) == ("a", 1)
    assert database.outbox.next() is None


def test_what_changed_while_it_was_sent_is_sent_again(database: Database) -> None:
    add(database, "a")
    row = take(database)
    add(database, "a")
    database.outbox.sent(row)
    again = take(database)
    assert again.version == row.version + 1
    database.outbox.sent(again)
    assert len(database.outbox) == 0


def test_what_is_too_old_is_pruned_though_it_was_not_sent(
    database: Database, clock: ManualClock
) -> None:
    """The log elsewhere may have been switched off: prompts and diffs are not kept for ever."""
    database.save(Report(job("a"), "done"))
    add(database, "a")
    row = take(database)
    clock.now_s += KEEP_S + 1
    assert database.prune() == 1
    assert len(database.outbox) == 0
    database.outbox.sent(row)
    assert database.load("a") is None


def test_a_row_that_was_sent_is_neither_kept_nor_refused_again(
    database: Database, clock: ManualClock
) -> None:
    add(database, "a")
    row = take(database)
    database.outbox.sent(row)
    database.outbox.refused(row, 30.0)
    database.outbox.keep(row)
    add(database, "a")
    assert take(database) == UnsentReport("a", 1, 0)
