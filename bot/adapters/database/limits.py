"""Who was refused lately, and in which repository: for some minutes a refusal counts without being
asked for again.

What was asked and used lately, counted from the reports; nothing that was refused, and no quick
command.

The jobs that wait in the inbox, so that none is hidden behind many of somebody else's.

A job can be started only while its asker, its repository and its account have less at work than
their shares. Of each only the oldest few are looked at: what a thousand commands of one person
leave in the inbox is one row here.

The newest jobs, whether a worker took them yet or not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    delete,
    func,
    or_,
    select,
    true,
    tuple_,
)

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import inbox, refusals, reports, requests
from bot.ports import Waiting
from bot.types import WORK, Command, Failure, Job, Report, State, Target
from bot.types.quota import By
from bot.types.serialization import load_job, load_report

COUNTS_S = 600.0
"""README, "Commands in a thread"."""
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
        newest = (
            insert_into(self._engine, refusals)
            .values(id=_who(job), **row)
            .on_conflict_do_update(index_elements=["id"], set_=row)
        )
        with writing(self._engine) as connection:
            connection.execute(newest)

    def standing(self, job: Job, *, kind: str) -> Failure | None:
        now = self._clock()
        # A refusal that is of much later than now is another clock's, or this one was set back: it
        # does not count.
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
            connection.execute(
                delete(refusals).where(refusals.c.refused_at < self._clock() - COUNTS_S)
            )


def refused_report(connection: Connection, job_id: str) -> Report | None:
    """The report of a job of which only the request log has kept something: one that was refused
    again."""
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
        job,
        "refused",
        mode=row.mode,
        failure=Failure(row.error or "", ""),
        finished_at=_iso(row.finished_at),
    )


def _iso(moment: str | datetime | None) -> str | None:
    """SQLite keeps it as text."""
    return moment.isoformat() if isinstance(moment, datetime) else moment


def _who(job: Job) -> str:
    return f"{job.target.repository_key} {job.asker_key}"


_COUNTS = and_(reports.c.verb.in_(sorted(WORK)), reports.c.state != "refused")


def asked_at(engine: Engine, job: Job, by: By, nth: int, since: float) -> float | None:
    """As `bot.types.quota.Tally` says. Of jobs that come at once, each counts those that were
    stored before it."""
    with reading(engine) as connection:
        mine = connection.execute(
            select(reports.c.created_at).where(reports.c.id == job.id)
        ).scalar()
        earlier = tuple_(reports.c.created_at, reports.c.id) < (
            float("inf") if mine is None else mine,
            job.id,
        )
        of_repo = reports.c.repository_key == job.target.repository_key
        same = reports.c.asker_key == job.asker_key if by == "actor" else of_repo
        newest = select(reports.c.created_at).where(
            reports.c.created_at > since, earlier, _COUNTS, same
        )
        moment: float | None = connection.execute(
            newest.order_by(reports.c.created_at.desc()).offset(nth - 1).limit(1)
        ).scalar()
    return moment


def tokens_since(engine: Engine, since: float, repository_key: str | None) -> int:
    used = select(func.coalesce(func.sum(reports.c.tokens), 0)).where(reports.c.created_at > since)
    with reading(engine) as connection:
        of_repo = (
            used
            if repository_key is None
            else used.where(reports.c.repository_key == repository_key)
        )
        return int(connection.execute(of_repo).scalar_one())


_FIRST_OF = ((("asker", "repository"), 1), (("repository",), 2), (("account",), 8))
"""How many of each are looked at: more than these do not start at once."""
_NAMES = ("id", "asker", "repository", "account", "accepted_at")


def first_in_line(
    connection: Connection, is_free: ColumnElement[bool], limit: int
) -> Sequence[Waiting]:
    """The oldest job of each asker in a repository, of these the first of each repository, of these
    those of each account; oldest first."""
    found = select(*(inbox.c[name] for name in _NAMES)).where(is_free).subquery()
    for group, count in _FIRST_OF:
        order = (found.c.accepted_at, found.c.id)
        nth = func.row_number().over(partition_by=[found.c[name] for name in group], order_by=order)
        ranked = select(*(found.c[name] for name in _NAMES), nth.label("nth")).subquery()
        found = select(*(ranked.c[name] for name in _NAMES)).where(ranked.c.nth <= count).subquery()
    oldest = select(found).order_by(found.c.accepted_at, found.c.id).limit(limit)
    return tuple(
        Waiting(row.id, row.asker, row.repository, row.account)
        for row in connection.execute(oldest)
    )


def newest(engine: Engine, limit: int, state: State | None) -> tuple[Report, ...]:
    """Newest first. Those that wait in the inbox are `queued`."""
    waiting = select(inbox.c.id, inbox.c.accepted_at, inbox.c.job).where(inbox.c.taken_at.is_(None))
    stored = select(reports.c.id, reports.c.created_at, reports.c.report)
    stored = stored.where(true() if state is None else reports.c.state == state)
    with reading(engine) as connection:
        # In this order: a job that is taken between the two is found by the second.
        early = connection.execute(waiting.order_by(inbox.c.accepted_at.desc()).limit(limit)).all()
        late = connection.execute(stored.order_by(reports.c.created_at.desc()).limit(limit)).all()
    found = {
        row.id: (row.accepted_at, queued(row.job)) for row in early if state in (None, "queued")
    }
    found |= {row.id: (row.created_at, load_report(json.loads(row.report))) for row in late}
    in_order = sorted(found.values(), key=lambda each: each[0], reverse=True)
    return tuple(report for _, report in in_order[:limit])


def queued(job: str) -> Report:
    """The report of a job that no worker has taken yet; `job` is the inbox's JSON."""
    return Report(load_job(json.loads(job)), "queued")
