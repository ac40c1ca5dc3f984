"""What limits count, from the reports, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from bot.adapters.database import Database
from bot.types import Command, Job, Report, State, Usage
from tests.adapters.database.stored import job
from tests.doubles.clock import ManualClock


def ask(
    database: Database, clock: ManualClock, asked: Job, state: State = "done", tokens: int = 0
) -> Job:
    """Saves its report, one second after the one before."""
    clock.now_s += 1
    database.save(Report(asked, state, usage=Usage(prompt_tokens=tokens, completion_tokens=tokens)))
    return asked


def test_the_nth_newest_request_of_a_person_is_found(
    database: Database, clock: ManualClock
) -> None:
    began = clock.now_s
    for number in range(3):
        ask(database, clock, job(f"d{number}"))
    ask(database, clock, replace(job("other"), actor="hubot"))
    assert database.asked_at(job("new"), "actor", 1, since=began) == began + 3
    assert database.asked_at(job("new"), "actor", 3, since=began) == began + 1
    assert database.asked_at(job("new"), "actor", 4, since=began) is None
    assert database.asked_at(job("new"), "actor", 3, since=began + 1) is None


def test_of_jobs_that_come_at_once_each_counts_those_before_it(
    database: Database, clock: ManualClock
) -> None:
    for number in (1, 2, 3):
        database.save(Report(job(f"d{number}"), "queued"))
    found = [database.asked_at(job(f"d{number}"), "actor", 2, since=0) for number in (1, 2, 3)]
    assert found == [None, None, clock.now_s]


def test_a_repository_is_the_same_in_any_case(database: Database, clock: ManualClock) -> None:
    there = job("d1")
    ask(
        database,
        clock,
        replace(there, target=replace(there.target, repo="OctoCat/Hello"), actor="hubot"),
        tokens=5,
    )
    assert database.asked_at(job("new"), "repo", 1, since=0) == clock.now_s
    assert database.tokens_since(0, repository_key="octocat/hello") == 10


def test_refusals_and_quick_commands_do_not_count(database: Database, clock: ManualClock) -> None:
    ask(database, clock, job("refused"), "refused")
    ask(database, clock, replace(job("help"), command=Command("help")))
    assert database.asked_at(job("new"), "actor", 1, since=0) is None


def test_tokens_are_those_of_jobs_asked_for_since_then(
    database: Database, clock: ManualClock
) -> None:
    ask(database, clock, job("old"), tokens=100)
    midnight = clock.now_s
    ask(database, clock, job("new"), tokens=7)
    other = job("other")
    ask(
        database,
        clock,
        replace(other, target=replace(other.target, repo="o/r")),
        "running",
        tokens=1,
    )
    assert database.tokens_since(midnight) == 16
    assert database.tokens_since(midnight, repository_key="octocat/hello") == 14
    assert database.tokens_since(clock.now_s) == 0
    assert database.tokens_since(midnight, asker_key=other.asker_key) == 16
    assert database.tokens_since(midnight, asker_key="nobody") == 0


def test_a_pause_counts_at_once_in_all_processes(database: Database) -> None:
    assert database.paused() is None
    database.shared.pause("a move")
    database.shared.pause("another move")
    assert database.paused() == "another move"
    database.shared.pause(None)
    assert database.paused() is None
