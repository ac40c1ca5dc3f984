"""Engines, transactions and migrations on SQLite and PostgreSQL, with a limit on every wait.

SQLite runs in WAL mode, where readers never wait, and with `synchronous=NORMAL`: a commit survives
the death of any process, but a power cut only if SQLite has waited for the disk since
(https://www.sqlite.org/pragma.html#pragma_synchronous). The durable engine waits for the disk at
each of its commits, in the same file, and takes a job within moments of its acceptance. So a power
cut can lose the deliveries of its last moment, as it loses those that come while the machine is
off.
"""

from __future__ import annotations

import fcntl
import math
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    exists,
    func,
    inspect,
    make_url,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from bot.adapters.database.schema import (
    MIGRATION_TABLE,
    MIGRATIONS,
    MOVE_FROM_OLDER_TABLES,
    OLDER_TABLES,
)
from bot.errors import DatabaseFailed, SetupError
from bot.types import FINAL_STATES

_MIGRATION_WAIT_MS = 600_000  # moving 100 MB of reports to `tinygen_jobs` took 6 s
_MIGRATION_LOCK = 7_449_106  # any number that is the same in every process
_READS_ONLY = "tinygen_reads"


def open_engine(url: str, wait_s: float, checkpoint_pages: int = 1_000) -> Engine:
    """An engine that has not connected yet. Its statements wait at most `wait_s` for a lock or an
    answer.

    `checkpoint_pages`: a commit of this engine writes SQLite's write-ahead log into the file when
    the log is that long. Raises SetupError if the URL is not one of SQLite or PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is not a number
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
    # The driver's own transactions are off: they begin as readers and fail, instead of waiting for
    # the lock, when they write.
    arguments = {"timeout": wait_s, "isolation_level": None}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True, pool_timeout=wait_s)

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL").close()
        connection.execute("PRAGMA synchronous = NORMAL").close()
        connection.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads_only = connection.get_execution_options().get(_READS_ONLY, False)
        cursor = connection.connection.cursor()
        cursor.execute("BEGIN" if reads_only else "BEGIN IMMEDIATE")
        cursor.close()

    return engine


def _open_postgresql(url: URL, wait_s: float) -> Engine:
    # Neither prepared statements nor session settings: a pooler such as Supabase's drops them.
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
        _limit_waits(connection, wait_ms)

    return engine


def _limit_waits(connection: Connection, wait_ms: int) -> None:
    """Limits each statement of this transaction, and how long the server keeps the transaction of a
    client that went away."""
    connection.exec_driver_sql(
        f"SELECT set_config('statement_timeout', '{wait_ms}ms', true), "
        f"set_config('idle_in_transaction_session_timeout', '{wait_ms * 4}ms', true)"
    )


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction, which has SQLite's only write lock from its beginning. If it raises
    OutsideError, nothing was stored."""
    with _named_errors(engine), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that never waits for a writer."""
    with (
        _named_errors(engine),
        engine.execution_options(**{_READS_ONLY: True}).begin() as connection,
    ):
        yield connection


def insert_into(engine: Engine, table: Table) -> sqlite.Insert | postgresql.Insert:
    """The dialect's INSERT, which has ON CONFLICT."""
    return postgresql.insert(table) if engine.dialect.name == "postgresql" else sqlite.insert(table)


def upsert_newer(
    connection: Connection,
    into: Table,
    row: Mapping[str, object],
    *,
    inserted_only: Collection[str],
    kept: Collection[str] = (),
) -> None:
    """Inserts a report's row, or updates the one with its id. An open state never replaces a final
    one.

    An update leaves the `inserted_only` columns alone, and fills the `kept` ones if they are NULL.
    """
    insert = insert_into(connection.engine, into).values(row)
    changed: dict[str, object] = {}
    for name in row:
        if name in kept:
            changed[name] = func.coalesce(into.c[name], insert.excluded[name])
        elif name not in inserted_only:
            changed[name] = insert.excluded[name]
    is_newer = or_(
        into.c.state.is_(None),
        into.c.state.not_in(FINAL_STATES),
        insert.excluded.state.in_(FINAL_STATES),
    )
    connection.execute(
        insert.on_conflict_do_update(index_elements=["id"], set_=changed, where=is_newer)
    )


def insert_unknown(
    engine: Engine, into: Table, rows: Sequence[Mapping[str, object]]
) -> frozenset[str]:
    """Inserts those of the rows, all with the same columns, whose id is new, and returns their ids;
    all or, raising OutsideError, none.

    It is one statement, and on SQLite the driver runs it directly: each further step would cost as
    much as the insert itself.
    """
    columns = tuple(rows[0])
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    row_marks = f"({', '.join([mark] * len(columns))})"
    marks = ", ".join([row_marks] * len(rows))
    # The statement holds only names of our own tables and columns, and marks for the values.
    statement = (
        f"INSERT INTO {into.name} ({', '.join(columns)}) VALUES {marks}"  # noqa: S608
        " ON CONFLICT DO NOTHING RETURNING id"
    )
    # Always in the same order: two transactions with the same ids would otherwise wait for each
    # other.
    ordered = sorted(rows, key=lambda row: str(row["id"]))
    values = tuple(value for row in ordered for value in row.values())
    if engine.dialect.name == "sqlite":
        with _named_errors(engine), closing(engine.raw_connection()) as connection:
            inserted = connection.cursor().execute(statement, values).fetchall()
    else:
        with writing(engine) as transaction:
            inserted = list(transaction.exec_driver_sql(statement, values))
    return frozenset(row[0] for row in inserted)


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
    """SQLite's messages are a fixed set; PostgreSQL's may name the host and the user, so only its
    error code is shown."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return str(cause)
    return f"{type(cause).__name__} {getattr(cause, 'sqlstate', None) or ''}".strip()


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
            _limit_waits(connection, _MIGRATION_WAIT_MS)
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
