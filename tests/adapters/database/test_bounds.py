"""Whatever a server says, within the bounds at which it is read, fits the database: SQLite and
PostgreSQL."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.database import Database
from bot.types import Command, Failure, Job, Report, Target, Usage
from bot.types.snapshot import Patch
from tests.adapters.database.stored import RECEIVED_AT, log_rows

MOST_TOKENS, MOST_USD, MOST_CALLS = 10**9, 10.0**6, 1000
"""Of one call to the model, as bot.adapters.model reads it; the last is more than anybody sets."""

tokens = st.integers(0, MOST_CALLS * MOST_TOKENS)
words = st.text(st.characters() | st.sampled_from("\0\ud800\udfff\u2028\x1b"), max_size=60)
usages = st.builds(
    Usage,
    calls=st.integers(0, MOST_CALLS),
    prompt_tokens=tokens,
    completion_tokens=tokens,
    cached_tokens=tokens,
    cost_usd=st.none() | st.floats(0, MOST_CALLS * MOST_USD),
    seconds=st.floats(0, 10**6),
)
numbers = itertools.count()


def report(usage: Usage, model: str, said: str, issue_number: int, comment_id: int) -> Report:
    target = Target("octocat/hello", 2**63 - 1, issue_number, comment_id=comment_id)
    job = Job(
        f"job-{next(numbers)}",
        "comment",
        target,
        Command("solve", said),
        "mona",
        received_at=RECEIVED_AT,
    )
    return Report(
        job,
        "failed",
        base_ref=said,
        patch=Patch("0" * 40, said),
        summary=said,
        notes=(said,),
        pull_request_url=said,
        model=model,
        usage=usage,
        failure=Failure(said, said),
        finished_at=RECEIVED_AT,
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(usages, words, words, st.integers(1, 2**31 - 1), st.integers(0, 2**63 - 1))
def test_what_a_server_may_say_is_stored_and_comes_back(
    database: Database, usage: Usage, model: str, said: str, issue_number: int, comment_id: int
) -> None:
    told = report(usage, model, said, issue_number, comment_id)
    database.save(told)
    assert database.load(told.job.id) == told


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(usages, words, words, st.integers(1, 2**31 - 1))
def test_what_a_server_may_say_has_a_row_in_the_log(
    database: Database, database_url: str, usage: Usage, model: str, said: str, issue_number: int
) -> None:
    told = report(usage, model, said, issue_number, 1)
    database.write(told)
    (row,) = [row for row in log_rows(database_url) if row["id"] == told.job.id]
    assert (row["prompt_tokens"], row["completion_tokens"]) == (
        usage.prompt_tokens,
        usage.completion_tokens,
    )
    assert "\0" not in row["error"]


def test_the_tokens_of_very_many_jobs_are_counted(database: Database) -> None:
    most = Usage(
        MOST_CALLS,
        MOST_CALLS * MOST_TOKENS,
        MOST_CALLS * MOST_TOKENS,
        cost_usd=MOST_CALLS * MOST_USD,
    )
    for _ in range(20):
        database.save(report(most, "m", "x", 1, 1))
    assert database.tokens_since(0) == 20 * 2 * MOST_CALLS * MOST_TOKENS
