"""`python -m bot pause`, `resume` and `forget`: the operator's brakes."""

from __future__ import annotations

import argparse
import uuid

from bot.app import open_database, set_up_logs
from bot.cli.output import print_line, program
from bot.config import Config
from bot.errors import BadRequest
from bot.types import Command, Job, Removal, Target
from bot.types.names import REPO_NAME


def pause(config: Config, options: argparse.Namespace) -> int:
    """Lets no new work begin. What runs goes on; commands such as `status` are answered."""
    set_up_logs(config)
    database = open_database(config)
    database.create()
    database.shared.pause(options.reason)
    print_line(f"Paused: new work is refused, with the reason. `{program()} resume` ends that.")
    return 0


def resume(config: Config, _options: argparse.Namespace) -> int:
    set_up_logs(config)
    database = open_database(config)
    database.create()
    database.shared.pause(None)
    print_line("New work is taken again.")
    return 0


def forget(config: Config, options: argparse.Namespace) -> int:
    """Removes all that is kept of a repository. A worker does it."""
    if not REPO_NAME.fullmatch(options.repo):
        raise BadRequest("That is not a repository's name.", next_step="Write it as owner/name.")
    set_up_logs(config)
    database = open_database(config)
    database.create()
    removal = Removal(keys=(options.repo.lower(),), names=(options.repo,))
    target = Target(options.repo)
    job = Job(uuid.uuid4().hex, "run", target, Command("forget"), "the operator", removal=removal)
    database.accept(job)
    print_line("A worker removes it as soon as what runs there has stopped; its log says so.")
    return 0
