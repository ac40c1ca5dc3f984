"""The sender of rows to the request log elsewhere: how long it waits, and what it does not wait
for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.database import Database
from bot.errors import OutsideError, SetupError
from bot.jobs.worker.log_sync import LOOK_S, LogShipper
from bot.types import Command, Job, Removal, Report, Target


class Log:
    """Fails with what it is given, in turn; then takes everything."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.taken = list(failures), list[str]()

    def write(self, report: Report) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(report.job.id)

    def forget(self, removal: Removal) -> None:
        raise AssertionError(removal)


def away(retry_in_s: float | None = None) -> OutsideError:
    return OutsideError(
        "Supabase answered 429.", next_step="Try again later.", retry_in_s=retry_in_s
    )


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/t.sqlite")
    database.create()
    for minute, job_id in enumerate("abc"):
        job = Job(
            job_id,
            "run",
            Target("o/r"),
            Command("solve"),
            received_at=f"2026-11-22T10:{minute:02}:00+00:00",
        )
        database.save(Report(job, "done"))
        database.outbox.add(Report(job, "done"))
    return database


def waits(database: Database, log: Log, count: int) -> list[float]:
    sender = LogShipper(database, database.outbox, log)
    return [sender.send() for _ in range(count)]


def test_a_log_that_is_away_is_waited_for_longer_each_time_and_then_gets_all_in_order(
    database: Database,
) -> None:
    log = Log(away(), away(), away())
    assert waits(database, log, 4) == [1.0, 2.0, 4.0, LOOK_S]
    assert log.taken == ["a", "b", "c"]


def test_what_the_log_asks_for_is_waited_for_exactly(database: Database) -> None:
    assert waits(database, Log(away(), away(), away(retry_in_s=1.5), away()), 4) == [
        1.0,
        2.0,
        1.5,
        8.0,
    ]


def test_a_log_that_takes_no_row_as_things_are_keeps_them_in_order(database: Database) -> None:
    log = Log(SetupError("Supabase has no table.", next_step="Run the SQL."))
    assert waits(database, log, 2) == [1.0, LOOK_S]
    assert log.taken == ["a", "b", "c"]


def test_a_row_with_a_fault_in_itself_is_no_hindrance(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"))
    assert waits(database, log, 1) == [LOOK_S]
    assert (log.taken, len(database.outbox)) == (["b", "c"], 1)
    assert "job=a" in capsys.readouterr().out


def test_a_row_whose_job_is_forgotten_is_let_go(database: Database) -> None:
    gone = Job(
        "gone", "run", Target("o/r"), Command("solve"), received_at="2026-11-22T09:00:00+00:00"
    )
    database.outbox.add(Report(gone, "done"))
    log = Log()
    waits(database, log, 1)
    assert (log.taken, len(database.outbox)) == (["a", "b", "c"], 0)
