"""The embedded request log (docs/operations.md): one row for each request."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, func, select

from bot.adapters.database.connection import insert_into, upsert_newer, writing
from bot.adapters.database.schema import requests
from bot.types import FINAL_STATES, Command, Failure, Job, Removal, Report, Target
from bot.types.serialization import log_row


def write_row(engine: Engine, report: Report, now: float) -> None:
    """Inserts the row or brings it to this report's state. Its first `created_at` stays, and an
    older state never replaces a final one."""
    with writing(engine) as connection:
        upsert_newer(connection, requests, _row(report, now), inserted_only=("id", "created_at"))


def insert_row(connection: Connection, report: Report, now: float) -> None:
    """Inserts the row unless there is one."""
    insert = insert_into(connection.engine, requests).values(_row(report, now))
    connection.execute(insert.on_conflict_do_nothing())


def load_refused(connection: Connection, job_id: str) -> Report | None:
    """The report of a job of which only this log keeps anything: its asker had been refused
    before."""
    found = select(requests).where(requests.c.id == job_id, requests.c.state == "refused")
    row = connection.execute(found).one_or_none()
    if row is None:
        return None
    job = Job(
        row.id,
        row.source,
        Target(row.repo, row.installation_id, row.issue_number),
        Command("solve", row.prompt),
        actor=row.actor,
        delivery_id=row.delivery_id,
        received_at=_as_text(row.created_at) or "",
    )
    return Report(
        job,
        "refused",
        mode=row.mode,
        failure=Failure(row.error or "", ""),
        finished_at=_as_text(row.finished_at),
    )


def prune_rows(engine: Engine, before: float) -> int:
    """How many rows were removed: those of requests that ended, and were made before that time."""
    old = delete(requests).where(
        requests.c.state.in_(FINAL_STATES), requests.c.created_at < _iso(before)
    )
    with writing(engine) as connection:
        return connection.execute(old).rowcount


def forget_rows(engine: Engine, removal: Removal) -> None:
    """The rows of these repositories or, if none is named, of the installation."""
    names = [name.lower() for name in removal.names]
    if names:
        rows = delete(requests).where(func.lower(requests.c.repo).in_(names))
    elif removal.installation_id is not None:
        rows = delete(requests).where(requests.c.installation_id == removal.installation_id)
    else:
        raise ValueError("a removal names an installation or repositories")
    with writing(engine) as connection:
        connection.execute(rows)


def _row(report: Report, now: float) -> dict[str, object]:
    row = log_row(report)
    return row | {"created_at": row["created_at"] or _iso(now)}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _as_text(moment: str | datetime | None) -> str | None:
    """SQLite has it as text already."""
    return moment.isoformat() if isinstance(moment, datetime) else moment
