"""A SQLite file beside a repository, for what was learnt of its contents: quick to read in part,
and never precious.

Nothing waits for the disk. Where the file cannot be used it is removed, and all is learnt again.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import structlog

_TABLES = """
CREATE TABLE IF NOT EXISTS layers (id INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE IF NOT EXISTS kept (name TEXT, layer INTEGER, content BLOB, PRIMARY KEY (name, layer)) WITHOUT ROWID;
"""
_WAIT_S = 5.0
_NAMES_AT_ONCE = 500

T = TypeVar("T")

_log = structlog.get_logger()


class SqliteIndexCache:
    """The Shelf port in one file, whose directory is made when it is needed. Threads and processes
    may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def layers(self, names: Sequence[str]) -> Sequence[Mapping[str, bytes]]:
        return self._using(lambda connection: _read(connection, names)) or ()

    def add(self, layer: Mapping[str, bytes]) -> None:
        self._using(lambda connection: _write(connection, layer))

    def clear(self) -> None:
        self._using(lambda connection: connection.execute("DELETE FROM kept").close())

    def _using(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """What `work` gives, in one transaction; None where it fails, which the log tells. Then the
        file is gone too, unless others only kept it busy."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=_WAIT_S)) as connection:
                connection.execute("PRAGMA journal_mode = WAL").close()
                connection.execute("PRAGMA synchronous = OFF").close()
                connection.executescript(_TABLES).close()
                with connection:
                    return work(connection)
        except (sqlite3.Error, OSError) as error:
            _log.warning("what was learnt of a repository cannot be kept", error=str(error))
            if getattr(error, "sqlite_errorcode", None) not in (
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            ):
                self._remove()
            return None

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            with suppress(OSError):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)


def _read(connection: sqlite3.Connection, names: Sequence[str]) -> Sequence[Mapping[str, bytes]]:
    found: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
    for begin in range(0, len(names), _NAMES_AT_ONCE):
        some = names[begin : begin + _NAMES_AT_ONCE]
        marks = ", ".join("?" * len(some))
        # Only question marks are put into the statement.
        query = f"SELECT layer, name, content FROM kept WHERE name IN ({marks})"  # noqa: S608
        rows = connection.execute(query, some)
        for layer, name, content in rows:
            found[layer][name] = content
    return [found[layer] for layer in sorted(found)]


def _write(connection: sqlite3.Connection, layer: Mapping[str, bytes]) -> None:
    number = connection.execute("INSERT INTO layers DEFAULT VALUES").lastrowid
    connection.executemany(
        "INSERT INTO kept VALUES (?, ?, ?)", ((name, number, layer[name]) for name in sorted(layer))
    )
