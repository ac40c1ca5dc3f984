"""`python -m bot pause` and `resume`: the operator's brake on new work."""

from __future__ import annotations

import argparse

from bot.app import open_database, set_up_logs
from bot.cli.output import print_line
from bot.config import Config


def pause(config: Config, options: argparse.Namespace) -> int:
    """Lets no new work begin. What runs goes on; commands such as `status` are answered."""
    set_up_logs(config)
    database = open_database(config)
    database.create()
    database.pause(options.reason)
    print_line("Paused: new work is refused, with the reason. `python -m bot resume` ends that.")
    return 0


def resume(config: Config, _options: argparse.Namespace) -> int:
    set_up_logs(config)
    database = open_database(config)
    database.create()
    database.pause(None)
    print_line("New work is taken again.")
    return 0
