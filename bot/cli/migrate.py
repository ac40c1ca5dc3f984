"""`python -m bot migrate`: makes the databases' tables before any process starts, as a step of a deploy.
The tables belong to the user of the database who makes them, and TinyGen must be that user."""

from __future__ import annotations

import argparse
from contextlib import closing

from bot.app import database_url, open_database, open_supabase_migrations, set_up_logs
from bot.cli.output import print_line
from bot.config import Config


def migrate(config: Config, _options: argparse.Namespace) -> int:
    """Makes all tables, or brings them up to date. A second run changes nothing."""
    from bot.jobs.engine import migrate as migrate_engine  # takes half a second to import

    set_up_logs(config)
    applied_count = open_database(config).create()
    if applied_count:
        print_line(f"TinyGen's tables: {applied_count} changes made.")
    else:
        print_line("TinyGen's tables: up to date already.")
    migrate_engine(database_url(config))
    print_line("The engine's tables: up to date.")
    migrations = open_supabase_migrations(config)
    if migrations is not None:
        with closing(migrations):
            ran = migrations.run()
        print_line(f"Supabase: {', '.join(ran) if ran else 'nothing to run'}.")
    return 0
