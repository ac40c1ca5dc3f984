"""Engines, transactions and migrations on SQLite and PostgreSQL, with every wait bounded.

SQLite runs in WAL mode, where readers never wait, and with `synchronous=NORMAL`: a commit survives
the death of any process, and a power cut once the disk was next waited for
(https://www.sqlite.org/pragma.html#pragma_synchronous). The durable engine waits for it at each of
its commits, in the same file, and takes a job within moments of its acceptance: a power cut may
cost the deliveries of its last moment, as it costs those that come while the machine is down.
"""

from __future__ import annotations

import fcntl
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from bot.adapters.database.schema import MIGRATION_TABLE, MIGRATIONS
from bot.errors import DatabaseFailed, SetupError

_MIGRATION_WAIT_MS = 60_000
_MIGRATION_LOCK = 7_449_106  # any number that is the same in every process
_READS = "tinygen_reads"


def open_engine(url: str, wait_s: float, checkpoint_pages: int = 1_000) -> Engine:
    """An engine that has not connected yet, whose statements wait at most `wait_s` for a lock or an
    answer.

    `checkpoint_pages`: how long SQLite's write-ahead log may be when a commit of this engine brings
    it into the file. SetupError where the URL is no SQLite or PostgreSQL URL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise _unusable_url() from None
    if parsed.drivername.startswith("sqlite") and parsed.database not in (None, "", ":memory:"):
        return _open_sqlite(parsed, wait_s, checkpoint_pages)
    if parsed.drivername.partition("+")[0] in ("postgresql", "postgres"):
        return _open_postgresql(parsed.set(drivername="postgresql+psycopg"), wait_s)
    raise _unusable_url()


def _unusable_url() -> SetupError:
    return SetupError(
        "TINYGEN_DATABASE_URL cannot be used.",
        next_step=(
            "Give postgresql://USER:PASSWORD@HOST/NAME or sqlite:////absolute/path, or leave it"
            " out."
        ),
    )


def _open_sqlite(url: URL, wait_s: float, checkpoint_pages: int) -> Engine:
    # The driver's own transactions are off: they begin too late, as readers, and then fail instead
    # of waiting.
    arguments = {"timeout": wait_s, "isolation_level": None}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True, pool_timeout=wait_s)

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL").close()
        connection.execute("PRAGMA synchronous = NORMAL").close()
        connection.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_READS, False)
        cursor = connection.connection.cursor()
        cursor.execute("BEGIN" if reads else "BEGIN IMMEDIATE")
        cursor.close()

    return engine


def _open_postgresql(url: URL, wait_s: float) -> Engine:
    # Prepared statements and session settings do not survive a pooler such as Supabase's, so
    # neither is used.
    wait_ms = round(wait_s * 1000)
    arguments = {
        "connect_timeout": math.ceil(wait_s),
        "tcp_user_timeout": wait_ms,
        "prepare_threshold": None,
    }
    engine = create_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        pool_timeout=wait_s,
        pool_pre_ping=True,
        max_overflow=11,
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        _limit(connection, wait_ms)

    return engine


def _limit(connection: Connection, wait_ms: int) -> None:
    """Bounds each statement of this transaction, and how long the server keeps it for a client that
    went away."""
    connection.exec_driver_sql(
        f"SELECT set_config('statement_timeout', '{wait_ms}ms', true), "
        f"set_config('idle_in_transaction_session_timeout', '{wait_ms * 4}ms', true)"
    )


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that holds SQLite's only write lock from its beginning. OutsideError: nothing
    was stored."""
    with _named_errors(engine), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that never waits for a writer."""
    with _named_errors(engine), engine.execution_options(**{_READS: True}).begin() as connection:
        yield connection


def insert_into(engine: Engine, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that may say what to do on a conflict, which each database writes in its own
    way."""
    return postgresql.insert(table) if engine.dialect.name == "postgresql" else sqlite.insert(table)


def insert_unknown(engine: Engine, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Inserts the rows, all with the same columns, whose id is not known yet; all or, raising
    OutsideError, none.

    One statement, and with SQLite by the driver alone: each further step costs as much as the
    insertion itself.
    """
    columns = tuple(rows[0])
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    marks = ", ".join([f"({', '.join([mark] * len(columns))})"] * len(rows))
    # Only names of our own tables and columns are part of the statement.
    statement = (
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES {marks} ON CONFLICT DO NOTHING"  # noqa: S608
    )
    # In one order everywhere: two transactions with the same ids would else wait for each other.
    ordered = sorted(rows, key=lambda row: str(row["id"]))
    values = tuple(value for row in ordered for value in row.values())
    if engine.dialect.name == "sqlite":
        with _named_errors(engine), closing(engine.raw_connection()) as connection:
            connection.cursor().execute(statement, values)
    else:
        with writing(engine) as transaction:
            transaction.exec_driver_sql(statement, values)


@contextmanager
def _named_errors(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise DatabaseFailed(
            f"The database failed ({_reason(error)}).",
            next_step=(
                "Try again; if it lasts, the operator should look at the database and its disk."
            ),
        ) from error


def _reason(error: Exception) -> str:
    """SQLite's words are a fixed set; PostgreSQL's may name the host and the user, so only its code
    is told."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return str(cause)
    return f"{type(cause).__name__} {getattr(cause, 'sqlstate', None) or ''}".strip()


def migrate(engine: Engine) -> int:
    """How many migrations were run to bring the tables up to date; several processes may call it at
    once. No connection stays open: a process may fork afterwards. SetupError where the directory of
    a SQLite file cannot be made."""
    if engine.dialect.name == "sqlite":
        with _only_one(Path(engine.url.database or "").parent), writing(engine) as connection:
            applied = _run_migrations(connection)
    else:
        with writing(engine) as connection:
            _limit(connection, _MIGRATION_WAIT_MS)
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            applied = _run_migrations(connection)
    engine.dispose()
    return applied


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """One process at a time: SQLite does not wait for a lock where it turns a new file to WAL
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
    done = connection.execute(
        text("SELECT coalesce(max(version), 0) FROM tinygen_migrations")
    ).scalar_one()
    for version, migration in enumerate(MIGRATIONS[done:], start=done + 1):
        own = migration.postgresql if connection.dialect.name == "postgresql" else migration.sqlite
        for statement in (*migration.statements, *own):
            connection.execute(text(statement))
        connection.execute(
            text("INSERT INTO tinygen_migrations VALUES (:version)"), {"version": version}
        )
    return len(MIGRATIONS[done:])
