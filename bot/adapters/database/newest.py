"""The newest jobs, whether a worker took them yet or not."""

from __future__ import annotations

import json

from sqlalchemy import Engine, select, true

from bot.adapters.database.connection import reading
from bot.adapters.database.schema import inbox, reports
from bot.core.record import load_job, load_report
from bot.core.report import Report
from bot.core.types import State


def newest(engine: Engine, limit: int, state: State | None) -> tuple[Report, ...]:
    """Newest first. Those that wait in the inbox are `queued`."""
    waiting = select(inbox.c.id, inbox.c.accepted_at, inbox.c.job).where(inbox.c.taken_at.is_(None))
    stored = select(reports.c.id, reports.c.created_at, reports.c.report)
    stored = stored.where(true() if state is None else reports.c.state == state)
    with reading(engine) as connection:
        # In this order: a job that is taken between the two is found by the second.
        early = connection.execute(waiting.order_by(inbox.c.accepted_at.desc()).limit(limit)).all()
        late = connection.execute(stored.order_by(reports.c.created_at.desc()).limit(limit)).all()
    found = {row.id: (row.accepted_at, queued(row.job)) for row in early if state in (None, "queued")}
    found |= {row.id: (row.created_at, load_report(json.loads(row.report))) for row in late}
    in_order = sorted(found.values(), key=lambda each: each[0], reverse=True)
    return tuple(report for _, report in in_order[:limit])


def queued(job: str) -> Report:
    """The report of a job that no worker has taken yet; `job` is the inbox's JSON."""
    return Report(load_job(json.loads(job)), "queued")
