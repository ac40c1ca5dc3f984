"""What was asked and used lately, counted from the reports; nothing that was refused, and no quick command."""

from __future__ import annotations

from sqlalchemy import Engine, and_, func, select, tuple_

from bot.adapters.database.connection import reading
from bot.adapters.database.schema import reports
from bot.core.quota import By
from bot.core.types import WORK, Job

_COUNTS = and_(reports.c.verb.in_(sorted(WORK)), reports.c.state != "refused")


def asked_at(engine: Engine, job: Job, by: By, nth: int, since: float) -> float | None:
    """As `bot.core.quota.Tally` says. Of jobs that come at once, each counts those that were stored before it."""
    with reading(engine) as connection:
        mine = connection.execute(select(reports.c.created_at).where(reports.c.id == job.id)).scalar()
        earlier = tuple_(reports.c.created_at, reports.c.id) < (float("inf") if mine is None else mine, job.id)
        of_repo = reports.c.repository_key == job.target.repository_key
        same = reports.c.asker_key == job.asker_key if by == "actor" else of_repo
        newest = select(reports.c.created_at).where(reports.c.created_at > since, earlier, _COUNTS, same)
        moment: float | None = connection.execute(
            newest.order_by(reports.c.created_at.desc()).offset(nth - 1).limit(1)
        ).scalar()
    return moment


def tokens_since(engine: Engine, since: float, repository_key: str | None) -> int:
    used = select(func.coalesce(func.sum(reports.c.tokens), 0)).where(reports.c.created_at > since)
    with reading(engine) as connection:
        of_repo = used if repository_key is None else used.where(reports.c.repository_key == repository_key)
        return int(connection.execute(of_repo).scalar_one())
