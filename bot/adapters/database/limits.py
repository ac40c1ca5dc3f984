"""What was asked and used lately, counted from the reports: no refused job, and no quick command
such as `help`. Read from an index alone."""

from __future__ import annotations

from sqlalchemy import Engine, and_, func, select, tuple_

from bot.adapters.database.connection import reading
from bot.adapters.database.schema import jobs
from bot.types import WORK, Job
from bot.types.quota import By

_HAS_REPORT = jobs.c.state.is_not(None)
_COUNTS = and_(_HAS_REPORT, jobs.c.verb.in_(sorted(WORK)), jobs.c.state != "refused")


def asked_at(engine: Engine, job: Job, by: By, nth: int, since: float) -> float | None:
    """See `bot.types.quota.Tally`. Of jobs that were accepted at the same time, each counts those
    with a lower id."""
    own = select(jobs.c.accepted_at).where(jobs.c.id == job.id, _HAS_REPORT)
    if by == "actor":
        is_same = jobs.c.asker_key == job.asker_key
    else:
        is_same = jobs.c.repository_key == job.target.repository_key
    with reading(engine) as connection:
        own_at = connection.execute(own).scalar()
        last = float("inf") if own_at is None else own_at
        is_earlier = tuple_(jobs.c.accepted_at, jobs.c.id) < (last, job.id)
        earlier = (
            select(jobs.c.accepted_at)
            .where(jobs.c.accepted_at > since, is_earlier, _COUNTS, is_same)
            .order_by(jobs.c.accepted_at.desc())
            .offset(nth - 1)
            .limit(1)
        )
        nth_at: float | None = connection.execute(earlier).scalar()
    return nth_at


def tokens_since(
    engine: Engine, since: float, repository_key: str | None, asker_key: str | None
) -> int:
    used = select(func.coalesce(func.sum(jobs.c.tokens), 0)).where(
        jobs.c.accepted_at > since, _HAS_REPORT
    )
    if repository_key is not None:
        used = used.where(jobs.c.repository_key == repository_key)
    if asker_key is not None:
        used = used.where(jobs.c.asker_key == asker_key)
    with reading(engine) as connection:
        return int(connection.execute(used).scalar_one())
