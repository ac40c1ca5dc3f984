"""How long a refusal counts, and for what, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from bot.adapters.database import Database
from tests.adapters.database.stored import NO, job_by
from tests.doubles.clock import ManualClock


def test_a_refusal_counts_for_ten_minutes(database: Database, clock: ManualClock) -> None:
    refused = job_by("a", person=1)
    database.refusals.add(refused, NO, covers="")
    clock.now_s += 599
    assert database.refusals.standing(job_by("b", person=1), kind="solve pr") == NO
    clock.now_s += 2
    assert database.refusals.standing(job_by("b", person=1), kind="solve pr") is None


def test_a_refusal_counts_for_person_and_repository_by_their_ids(database: Database) -> None:
    refused = job_by("a", person=1)
    database.refusals.add(refused, NO, covers="")
    renamed = replace(refused, actor="new-login", target=replace(refused.target, repo="new/name"))
    assert database.refusals.standing(renamed, kind="help") == NO
    assert database.refusals.standing(job_by("b", person=2), kind="help") is None
    assert database.refusals.standing(job_by("b", person=1, repository=2), kind="help") is None


def test_a_refusal_of_one_kind_of_command_leaves_the_others(database: Database) -> None:
    database.refusals.add(job_by("a", person=1), NO, covers="solve pr")
    assert database.refusals.standing(job_by("b", person=1), kind="solve pr") == NO
    assert database.refusals.standing(job_by("b", person=1), kind="solve diff") is None


def test_old_refusals_are_forgotten(database: Database, clock: ManualClock) -> None:
    database.refusals.add(job_by("a", person=1), NO, covers="")
    clock.now_s += 601
    database.prune()
    clock.now_s -= 601
    assert database.refusals.standing(job_by("b", person=1), kind="help") is None
