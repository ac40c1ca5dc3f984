"""Jobs for the tests of the database, and the rows that it stores of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from sqlalchemy import Connection, RowMapping, create_engine, text

from bot.types import Command, Failure, Job, Target

NO = Failure("You may not.", "Ask mona.")
RECEIVED_AT = "2026-11-22T10:00:00+00:00"


def job(
    job_id: str = "delivery-1", issue_number: int | None = 7, prompt: str = "Add a test"
) -> Job:
    target = Target("octocat/hello", installation_id=2**40, issue_number=issue_number)
    return Job(
        job_id,
        "comment",
        target,
        Command("solve", prompt),
        "mona",
        delivery_id=job_id,
        received_at=RECEIVED_AT,
    )


def job_by(job_id: str, person: int, repository: int = 1, installation: int = 1) -> Job:
    """A person's command in a repository of an installation."""
    target = replace(job().target, repository_id=repository, installation_id=installation)
    return replace(job(job_id), actor=f"person-{person}", actor_id=person, target=target)


@contextmanager
def reader(url: str) -> Iterator[Connection]:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with closing(engine.connect()) as connection:
        yield connection
    engine.dispose()


def rows(url: str, table: str) -> list[RowMapping]:
    with reader(url) as connection:
        return list(connection.execute(text(f"SELECT * FROM {table} ORDER BY id")).mappings())


def log_rows(url: str) -> list[RowMapping]:
    return rows(url, "tinygen_requests")
