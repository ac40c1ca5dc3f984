"""The jobs whose newest report the request log elsewhere has not taken: sent one by one, oldest
first.

Such a job has a `send_version` in `tinygen_jobs`. It is counted up when the report changes, so that
a report that changed while it was being sent is sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, Engine, and_, case, func, or_, select, update

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import jobs
from bot.ports import UnsentReport
from bot.types import Report

CLAIM_S = 20.0
"""How long a job that `next` gave out is kept from other senders: longer than sending it takes. A
report that is sent twice is still one row there."""

_IS_UNSENT = jobs.c.send_version.is_not(None)


class DatabaseOutbox:
    """Outbox of `bot.ports`."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine, self._clock = engine, clock

    def __len__(self) -> int:
        count = select(func.count()).select_from(jobs).where(_IS_UNSENT)
        with reading(self._engine) as connection:
            return int(connection.execute(count).scalar_one())

    def add(self, report: Report) -> None:
        with writing(self._engine) as connection:
            self.insert(connection, report)

    def insert(self, connection: Connection, report: Report) -> None:
        """As `add`, inside the caller's transaction."""
        now, received_at = self._clock(), report.job.received_at
        row = {
            "id": report.job.id,
            "accepted_at": datetime.fromisoformat(received_at).timestamp() if received_at else now,
            "taken_at": now,
            "send_version": 1,
        }
        next_version = func.coalesce(jobs.c.send_version, 0) + 1
        insert = insert_into(self._engine, jobs).values(row)
        connection.execute(
            insert.on_conflict_do_update(index_elements=["id"], set_={"send_version": next_version})
        )

    def next(self) -> UnsentReport | None:
        now = self._clock()
        was_refused = jobs.c.send_refusals > 0
        # A claim that ends later than any made now was made by another clock, or before this one
        # was set back: it does not count.
        is_claimed = and_(~was_refused, jobs.c.send_free_at.between(now, now + CLAIM_S))
        # A claimed job keeps the younger ones waiting; a refused one that waits lets them pass.
        in_line = and_(_IS_UNSENT, or_(~was_refused, jobs.c.send_free_at <= now))
        oldest = (
            select(
                jobs.c.id, jobs.c.send_version, jobs.c.send_refusals, is_claimed.label("is_claimed")
            )
            .where(in_line)
            .order_by(jobs.c.accepted_at, jobs.c.id)
            .limit(1)
        )
        with reading(self._engine) as connection:
            row = connection.execute(oldest).one_or_none()
        if row is None or row.is_claimed:
            return None
        claim = (
            update(jobs)
            .where(jobs.c.id == row.id, ~is_claimed, in_line)
            .values(send_free_at=now + CLAIM_S)
        )
        with writing(self._engine) as connection:
            is_ours = connection.execute(claim).rowcount == 1
        return UnsentReport(row.id, row.send_version, row.send_refusals) if is_ours else None

    def sent(self, row: UnsentReport) -> None:
        is_newest = jobs.c.send_version == row.version
        version = case((is_newest, None), else_=jobs.c.send_version)
        self._update(row, send_version=version, send_refusals=0, send_free_at=0.0)

    def keep(self, row: UnsentReport) -> None:
        self._update(row, send_free_at=0.0)

    def refused(self, row: UnsentReport, wait_s: float) -> None:
        self._update(row, send_refusals=row.refusals + 1, send_free_at=self._clock() + wait_s)

    def _update(self, row: UnsentReport, **values: object) -> None:
        unsent = update(jobs).where(jobs.c.id == row.id, _IS_UNSENT).values(**values)
        with writing(self._engine) as connection:
            connection.execute(unsent)
