"""The request log against genuine PostgREST and PostgreSQL, with the roles and keys of a Supabase
project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from bot.adapters.supabase import SupabaseStore
from bot.errors import OutsideError, SetupError
from bot.types import FINAL_STATES, Failure, Removal, Report, State, Target, Usage
from bot.types.serialization import log_row
from bot.types.snapshot import Patch
from tests.adapters.database.stored import job
from tests.doubles.supabase import Supabase, run_sql

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(supabase: Supabase) -> Iterator[SupabaseStore]:
    with closing(supabase.store()) as store:
        yield store


def rows(supabase: Supabase) -> list[dict[str, Any]]:
    with psycopg.connect(supabase.database_url, row_factory=dict_row) as connection:
        return connection.execute("select * from tinygen_requests order by id").fetchall()


def test_a_row_holds_every_column_of_the_report(supabase: Supabase, store: SupabaseStore) -> None:
    report = Report(
        replace(
            job(prompt="Ünïcode 🚀\n'; drop table tinygen_requests; --"), source="review_comment"
        ),
        "failed",
        mode="pr",
        base_sha="a" * 40,
        patch=Patch("a" * 40, 'diff --git a/"x" b/"x"\n+\\n,{}\n'),
        pull_request_url="https://github.com/octocat/hello/pull/1",
        model="a-model",
        usage=Usage(3, 2**33, 20, cost_usd=0.015625),
        failure=Failure("It broke.", "Mend it."),
        finished_at="2026-11-22T10:00:05.5+00:00",
    )
    store.write(report)
    (row,) = rows(supabase)
    row["cost_usd"] = float(row["cost_usd"])
    row["created_at"] = row["created_at"].isoformat()
    row["finished_at"] = row["finished_at"].isoformat().replace(".500000", ".5")
    assert row == log_row(report)


def test_a_row_is_brought_to_its_newest_state_and_keeps_its_creation(
    supabase: Supabase, store: SupabaseStore
) -> None:
    store.write(Report(job(), "queued"))
    later = replace(job(), received_at="2031-01-01T00:00:00+00:00")
    store.write(Report(later, "running"))
    store.write(Report(later, "done", patch=Patch("a" * 40, "")))
    (row,) = rows(supabase)
    assert (row["state"], row["diff"], row["created_at"].year) == ("done", "", 2026)


@pytest.mark.parametrize("final", sorted(FINAL_STATES))
def test_an_older_state_never_replaces_a_final_one(
    supabase: Supabase, store: SupabaseStore, final: State
) -> None:
    store.write(Report(job(), "failed"))
    store.write(Report(job(), final))
    store.write(Report(job(), "running"))
    (row,) = rows(supabase)
    assert row["state"] == final


def test_a_row_that_came_in_between_gets_the_final_state(
    supabase: Supabase, store: SupabaseStore
) -> None:
    """Between the update that finds no row and the insert, another process inserts it."""
    run_sql(
        supabase.database_url,
        "create function come_between() returns trigger language plpgsql security definer as $$"
        " begin  if pg_trigger_depth() = 1 then    insert into tinygen_requests (id, source, repo,"
        " prompt, mode, state, model_calls, prompt_tokens,      completion_tokens) values"
        " ('delivery-1', 'run', 'a/b', '', 'diff', 'queued', 0, 0, 0);  end if; return null; end"
        " $$;create trigger come_between before insert on tinygen_requests for each statement "
        " execute function come_between();",
    )
    store.write(Report(job(), "done"))
    (row,) = rows(supabase)
    assert row["state"] == "done"


def test_writing_twice_is_one_row(supabase: Supabase, store: SupabaseStore) -> None:
    for _ in range(2):
        store.write(Report(job(), "queued"))
    assert len(rows(supabase)) == 1


def test_a_request_without_a_time_gets_the_databases(
    supabase: Supabase, store: SupabaseStore
) -> None:
    store.write(Report(replace(job(), received_at=""), "queued"))
    (row,) = rows(supabase)
    assert row["created_at"] is not None


def test_what_is_no_text_becomes_a_replacement_character(
    supabase: Supabase, store: SupabaseStore
) -> None:
    store.write(Report(job(prompt="a\0b\udc80c\ud800"), "queued"))
    (row,) = rows(supabase)
    assert row["prompt"] == "a\ufffdb\ufffdc\ufffd"


def test_an_id_with_signs_of_the_query_language_is_only_itself(
    supabase: Supabase, store: SupabaseStore
) -> None:
    for job_id in ("a", "a,b)&id=eq.a", 'a"\\', "ü %/?#"):
        store.write(Report(job(job_id), "queued"))
        store.write(Report(job(job_id), "done"))
    assert [row["state"] for row in rows(supabase)] == ["done"] * 4


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_no_other_role_may_read_or_write(
    supabase: Supabase, store: SupabaseStore, role: str
) -> None:
    store.write(Report(job(), "queued"))
    for statement in (
        "select * from tinygen_requests",
        "delete from tinygen_requests",
        "truncate tinygen_requests",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run_sql(supabase.database_url, f"set role {role}; {statement}")


def test_a_role_that_was_granted_the_table_still_sees_no_row(
    supabase: Supabase, store: SupabaseStore
) -> None:
    store.write(Report(job(), "queued"))
    run_sql(supabase.database_url, "grant all on tinygen_requests to anon")
    with psycopg.connect(supabase.database_url) as connection:
        connection.execute("set role anon")
        assert connection.execute("select * from tinygen_requests").fetchall() == []


def test_the_publishable_key_is_refused_and_the_secret_one_asked_for(supabase: Supabase) -> None:
    with closing(SupabaseStore(supabase.url, supabase.publishable_key)) as store:
        for use in (store.check, lambda: store.write(Report(job(), "queued"))):
            with pytest.raises(SetupError, match=r"42501.*secret \(service role\) key") as caught:
                use()
            assert supabase.publishable_key not in str(caught.value)


def test_a_wrong_key_is_a_fault_of_the_settings(supabase: Supabase) -> None:
    wrong = SupabaseStore(supabase.url, "sb_secret_wrong")
    with closing(wrong), pytest.raises(SetupError, match="SUPABASE_KEY") as caught:
        wrong.check()
    assert "sb_secret_wrong" not in str(caught.value)


def test_without_the_table_the_operator_is_told_to_run_the_migration(
    supabase: Supabase, store: SupabaseStore
) -> None:
    run_sql(supabase.database_url, "drop table tinygen_requests; notify pgrst, 'reload schema'")
    for use in (store.check, lambda: store.write(Report(job(), "queued"))):
        with pytest.raises(SetupError, match="deploy/supabase/migrations"):
            use()


def test_without_a_column_the_operator_is_told_to_run_the_migration(
    supabase: Supabase, store: SupabaseStore
) -> None:
    run_sql(supabase.database_url, "alter table tinygen_requests drop column actor")
    for use in (store.check, lambda: store.write(Report(job(), "queued"))):
        with pytest.raises(SetupError, match="deploy/supabase/migrations"):
            use()


def test_a_row_that_the_table_refuses_is_told_with_its_code_alone(
    supabase: Supabase, store: SupabaseStore
) -> None:
    odd = replace(job(), target=Target("octocat/hello", issue_number=2**40))
    with pytest.raises(SetupError, match="22003") as caught:
        store.write(Report(odd, "queued"))
    assert str(2**40) not in str(caught.value)


def test_a_good_key_and_table_pass_the_check(store: SupabaseStore) -> None:
    store.check()


def test_rows_are_written_once_supabase_is_back(supabase: Supabase, store: SupabaseStore) -> None:
    supabase.answer_instead = 503
    with pytest.raises(OutsideError) as caught:
        store.write(Report(job(), "done"))
    assert caught.value.retry_in_s == 7
    supabase.answer_instead = None
    store.write(Report(job(), "done"))
    assert [row["state"] for row in rows(supabase)] == ["done"]


def test_the_migration_may_run_again_and_keeps_the_rows(
    supabase: Supabase, store: SupabaseStore
) -> None:
    store.write(Report(job(), "done"))
    supabase.migrate()
    assert len(rows(supabase)) == 1


def test_the_migration_relies_on_no_default_grant(supabase: Supabase, store: SupabaseStore) -> None:
    run_sql(supabase.database_url, "revoke all on tinygen_requests from service_role")
    supabase.migrate()
    store.write(Report(job(), "queued"))
    store.write(Report(job(), "done"))
    assert [row["state"] for row in rows(supabase)] == ["done"]


@pytest.mark.parametrize("column", ["source", "mode", "state"])
def test_a_value_outside_the_contract_is_refused_by_the_table(
    supabase: Supabase, store: SupabaseStore, column: str
) -> None:
    store.write(Report(job(), "done"))
    with pytest.raises(psycopg.errors.CheckViolation):
        run_sql(supabase.database_url, f"update tinygen_requests set {column} = 'odd'")


def test_rows_of_removed_repositories_go_and_others_stay(
    supabase: Supabase, store: SupabaseStore
) -> None:
    for number, (repo, installation) in enumerate((("O/a", 1), ("o/b", 1), ("o/aa", 2))):
        of = job(f"d-{number}")
        target = replace(of.target, repo=repo, installation_id=installation)
        store.write(Report(replace(of, target=target), "done"))
    store.forget(Removal(1, ("11",), ("o/a",)))
    assert [row["id"] for row in rows(supabase)] == ["d-1", "d-2"]
    store.forget(Removal(1))
    assert [row["id"] for row in rows(supabase)] == ["d-2"]


def test_a_row_is_tried_and_does_not_stay(supabase: Supabase, store: SupabaseStore) -> None:
    store.try_row("doctor-1")
    assert rows(supabase) == []
    methods = [each.partition(" ")[0] for each in supabase.requests]
    assert methods == ["POST", "GET", "DELETE"]


def test_a_key_that_may_not_write_is_told_by_trying_a_row(supabase: Supabase) -> None:
    with (
        closing(SupabaseStore(supabase.url, supabase.publishable_key)) as store,
        pytest.raises(SetupError, match="does not let this key use") as caught,
    ):
        store.try_row("doctor-1")
    assert "SUPABASE_KEY" in caught.value.next_step


def test_a_row_that_cannot_be_deleted_is_told_by_its_id(
    supabase: Supabase, store: SupabaseStore
) -> None:
    for rule in ("nothing", "select * from tinygen_requests where false"):
        keep = "create or replace rule keep as on delete to tinygen_requests do instead"
        run_sql(supabase.database_url, f"{keep} {rule}")
        with pytest.raises(SetupError, match="does not delete it") as caught:
            store.try_row("doctor-1")
        assert "doctor-1" in caught.value.message


def test_a_row_whose_outcome_is_unknown_is_deleted(
    supabase: Supabase, store: SupabaseStore
) -> None:
    supabase.answer_instead = 503
    with pytest.raises(OutsideError):
        store.try_row("doctor-1")
    assert [each.partition(" ")[0] for each in supabase.requests] == ["POST", "DELETE"]
