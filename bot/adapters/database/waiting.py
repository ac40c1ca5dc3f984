"""The jobs that wait in the inbox, so that none is hidden behind many of somebody else's.

A job can be started only while its asker, its repository and its account have less at work than their shares. Of each
only the oldest few are looked at: what a thousand commands of one person leave in the inbox is one row here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, select

from bot.adapters.database.schema import inbox
from bot.ports import Waiting

_FIRST_OF = ((("asker", "repository"), 1), (("repository",), 2), (("account",), 8))
"""How many of each are looked at: more than these do not start at once."""
_NAMES = ("id", "asker", "repository", "account", "accepted_at")


def first_in_line(connection: Connection, is_free: ColumnElement[bool], limit: int) -> Sequence[Waiting]:
    """The oldest job of each asker in a repository, of these the first of each repository, of these those of each
    account; oldest first."""
    found = select(*(inbox.c[name] for name in _NAMES)).where(is_free).subquery()
    for group, count in _FIRST_OF:
        order = (found.c.accepted_at, found.c.id)
        nth = func.row_number().over(partition_by=[found.c[name] for name in group], order_by=order)
        ranked = select(*(found.c[name] for name in _NAMES), nth.label("nth")).subquery()
        found = select(*(ranked.c[name] for name in _NAMES)).where(ranked.c.nth <= count).subquery()
    oldest = select(found).order_by(found.c.accepted_at, found.c.id).limit(limit)
    return tuple(Waiting(row.id, row.asker, row.repository, row.account) for row in connection.execute(oldest))
