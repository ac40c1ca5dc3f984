"""The waiting jobs among which a worker chooses those to start.

A job starts only while its asker, its repository and its account each have fewer jobs at work than
their share. So the oldest few of each are enough to choose among, and a thousand commands of one
person hide nobody else's. Read from an index alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, select

from bot.adapters.database.schema import jobs
from bot.types import WaitingJob

_FIRST_OF = (
    (("asker_key", "repository_key"), 1),
    (("repository_key",), 2),
    (("account",), 8),
)
"""How many jobs of each group are looked at: at least as many as may start at the same time."""

_COLUMNS = ("id", "asker_key", "repository_key", "account", "accepted_at")


def list_candidates(
    connection: Connection, is_free: ColumnElement[bool], limit: int
) -> Sequence[WaitingJob]:
    """The oldest job of each asker in a repository, of these the oldest of each repository, of
    these the oldest of each account. Oldest first."""
    found = select(*(jobs.c[name] for name in _COLUMNS)).where(is_free).subquery()
    for group, count in _FIRST_OF:
        nth = func.row_number().over(
            partition_by=[found.c[name] for name in group],
            order_by=(found.c.accepted_at, found.c.id),
        )
        ranked = select(*(found.c[name] for name in _COLUMNS), nth.label("nth")).subquery()
        first = select(*(ranked.c[name] for name in _COLUMNS)).where(ranked.c.nth <= count)
        found = first.subquery()
    oldest = select(found).order_by(found.c.accepted_at, found.c.id).limit(limit)
    return tuple(
        WaitingJob(row.id, row.asker_key, row.repository_key, row.account)
        for row in connection.execute(oldest)
    )
