"""Who was refused in the last minutes: a refusal counts for a while without asking GitHub again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import Engine, delete, or_, select

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import refusals
from bot.types import Failure, Job

COUNTS_S = 600.0
"""docs/commands.md, "Who may"."""
SKEW_S = 30.0
"""By how much the clocks of two workers may differ."""


class DatabaseRefusals:
    """Refusals of `bot.ports`."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine, self._clock = engine, clock

    def add(self, job: Job, failure: Failure, *, covers: str) -> None:
        row = {
            "covers": covers,
            "failure": json.dumps(asdict(failure)),
            "refused_at": self._clock(),
        }
        insert = insert_into(self._engine, refusals).values(id=_key(job), **row)
        with writing(self._engine) as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))

    def standing(self, job: Job, *, kind: str) -> Failure | None:
        now = self._clock()
        # A refusal from the future was stored by another clock, or before this one was set back: it
        # does not count.
        found = select(refusals.c.failure).where(
            refusals.c.id == _key(job),
            refusals.c.refused_at.between(now - COUNTS_S, now + SKEW_S),
            or_(refusals.c.covers == "", refusals.c.covers == kind),
        )
        with reading(self._engine) as connection:
            failure = connection.execute(found).scalar()
        return None if failure is None else Failure(**json.loads(failure))

    def prune(self) -> None:
        """Removes those that no longer count."""
        old = delete(refusals).where(refusals.c.refused_at < self._clock() - COUNTS_S)
        with writing(self._engine) as connection:
            connection.execute(old)


def _key(job: Job) -> str:
    return f"{job.target.repository_key} {job.asker_key}"
