"""What all processes share beside the jobs: the operator's pause, the key that pages are signed
with, and what was last seen of the outside."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TypeVar

from sqlalchemy import Engine, delete, insert, select

from bot.adapters.database.connection import insert_into, reading, writing
from bot.adapters.database.schema import switches
from bot.errors import DatabaseFailed
from bot.types.pages import AppStatus, Check, SetupRecord
from bot.types.serialization import Codec, codec_of

T = TypeVar("T")

PAUSE = "pause"
_SIGNING_KEY = "signing key"
_APP = "app"
_CHECK = "check"
_SETUP = "setup"
_ENDED = "ended session "
_APP_STATUS: Codec[AppStatus] = codec_of(AppStatus)
_CHECK_RESULT: Codec[Check] = codec_of(Check)
_SETUP_RECORD: Codec[SetupRecord] = codec_of(SetupRecord)


class SharedState:
    """Sessions, LastSeen and SetupRecords of `bot.ports`, and the operator's pause."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def paused(self) -> str | None:
        return self._load(PAUSE)

    def pause(self, reason: str | None) -> None:
        """Lets no new work begin, or again (None), in all processes at once."""
        with writing(self._engine) as connection:
            connection.execute(delete(switches).where(switches.c.id == PAUSE))
            if reason is not None:
                connection.execute(insert(switches).values(id=PAUSE, value=reason))

    def signing_key(self) -> bytes:
        """Made at the first call, the same from then on in every process."""
        key = self._load(_SIGNING_KEY)
        if key is None:
            made = insert_into(self._engine, switches).values(
                id=_SIGNING_KEY, value=secrets.token_hex(32)
            )
            with writing(self._engine) as connection:
                connection.execute(made.on_conflict_do_nothing())
            key = self._load(_SIGNING_KEY)
        if not key:  # an empty key would let anybody sign
            raise DatabaseFailed(
                "The database does not keep what it is given.",
                next_step="Look at the table tinygen_switches.",
            )
        return bytes.fromhex(key)

    def end_session(self, session_id: str, until: float) -> None:
        self._save(_ENDED + _digest(session_id), str(int(until)))

    def is_session_ended(self, session_id: str) -> bool:
        return self._load(_ENDED + _digest(session_id)) is not None

    def prune(self, now: float) -> None:
        """Removes the ended sessions whose cookies have expired."""
        ended = select(switches.c.id, switches.c.value).where(switches.c.id.startswith(_ENDED))
        with writing(self._engine) as connection:
            old = [row.id for row in connection.execute(ended) if int(row.value) < now]
            connection.execute(delete(switches).where(switches.c.id.in_(old)))

    def app(self) -> AppStatus | None:
        return self._load_value(_APP, _APP_STATUS)

    def save_app(self, status: AppStatus) -> None:
        self._save(_APP, json.dumps(_APP_STATUS.dump(status)))

    def check(self) -> Check | None:
        return self._load_value(_CHECK, _CHECK_RESULT)

    def save_check(self, check: Check) -> None:
        self._save(_CHECK, json.dumps(_CHECK_RESULT.dump(check)))

    def setup(self) -> SetupRecord | None:
        return self._load_value(_SETUP, _SETUP_RECORD)

    def save_setup(self, record: SetupRecord) -> None:
        self._save(_SETUP, json.dumps(_SETUP_RECORD.dump(record)))

    def _load(self, name: str) -> str | None:
        with reading(self._engine) as connection:
            value: str | None = connection.execute(
                select(switches.c.value).where(switches.c.id == name)
            ).scalar()
        return value

    def _load_value(self, name: str, codec: Codec[T]) -> T | None:
        text = self._load(name)
        return None if text is None else codec.load(json.loads(text))

    def _save(self, name: str, value: str) -> None:
        row = insert_into(self._engine, switches).values(id=name, value=value)
        with writing(self._engine) as connection:
            connection.execute(
                row.on_conflict_do_update(index_elements=["id"], set_={"value": value})
            )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
