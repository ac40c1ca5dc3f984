"""The database made ready before any process starts: a step of a deploy, or of an operator whose user may create tables
where TinyGen's own may not."""

from __future__ import annotations

import argparse

from bot.cli.output import print_line
from bot.config import Config
from bot.wiring import database_url, open_database, set_up_logs


def migrate(config: Config, _options: argparse.Namespace) -> int:
    """Makes all tables, or brings them up to date. Again, it changes nothing."""
    from bot.job.engine import migrate as migrate_engine  # half a second, which other commands need not wait

    set_up_logs(config)
    applied = open_database(config).create()
    print_line(f"TinyGen's tables: {applied} changes made." if applied else "TinyGen's tables: up to date already.")
    migrate_engine(database_url(config))
    print_line("The engine's tables: up to date.")
    return 0
