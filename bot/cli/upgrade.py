"""`python -m bot upgrade --check`: what this version would change, on the settings and the database of
the one that runs. It changes nothing, so that it can be run beside it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bot.app import database_url, open_database, open_supabase_migrations, set_up_logs
from bot.cli.doctor import make_checkup, run_checks
from bot.cli.doctor.app import check_app
from bot.cli.doctor.finding import Checkup, Finding
from bot.cli.doctor.machine import check_names
from bot.cli.doctor.storage import check_supabase
from bot.cli.output import in_shell_words, print_line, program
from bot.config import Config, service_env_file
from bot.logs import make_redactor
from bot.version import version


def upgrade(config: Config, _options: argparse.Namespace) -> int:
    """A line for each thing that the upgrade changes or that must be done by hand. Exit status 1 if
    there is one for the operator to do."""
    set_up_logs(config)
    remove_secrets, env_file = make_redactor(config.secrets()), service_env_file(os.environ)
    print_line(f"To TinyGen {version()}:")
    faults = 0
    for finding in run_checks(_CHECKS, make_checkup(config, is_thorough=False)):
        faults += finding.good is False
        print_line(remove_secrets(in_shell_words(str(finding), env_file)))
    if faults:
        print_line(f"{faults} to do by hand, before or after.")
    else:
        print_line("Nothing to do by hand.")
    return 1 if faults else 0


def check_tables(checkup: Checkup) -> Iterator[Finding]:
    url = database_url(checkup.config)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        yield Finding("database", True, "There is none yet; the first start makes it.")
        return
    pending = open_database(checkup.config).pending_migrations()
    if pending:
        changes = "1 change" if pending == 1 else f"{pending} changes"
        message = f"{changes} of tables at the start; the version before can go on with them."
    else:
        message = "Its tables stay as they are."
    yield Finding("database", True, message)


def check_supabase_migrations(checkup: Checkup) -> Iterator[Finding]:
    """By what is recorded there, where TINYGEN_SUPABASE_DATABASE_URL lets us look; else by a look at the
    table."""
    migrations = open_supabase_migrations(checkup.config)
    if migrations is None:
        yield from check_supabase(checkup)
        return
    with closing(migrations):
        names = ", ".join(migrations.pending())
    if names:
        step = f"Run `{program()} migrate`, before the upgrade."
        yield Finding("Supabase", False, f"To run there: {names}.", step)
    else:
        yield Finding("Supabase", True, "Its tables stay as they are.")


def check_app_registration(checkup: Checkup) -> Iterator[Finding]:
    """Permissions and events that this version uses, and the App lacks."""
    for finding in check_app(checkup):
        if finding.subject in ("permissions", "events"):
            yield finding


_CHECKS = {
    "settings": check_names,
    "database": check_tables,
    "Supabase": check_supabase_migrations,
    "App": check_app_registration,
}
