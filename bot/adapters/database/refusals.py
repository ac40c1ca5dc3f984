"""Who was refused lately, and in which repository: for some minutes a refusal counts without being asked for again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, or_, select

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import refusals, requests
from bot.core.report import Failure, Report
from bot.core.types import Command, Job, Target

COUNTS_S = 600.0
"""README, "Commands in a thread"."""
SKEW_S = 30.0
"""By how much the clocks of two workers may differ."""


class DatabaseRefusals:
    """Refusals of `bot.ports`."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine, self._clock = engine, clock

    def add(self, job: Job, failure: Failure, *, covers: str) -> None:
        row = {"covers": covers, "failure": json.dumps(asdict(failure)), "refused_at": self._clock()}
        newest = (
            insert_into(self._engine, refusals)
            .values(id=_who(job), **row)
            .on_conflict_do_update(index_elements=["id"], set_=row)
        )
        with writing(self._engine) as connection:
            connection.execute(newest)

    def standing(self, job: Job, *, kind: str) -> Failure | None:
        now = self._clock()
        # A refusal that is of much later than now is another clock's, or this one was set back: it does not count.
        found = select(refusals.c.failure).where(
            refusals.c.id == _who(job),
            refusals.c.refused_at.between(now - COUNTS_S, now + SKEW_S),
            or_(refusals.c.covers == "", refusals.c.covers == kind),
        )
        with reading(self._engine) as connection:
            failure = connection.execute(found).scalar()
        return None if failure is None else Failure(**json.loads(failure))

    def prune(self) -> None:
        """Forgets those that count no more."""
        with writing(self._engine) as connection:
            connection.execute(delete(refusals).where(refusals.c.refused_at < self._clock() - COUNTS_S))


def refused_report(connection: Connection, job_id: str) -> Report | None:
    """The report of a job of which only the request log has kept something: one that was refused again."""
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
        received_at=_iso(row.created_at) or "",
    )
    return Report(
        job, "refused", mode=row.mode, failure=Failure(row.error or "", ""), finished_at=_iso(row.finished_at)
    )


def _iso(moment: str | datetime | None) -> str | None:
    """SQLite keeps it as text."""
    return moment.isoformat() if isinstance(moment, datetime) else moment


def _who(job: Job) -> str:
    return f"{job.target.repository_key} {job.asker_key}"
