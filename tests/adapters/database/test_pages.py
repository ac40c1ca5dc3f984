"""What the pages read: the list of jobs, what was spent, conversations, and what was last seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.adapters.database import Database
from bot.errors import DatabaseFailed
from bot.types import DeliveryAttempt, Message, Prompt, Removal, Reply, Report, State, Usage
from bot.types.pages import AppStatus, Check, Fault, JobFilter, Turn, count_repeated
from tests.adapters.database.stored import job
from tests.doubles.clock import ManualClock

DAY_S = 86_400.0


def turn(number: int, text: str = "hello", reply: str = "hi") -> Turn:
    answer = Reply(reply, "stop", "m", 1, 2, 0.5)
    return Turn(number, "generate", 0, (Message("user", text),), answer, "2026-01-01")


def save(
    database: Database, job_id: str, state: State = "done", repo: str = "octocat/hello"
) -> None:
    given = job(job_id)
    database.save(Report(replace(given, target=replace(given.target, repo=repo)), state))


def ids(database: Database, wanted: JobFilter, limit: int = 100) -> list[str]:
    return [report.job.id for report in database.list_jobs(wanted, limit).reports]


def test_pages_hold_every_job_once_newest_first(database: Database, clock: ManualClock) -> None:
    for number in range(7):
        clock.now_s += number % 3  # some at the same time
        if number % 2:
            database.accept(job(f"job-{number}"))
        else:
            save(database, f"job-{number}")
    found, after = list[str](), ""
    for _ in range(4):
        page = database.list_jobs(JobFilter(after=after), 2)
        found += [report.job.id for report in page.reports]
        after = page.next
    assert after == ""
    assert sorted(found) == [f"job-{number}" for number in range(7)]
    assert found == ids(database, JobFilter())
    assert found[0] == "job-6" or found[0] == "job-5"


def test_a_list_holds_what_was_asked_for(database: Database, clock: ManualClock) -> None:
    save(database, "a", "failed")
    save(database, "b", "done", repo="Acme/Site")
    database.accept(job("c"))
    clock.now_s += 1
    assert ids(database, JobFilter("failed")) == ["a"]
    assert ids(database, JobFilter("queued")) == ["c"]
    assert ids(database, JobFilter(repo="acme/SITE")) == ["b"]
    assert ids(database, JobFilter(repo="octocat/hello")) == ["c", "a"]
    assert ids(database, JobFilter(asker_key="mona")) == ["c", "b", "a"]
    assert ids(database, JobFilter(asker_key="lisa")) == []
    assert ids(database, JobFilter("running")) == []


@pytest.mark.parametrize("mark", ["x", "1.0x y", "nul\0", "1.0 a\0", "- 1"])
def test_a_mark_that_is_none_is_an_error(database: Database, mark: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        database.list_jobs(JobFilter(after=mark), 2)


def spend(
    database: Database,
    job_id: str,
    at: str,
    tokens: int,
    cost: float | None = None,
    repo: str = "octocat/hello",
    model: str = "m-1",
    calls: int = 1,
) -> None:
    given = job(job_id)
    asked = replace(given, target=replace(given.target, repo=repo), received_at=at)
    used = Usage(calls, tokens, tokens // 10, 0, cost, 1.0)
    database.write(Report(asked, "done", model=model, usage=used))


def test_spending_is_summed_by_day_repository_person_and_model(database: Database) -> None:
    spend(database, "a", "2026-11-20T23:59:59+00:00", 100, 0.5)
    spend(database, "b", "2026-11-21T00:00:00+00:00", 1_000, 0.25, model="m-2")
    spend(database, "c", "2026-11-21T10:00:00+00:00", 10, repo="acme/site")
    spend(database, "d", "2026-11-22T10:00:00+00:00", 0, calls=0)
    spend(database, "e", "2026-10-01T10:00:00+00:00", 5_000)
    since = "2026-11-01T00:00:00+00:00"
    assert [
        (
            each.name,
            each.requests,
            each.calls,
            each.prompt_tokens,
            each.completion_tokens,
            each.cost_usd,
        )
        for each in database.spending("day", since)
    ] == [("2026-11-21", 2, 2, 1_010, 101, 0.25), ("2026-11-20", 1, 1, 100, 10, 0.5)]
    assert [(each.name, each.prompt_tokens) for each in database.spending("repo", since)] == [
        ("octocat/hello", 1_100),
        ("acme/site", 10),
    ]
    assert [each.name for each in database.spending("model", since)] == ["m-2", "m-1"]
    (person,) = database.spending("person", since)
    assert (person.name, person.requests, person.cost_usd) == ("mona", 3, 0.75)
    assert database.spending("repo", since)[1].cost_usd is None


def test_a_conversation_is_kept_in_order_and_replaced_by_number(database: Database) -> None:
    database.turns.keep("a", turn(2))
    database.turns.keep("a", turn(1, "\0\ud800 é" * 10))
    database.turns.keep("b", turn(1))
    database.turns.keep("a", turn(2, reply="again"))
    assert database.turns.of("a") == (turn(1, "\0\ud800 é" * 10), turn(2, reply="again"))
    assert (database.turns.count("a"), database.turns.count("c")) == (2, 0)


def test_a_conversation_goes_with_its_job(database: Database, clock: ManualClock) -> None:
    save(database, "old")
    database.turns.keep("old", turn(1))
    clock.now_s += 10 * DAY_S
    save(database, "new")
    database.turns.keep("new", turn(1))
    database.prune(7 * DAY_S)
    assert (database.turns.count("old"), database.turns.count("new")) == (0, 1)
    kept, _keys = database.kept(Removal(names=("octocat/hello",)))
    database.forget_jobs(kept)
    assert database.turns.count("new") == 0


def test_repeated_messages_are_counted_from_the_first() -> None:
    system, user, answer = Message("system", "s"), Message("user", "u"), Message("assistant", "a")
    prompt = Prompt("repair", (system, user, answer))
    assert count_repeated((), prompt) == 0
    assert count_repeated((system, user), prompt) == 2
    assert count_repeated((system, answer), prompt) == 1
    assert count_repeated((user, system), prompt) == 0


def test_the_signing_key_is_the_same_in_every_process(database: Database) -> None:
    key = database.shared.signing_key()
    assert len(key) == 32
    other = Database(database._engine.url.render_as_string(hide_password=False))
    assert other.shared.signing_key() == key == database.shared.signing_key()
    other.close()


def test_a_database_that_keeps_no_key_signs_nothing(database: Database) -> None:
    database.shared._save("signing key", "")
    with pytest.raises(DatabaseFailed):
        database.shared.signing_key()


def test_what_was_last_seen_is_replaced(database: Database) -> None:
    assert database.shared.app() is None
    assert database.shared.check() is None
    dead = DeliveryAttempt(1, "g", "issues", None, 502, "2026-01-01T00:00:00+00:00")
    seen = AppStatus("2026-01-01", "TinyGen", "https://github.com/apps/t", "https://b", (dead,))
    checked = Check("2026-01-01", (Fault("model", "It is away.", "Start it."),))
    for status, check in ((AppStatus("2025-01-01"), Check("2025-01-01", ())), (seen, checked)):
        database.shared.save_app(status)
        database.shared.save_check(check)
    assert (database.shared.app(), database.shared.check()) == (seen, checked)


def test_a_session_that_ended_is_remembered_as_long_as_its_cookie_lives(
    database: Database, clock: ManualClock
) -> None:
    database.shared.end_session("s-1", clock.now_s + 100)
    database.shared.end_session("s-1", clock.now_s + 100)
    assert database.shared.is_session_ended("s-1")
    assert not database.shared.is_session_ended("s-2")
    database.prune()
    assert database.shared.is_session_ended("s-1")
    clock.now_s += 101
    database.prune()
    assert not database.shared.is_session_ended("s-1")
