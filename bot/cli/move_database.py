"""`python -m bot move-database URL`: from the embedded database to PostgreSQL, with jobs in flight and
all that is kept."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from bot.app import database_url, lock_worker, open_database, set_up_logs
from bot.cli.output import print_line, program
from bot.cli.serve import check_address
from bot.config import Config
from bot.errors import SetupError

MOVE_WAIT_S = 600.0
"""For one statement, which may carry a hundred megabytes."""


def move_database(config: Config, options: argparse.Namespace) -> int:
    """Copies everything, then renames the SQLite file, so that nothing goes on with it by mistake."""
    set_up_logs(config)
    url = sys.stdin.readline().strip() if options.url == "-" else options.url
    target = config.model_copy(update={"database_url": SecretStr(url)})
    is_to_postgresql = database_url(target).startswith("postgresql+")
    if not database_url(config).startswith("sqlite:///") or not is_to_postgresql:
        raise SetupError(
            "move-database copies the embedded database into PostgreSQL.",
            next_step="Leave TINYGEN_DATABASE_URL unset until then, and give postgresql://USER:PASSWORD@HOST/NAME.",
        )
    path = Path(database_url(config).removeprefix("sqlite:///"))
    if not path.exists():
        raise SetupError(
            f"{path} is not there.",
            next_step="Set TINYGEN_DATA_DIR to TinyGen's data directory; without jobs there is nothing to move.",
        )
    moved = path.with_name(f"{path.name}.moved")
    if moved.exists():
        raise SetupError(
            f"{moved} is there already, from an earlier move.", next_step="Put it elsewhere first."
        )
    with _stopped(config):
        count = _move(config, target, partial(_rename, path, moved))
    print_line(f"Copied {count} rows. The old database is {moved} now.")
    print_line("Set TINYGEN_DATABASE_URL to that address for every process, and start TinyGen.")
    print_line(f"Then look whether all is well: {program()} doctor")
    return 0


@contextmanager
def _stopped(config: Config) -> Iterator[None]:
    """SetupError if TinyGen runs; no worker starts meanwhile."""
    try:
        check_address(config)
        lock = lock_worker(config)
    except SetupError:
        raise SetupError(
            "TinyGen runs, or something else has its port.",
            next_step="Stop all of it first: what it would write meanwhile is lost.",
        ) from None
    try:
        yield
    finally:
        if lock is not None:
            lock.close()


def _move(config: Config, target: Config, retire: Callable[[], None]) -> int:
    from bot.jobs.engine import migrate as migrate_engine  # takes half a second to import

    for each in (config, target):
        with closing(open_database(each)) as database:
            database.create()
        migrate_engine(database_url(each))
    with (
        closing(open_database(config)) as old,
        closing(open_database(target, wait_s=MOVE_WAIT_S)) as new,
    ):
        return sum(old.move_to(new, retire).values())


def _rename(path: Path, moved: Path) -> None:
    """SQLite finds the file's write-ahead log, where one is left, by its name."""
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(moved.with_name(moved.name + suffix))
