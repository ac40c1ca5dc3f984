"""All that a SQLite file holds, copied into a PostgreSQL database that TinyGen has not used yet: TinyGen's
own tables, and the durable engine's, so that jobs in flight go on there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Connection, Engine, MetaData, Table, func, inspect, select

from bot.adapters.database.connection import insert_into, writing
from bot.adapters.database.schema import OLDER_TABLES, jobs, metadata, requests
from bot.errors import SetupError

_ENGINE_SCHEMA = "dbos"
_ENGINE_VERSIONS, _OWN_VERSIONS = "dbos_migrations", "tinygen_migrations"
_MAX_ROWS = 200
"""How many rows one statement inserts: a row may hold megabytes."""


def move(
    source: Engine, destination: Engine, retire_source: Callable[[], None]
) -> Mapping[str, int]:
    """Copies all rows in one transaction, and returns how many there were by table; if it raises,
    the destination is as it was. Both must have the tables of this version, and the bot must not run.

    `retire_source` is called when all is at the destination, while the source's only write lock is
    still held: no command of an operator's is left behind there.

    Raises SetupError if the destination holds jobs, or the engine's tables of the two differ.
    """
    engine_tables = _pair_engine_tables(source, destination)
    with writing(source) as there:
        with writing(destination) as here:
            counts = _copy_all(there, here, engine_tables)
        retire_source()
    return counts


def _copy_all(
    there: Connection, here: Connection, engine_tables: Mapping[str, tuple[Table, Table]]
) -> Mapping[str, int]:
    if here.execute(select(func.count()).select_from(jobs)).scalar_one():
        raise SetupError(
            "That database holds jobs of TinyGen already.",
            next_step="Give an empty one, or set TINYGEN_DATABASE_URL to it if all was moved.",
        )
    counts = {}
    for table in metadata.sorted_tables:
        # The request log may be there already: its table is Supabase's, too.
        if table is not requests:
            here.execute(table.delete())
        counts[table.name] = _copy(there, table, here, table)
    for name, (old, new) in engine_tables.items():
        counts[name] = _copy(there, old, here, new)
    return counts


def _pair_engine_tables(source: Engine, destination: Engine) -> Mapping[str, tuple[Table, Table]]:
    """The engine's tables of the source and what they are at the destination, by name, in an order in
    which a row comes after those that it refers to."""
    old, new = MetaData(), MetaData()
    new.reflect(destination, schema=_ENGINE_SCHEMA)
    names = set(inspect(source).get_table_names()) - {*metadata.tables, *OLDER_TABLES}
    names -= {_ENGINE_VERSIONS, _OWN_VERSIONS}
    old.reflect(source, only=sorted(names))
    pairs = {
        table.name: (old.tables[table.name], table)
        for table in new.sorted_tables
        if table.name in names
    }
    lost = names - pairs.keys()
    for name, (there, here) in pairs.items():
        if not set(there.c.keys()) <= set(here.c.keys()):
            lost.add(name)
    if lost:
        raise SetupError(
            f"The engine's tables differ in the two databases: {', '.join(sorted(lost))}.",
            next_step="Run `python -m bot migrate` on both, with this version of TinyGen.",
        )
    return pairs


def _copy(there: Connection, old: Table, here: Connection, new: Table) -> int:
    count = 0
    for rows in _batches(there, old):
        here.execute(insert_into(here.engine, new).on_conflict_do_nothing(), rows)
        count += len(rows)
    return count


def _batches(there: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    found = there.execution_options(yield_per=_MAX_ROWS).execute(select(table)).mappings()
    for rows in found.partitions():
        yield [{name: _storable(value) for name, value in row.items()} for row in rows]


def _storable(value: object) -> object:
    """PostgreSQL stores no NUL in a text."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
