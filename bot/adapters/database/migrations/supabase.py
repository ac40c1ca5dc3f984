"""The SQL under deploy/supabase/migrations, run in the database of a Supabase project. What ran is
recorded as `supabase db push` records it, so that both may be used:
https://supabase.com/docs/reference/cli/supabase-migration-list
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from bot.adapters.database.connection import open_engine, reading, writing
from bot.errors import SetupError

_LOCK = 7_449_107
"""Any number that is the same in every process: one runs them at a time."""
_COPY = "Copy it from the project's page, under Connect."
_MAKE_RECORD = """
CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (
    version text NOT NULL PRIMARY KEY, statements text[], name text
)"""
_HAS_RECORD = "SELECT to_regclass('supabase_migrations.schema_migrations') IS NOT NULL"
_RECORDED = "SELECT version FROM supabase_migrations.schema_migrations"
_RECORD = """
INSERT INTO supabase_migrations.schema_migrations (version, statements, name)
VALUES (:version, :statements, :name) ON CONFLICT (version) DO NOTHING"""
_IS_SUPABASE = """
SELECT count(*) = 3 FROM pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role')"""


class SupabaseMigrations:
    """Raises SetupError if the URL leads to no database of Supabase, OutsideError if it fails."""

    def __init__(self, url: str, folder: Path, *, wait_s: float = 30.0) -> None:
        """`folder` holds the files; their names give the order. `wait_s` limits each statement."""
        try:
            self._engine = open_engine(url, wait_s)
        except SetupError:
            raise SetupError(
                "TINYGEN_SUPABASE_DATABASE_URL cannot be used.", next_step=_COPY
            ) from None
        self._folder = folder

    def pending(self) -> tuple[str, ...]:
        """The names of the files that did not run there yet, in the order in which they must run."""
        return tuple(path.name for path in self._pending())

    def run(self) -> tuple[str, ...]:
        """Runs those files, and returns their names. Each may run again without harm, so that one
        that was cut off before it was recorded is no problem."""
        with writing(self._engine) as lock:
            lock.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            return self._run()

    def _run(self) -> tuple[str, ...]:
        paths = self._pending()
        for path in paths:
            version, name = _split(path)
            script = path.read_text(encoding="utf-8")
            with writing(self._engine) as connection:
                # The scripts have transactions of their own.
                _run_script(connection, script)
            with writing(self._engine) as connection:
                _run_script(connection, _MAKE_RECORD)
                row = {"version": version, "statements": [script], "name": name}
                connection.execute(text(_RECORD), row)
        return tuple(path.name for path in paths)

    def close(self) -> None:
        self._engine.dispose()

    def _pending(self) -> tuple[Path, ...]:
        with reading(self._engine) as connection:
            if not connection.execute(text(_IS_SUPABASE)).scalar_one():
                raise SetupError(
                    "TINYGEN_SUPABASE_DATABASE_URL leads to no database of Supabase: its roles are not there.",
                    next_step=_COPY,
                )
            has_record = connection.execute(text(_HAS_RECORD)).scalar_one()
            done = set(connection.execute(text(_RECORDED)).scalars()) if has_record else set()
        return tuple(
            path for path in sorted(self._folder.glob("*.sql")) if _split(path)[0] not in done
        )


def _run_script(connection: Connection, script: str) -> None:
    """Several statements at once, which the driver takes where there are no parameters."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(script)
    finally:
        cursor.close()


def _split(path: Path) -> tuple[str, str]:
    version, _, name = path.stem.partition("_")
    return version, name
