"""Engines and transactions on SQLite and PostgreSQL, with a limit on every wait.

SQLite runs in WAL mode, where readers never wait, and with `synchronous=NORMAL`: a commit survives
the death of any process, but a power cut only if SQLite has waited for the disk since
(https://www.sqlite.org/pragma.html#pragma_synchronous). The durable engine waits for the disk at
each of its commits, in the same file, and takes a job within moments of its acceptance. So a power
cut can lose the deliveries of its last moment, as it loses those that come while the machine is
off.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    func,
    make_url,
    or_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from bot.errors import DatabaseFailed, SetupError
from bot.types import FINAL_STATES

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
        limit_waits(connection, wait_ms)

    return engine


def limit_waits(connection: Connection, wait_ms: int) -> None:
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
