"""The index of a repository's words, kept in a SQLite file beside the repository.

It is a cache: writes do not wait for the disk, and a file that cannot be used is removed, because
all of it can be computed again.
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
CREATE TABLE IF NOT EXISTS kept
    (name TEXT, layer INTEGER, content BLOB, PRIMARY KEY (name, layer)) WITHOUT ROWID;
"""
_BUSY_WAIT_S = 5.0
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_NAMES_PER_QUERY = 500
"""SQLite versions before 3.32 take at most 999 parameters."""

T = TypeVar("T")

_log = structlog.get_logger()


class SqliteIndexCache:
    """The IndexCache port in one file, whose directory is made at the first use. Threads and
    processes may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_segments(self, names: Sequence[str]) -> Sequence[Mapping[str, bytes]]:
        return self._run(lambda connection: _select(connection, names)) or ()

    def add(self, segment: Mapping[str, bytes]) -> None:
        self._run(lambda connection: _insert(connection, segment))

    def clear(self) -> None:
        self._run(lambda connection: connection.execute("DELETE FROM kept").close())

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """The result of `work` in one transaction. If it fails, it is logged, the result is None,
        and the file is removed, unless it was only locked by others."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=_BUSY_WAIT_S)) as connection:
                connection.execute("PRAGMA journal_mode = WAL").close()
                connection.execute("PRAGMA synchronous = OFF").close()
                connection.executescript(_TABLES).close()
                with connection:
                    return work(connection)
        except (sqlite3.Error, OSError) as error:
            _log.warning("what was learnt of a repository cannot be kept", error=str(error))
            if getattr(error, "sqlite_errorcode", None) not in _BUSY_CODES:
                self._remove()
            return None

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def _select(connection: sqlite3.Connection, names: Sequence[str]) -> Sequence[Mapping[str, bytes]]:
    found: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
    for start in range(0, len(names), _NAMES_PER_QUERY):
        batch = names[start : start + _NAMES_PER_QUERY]
        marks = ", ".join("?" * len(batch))
        # Only question marks are put into the statement.
        query = f"SELECT layer, name, content FROM kept WHERE name IN ({marks})"  # noqa: S608
        for segment_id, name, content in connection.execute(query, batch):
            found[segment_id][name] = content
    return [found[segment_id] for segment_id in sorted(found)]


def _insert(connection: sqlite3.Connection, segment: Mapping[str, bytes]) -> None:
    segment_id = connection.execute("INSERT INTO layers DEFAULT VALUES").lastrowid
    rows = [(name, segment_id, segment[name]) for name in sorted(segment)]
    connection.executemany("INSERT INTO kept VALUES (?, ?, ?)", rows)
