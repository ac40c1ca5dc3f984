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

_COLUMNS = tuple(
    jobs.c[name] for name in ("id", "asker_key", "repository_key", "account", "accepted_at")
)


def list_candidates(
    connection: Connection,
    is_in_line: ColumnElement[bool],
    is_free: ColumnElement[bool],
    limit: int,
) -> Sequence[WaitingJob]:
    """The oldest job of each asker in a repository, of these the oldest of each repository, of
    these the oldest of each account: those that are free, oldest first. One that is in line and not
    free is about to start elsewhere, and none of its asker's passes it meanwhile."""
    found = select(*_COLUMNS, is_free.label("is_free")).where(is_in_line).subquery()
    for group, count in _FIRST_OF:
        nth = func.row_number().over(
            partition_by=[found.c[name] for name in group],
            order_by=(found.c.accepted_at, found.c.id),
        )
        ranked = select(found, nth.label("nth")).subquery()
        columns = [column for column in ranked.c if column.name != "nth"]
        found = select(*columns).where(ranked.c.nth <= count).subquery()
    oldest = select(found).where(found.c.is_free)
    ordered = oldest.order_by(found.c.accepted_at, found.c.id).limit(limit)
    return tuple(
        WaitingJob(row.id, row.asker_key, row.repository_key, row.account)
        for row in connection.execute(ordered)
    )
