"""Which rows the request log elsewhere has not taken yet: they go there one after the other, oldest
first.

What the workers counted, one row for each series.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, func, or_, select, update

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import measures, unsent
from bot.ports import MetricSample, Unsent
from bot.types import Report

CLAIM_S = 20.0
"""How long a row that `next` gave out is waited for: longer than the log elsewhere takes for it.
Sent twice, it is still one row."""


class DatabaseOutbox:
    """Outbox of `bot.ports`."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine, self._clock = engine, clock

    def __len__(self) -> int:
        with reading(self._engine) as connection:
            return int(connection.execute(select(func.count()).select_from(unsent)).scalar_one())

    def add(self, report: Report) -> None:
        with writing(self._engine) as connection:
            self.insert(connection, report)

    def insert(self, connection: Connection, report: Report) -> None:
        """As `add`, in a transaction that stores the row itself as well."""
        came = report.job.received_at
        since = datetime.fromisoformat(came).timestamp() if came else self._clock()
        row = {"id": report.job.id, "since": since, "version": 1, "refusals": 0, "free_at": 0.0}
        newer = (
            insert_into(self._engine, unsent)
            .values(row)
            .on_conflict_do_update(index_elements=["id"], set_={"version": unsent.c.version + 1})
        )
        connection.execute(newer)

    def next(self) -> Unsent | None:
        now = self._clock()
        # One that is claimed holds up those behind it; one that was refused does not. A claim that
        # ends later than any made now is another clock's, or this one was set back: it does not
        # count.
        is_claimed = and_(unsent.c.refusals == 0, unsent.c.free_at.between(now, now + CLAIM_S))
        in_line = or_(unsent.c.refusals == 0, unsent.c.free_at <= now)
        oldest = (
            select(unsent.c.id, unsent.c.version, unsent.c.refusals, is_claimed.label("is_claimed"))
            .where(in_line)
            .order_by(unsent.c.since, unsent.c.id)
            .limit(1)
        )
        with reading(self._engine) as connection:
            row = connection.execute(oldest).one_or_none()
        if row is None or row.is_claimed:
            return None
        same = and_(unsent.c.id == row.id, ~is_claimed, in_line)
        with writing(self._engine) as connection:
            claimed = connection.execute(
                update(unsent).where(same).values(free_at=now + CLAIM_S)
            ).rowcount
        return Unsent(row.id, row.version, row.refusals) if claimed else None

    def sent(self, row: Unsent) -> None:
        this = unsent.c.id == row.id
        with writing(self._engine) as connection:
            connection.execute(delete(unsent).where(this, unsent.c.version == row.version))
            connection.execute(update(unsent).where(this).values(free_at=0.0, refusals=0))

    def keep(self, row: Unsent) -> None:
        with writing(self._engine) as connection:
            connection.execute(update(unsent).where(unsent.c.id == row.id).values(free_at=0.0))

    def refused(self, row: Unsent, wait_s: float) -> None:
        later = {"refusals": row.refusals + 1, "free_at": self._clock() + wait_s}
        with writing(self._engine) as connection:
            connection.execute(update(unsent).where(unsent.c.id == row.id).values(later))


def add_measures(
    engine: Engine, added: Sequence[MetricSample], latest: Sequence[MetricSample]
) -> None:
    """`added` to what is there, `latest` in its place; all or, raising OutsideError, nothing."""
    insert = insert_into(engine, measures)
    kinds: tuple[tuple[Sequence[MetricSample], ColumnElement[float]], ...] = (
        (added, measures.c.value + insert.excluded.value),
        (latest, insert.excluded.value),
    )
    with writing(engine) as connection:
        for counted, value in kinds:
            # In one order everywhere: two workers would else wait for each other.
            rows = sorted((_row(measure) for measure in counted), key=lambda row: str(row["id"]))
            if rows:
                connection.execute(
                    insert.on_conflict_do_update(index_elements=["id"], set_={"value": value}), rows
                )


def read_measures(engine: Engine) -> tuple[MetricSample, ...]:
    with reading(engine) as connection:
        rows = connection.execute(select(measures).order_by(measures.c.id)).all()
    return tuple(
        MetricSample(
            row.name, tuple((str(a), str(b)) for a, b in json.loads(row.labels)), row.value
        )
        for row in rows
    )


def _row(measure: MetricSample) -> dict[str, object]:
    labels = json.dumps(measure.labels)
    return {
        "id": f"{measure.name} {labels}",
        "name": measure.name,
        "labels": labels,
        "value": measure.value,
    }
