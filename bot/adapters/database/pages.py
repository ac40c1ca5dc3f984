"""What the pages show beside a job's report: the list of jobs, what was spent lately, and the
conversations with the model, which are kept compressed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    delete,
    func,
    or_,
    select,
    tuple_,
)

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import jobs, requests, turns
from bot.types import Report
from bot.types.pages import GroupBy, JobFilter, JobList, Spending, Turn
from bot.types.serialization import JOB, REPORT, Codec, codec_of

MAX_GROUPS = 100
"""How many groups of spending are returned: those of the most tokens, or the newest days."""
MAX_WAITING_READ = 2_000
"""How many waiting jobs are looked through for those of a repository or an asker."""
_BATCH = 30
"""How many rows are read at once."""
_TURN: Codec[Turn] = codec_of(Turn)
MAX_TURN_BYTES = 64 << 20
"""Of JSON. A stored turn that unpacks to more is damaged."""
_IS_WAITING = jobs.c.taken_at.is_(None)
_HAS_REPORT = jobs.c.state.is_not(None)
_Key = tuple[float, str]


def list_jobs(engine: Engine, wanted: JobFilter, limit: int) -> JobList:
    """Newest first. Jobs that wait to be taken are `queued`. ValueError if `after` is no such mark."""
    after = _read_mark(wanted.after)
    with reading(engine) as connection:
        # In this order: a job that is taken between the two is found by the second.
        waiting = _take(_waiting(connection, wanted, after), limit + 1)
        reported = _take(_reported(connection, wanted, after), limit + 1)
    found = dict(sorted({**waiting, **reported}.items(), reverse=True)[: limit + 1])
    keys = list(found)[:limit]
    is_last = len(found) <= limit
    return JobList(
        tuple(found[key] for key in keys), "" if is_last else f"{keys[-1][0]!r} {keys[-1][1]}"
    )


def _read_mark(mark: str) -> _Key | None:
    if not mark:
        return None
    accepted_at, _, job_id = mark.partition(" ")
    if not job_id.isprintable():
        raise ValueError("no job has such an id")
    return float(accepted_at), job_id


def _take(rows: Iterator[tuple[_Key, Report]], limit: int) -> dict[_Key, Report]:
    found = {}
    for key, report in rows:
        found[key] = report
        if len(found) == limit:
            break
    return found


def _waiting(
    connection: Connection, wanted: JobFilter, after: _Key | None
) -> Iterator[tuple[_Key, Report]]:
    """Their repository and asker stand in their JSON alone."""
    if wanted.state not in (None, "queued"):
        return
    which: ColumnElement[bool] = _IS_WAITING
    if wanted.asker_key is not None:
        # A call of /run that waits has its own id for a key (`Database.accept`).
        which = and_(
            which, or_(jobs.c.asker_key == wanted.asker_key, jobs.c.asker_key == jobs.c.id)
        )
    rows = _batches(connection, jobs.c.job, which, after)
    for row in islice(rows, MAX_WAITING_READ):
        job = JOB.load(json.loads(row.text))
        is_of_repo = not wanted.repo or job.target.repo.lower() == wanted.repo.lower()
        if is_of_repo and wanted.asker_key in (None, job.asker_key):
            yield (row.accepted_at, row.id), Report(job, "queued")


def _reported(
    connection: Connection, wanted: JobFilter, after: _Key | None
) -> Iterator[tuple[_Key, Report]]:
    which: ColumnElement[bool] = _HAS_REPORT
    if wanted.state is not None:
        which = and_(which, jobs.c.state == wanted.state)
    if wanted.repo:
        which = and_(which, func.lower(jobs.c.repo) == wanted.repo.lower())
    if wanted.asker_key is not None:
        which = and_(which, jobs.c.asker_key == wanted.asker_key)
    for row in _batches(connection, jobs.c.report, which, after):
        yield (row.accepted_at, row.id), REPORT.load(json.loads(row.text))


def _batches(
    connection: Connection, text: ColumnElement[str], which: ColumnElement[bool], after: _Key | None
) -> Iterator[Row[Any]]:
    newest_first = (jobs.c.accepted_at.desc(), jobs.c.id.desc())
    columns = select(jobs.c.id, jobs.c.accepted_at, text.label("text"))
    while True:
        page = columns.where(which)
        if after is not None:
            page = page.where(tuple_(jobs.c.accepted_at, jobs.c.id) < after)
        rows = connection.execute(page.order_by(*newest_first).limit(_BATCH)).all()
        yield from rows
        if len(rows) < _BATCH:
            return
        after = (rows[-1].accepted_at, rows[-1].id)


def spending(engine: Engine, by: GroupBy, since: str) -> tuple[Spending, ...]:
    """What the requests used that were made since then (ISO 8601, UTC): the newest days first, else
    the group of the most tokens. Requests without a call of the model are left out."""
    if by != "day":
        group: ColumnElement[str] = requests.c[{"person": "actor"}.get(by, by)]
    elif engine.dialect.name == "postgresql":
        group = func.to_char(func.timezone("UTC", requests.c.created_at), "YYYY-MM-DD")
    else:
        group = func.substr(requests.c.created_at, 1, 10)
    tokens_in, tokens_out = (
        func.sum(column) for column in (requests.c.prompt_tokens, requests.c.completion_tokens)
    )
    used = (
        select(
            group.label("name"),
            func.count().label("requests"),
            func.sum(requests.c.model_calls).label("calls"),
            tokens_in.label("tokens_in"),
            tokens_out.label("tokens_out"),
            func.sum(requests.c.cost_usd).label("cost"),
        )
        .where(requests.c.created_at >= since, requests.c.model_calls > 0)
        .group_by(group)
        .order_by(group.desc() if by == "day" else (tokens_in + tokens_out).desc())
        .limit(MAX_GROUPS)
    )
    with reading(engine) as connection:
        rows = connection.execute(used).all()
    return tuple(
        Spending(
            row.name or "",
            row.requests,
            int(row.calls),
            int(row.tokens_in),
            int(row.tokens_out),
            None if row.cost is None else float(row.cost),
        )
        for row in rows
    )


class DatabaseTurns:
    """Conversations of `bot.ports`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, job_id: str, turn: Turn) -> None:
        packed = zlib.compress(json.dumps(_TURN.dump(turn)).encode())
        row = insert_into(self._engine, turns).values(
            job_id=job_id, number=turn.number, turn=packed
        )
        newest = {"turn": row.excluded.turn}
        with writing(self._engine) as connection:
            connection.execute(
                row.on_conflict_do_update(index_elements=["job_id", "number"], set_=newest)
            )

    def of(self, job_id: str) -> tuple[Turn, ...]:
        found = select(turns.c.turn).where(turns.c.job_id == job_id).order_by(turns.c.number)
        with reading(self._engine) as connection:
            packed = connection.execute(found).scalars().all()
        return tuple(_TURN.load(json.loads(_unpack(each))) for each in packed)

    def count(self, job_id: str) -> int:
        of_job = select(func.count()).select_from(turns).where(turns.c.job_id == job_id)
        with reading(self._engine) as connection:
            return int(connection.execute(of_job).scalar_one())


def forget_turns(connection: Connection, job_ids: Collection[str]) -> None:
    connection.execute(delete(turns).where(turns.c.job_id.in_(job_ids)))


def prune_turns(connection: Connection) -> None:
    """Removes the conversations whose jobs are gone."""
    is_known = select(jobs.c.id).where(jobs.c.id == turns.c.job_id).exists()
    connection.execute(delete(turns).where(~is_known))


def _unpack(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, MAX_TURN_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError("a stored turn unpacks to too much")
    return text
