"""The conversations of jobs with the model, compressed: for the jobs' pages."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection

from sqlalchemy import Connection, Engine, delete, func, select

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import jobs, turns
from bot.types.pages import Turn
from bot.types.serialization import Codec, codec_of

_TURN: Codec[Turn] = codec_of(Turn)
MAX_TURN_BYTES = 64 << 20
"""Of JSON. A stored turn that unpacks to more is damaged."""


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
