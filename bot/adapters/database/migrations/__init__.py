"""What is done to a database as a whole: its tables are made or brought up to date, here; those at
Supabase, in `supabase.py`; and all of it is copied into another one, in `move.py`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, exists, inspect, or_, select, table, text

from bot.adapters.database.connection import limit_waits, reading, writing
from bot.adapters.database.schema import (
    MIGRATION_TABLE,
    MIGRATIONS,
    MOVE_FROM_OLDER_TABLES,
    OLDER_TABLES,
)
from bot.errors import SetupError

_MIGRATION_WAIT_MS = 600_000  # moving 100 MB of reports to `tinygen_jobs` took 6 s
_MIGRATION_LOCK = 7_449_106  # any number that is the same in every process


def migrate(engine: Engine) -> int:
    """Brings the tables up to date and returns how many migrations that took. Several processes may
    call it at once, and may fork afterwards: no connection stays open.

    Raises SetupError if the directory of a SQLite file cannot be made.
    """
    if engine.dialect.name == "sqlite":
        with _lock_directory(Path(engine.url.database or "").parent), writing(engine) as connection:
            applied = _run_migrations(connection)
    else:
        with writing(engine) as connection:
            limit_waits(connection, _MIGRATION_WAIT_MS)
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            applied = _run_migrations(connection)
    engine.dispose()
    return applied


def count_pending(engine: Engine) -> int:
    """How many migrations `migrate` would run."""
    with reading(engine) as connection:
        if not inspect(connection).has_table("tinygen_migrations"):
            return len(MIGRATIONS)
        return len(MIGRATIONS[_newest_version(connection) :])


@contextmanager
def _lock_directory(directory: Path) -> Iterator[None]:
    """Lets in one process at a time: SQLite waits for no lock while it sets a new file to WAL
    mode."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise SetupError(
            f"The data directory cannot be used ({error.strerror}).",
            next_step="Set TINYGEN_DATA_DIR to a directory that this user may write.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _run_migrations(connection: Connection) -> int:
    connection.execute(text(MIGRATION_TABLE))
    done = _newest_version(connection)
    is_postgresql = connection.dialect.name == "postgresql"
    for version, migration in enumerate(MIGRATIONS[done:], start=done + 1):
        own = migration.postgresql if is_postgresql else migration.sqlite
        for statement in (*migration.statements, *own):
            connection.execute(text(statement))
        connection.execute(
            text("INSERT INTO tinygen_migrations VALUES (:version)"), {"version": version}
        )
    _move_from_older_tables(connection)
    return len(MIGRATIONS[done:])


def _newest_version(connection: Connection) -> int:
    newest = text("SELECT coalesce(max(version), 0) FROM tinygen_migrations")
    return int(connection.execute(newest).scalar_one())


def _move_from_older_tables(connection: Connection) -> None:
    """Moves what a version before `tinygen_jobs` left there. At each start, not once: such a
    version may still run on another machine during an update, or again after a step back."""
    has_rows = or_(*(exists().select_from(table(name)) for name in OLDER_TABLES))
    if not connection.execute(select(has_rows)).scalar_one():
        return
    if connection.dialect.name == "postgresql":
        # Otherwise a row that comes between its INSERT and its DELETE would be lost.
        connection.execute(text(f"LOCK TABLE {', '.join(OLDER_TABLES)}"))
    for statement in MOVE_FROM_OLDER_TABLES:
        connection.execute(text(statement))
