"""The command line. Exit status: 0 done, 1 failed, 2 wrong usage or configuration; if it is not 0,
one line on stderr says why."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import get_args

from bot import __version__
from bot.cli.output import prepare_output, print_note
from bot.config import Config, load_config, load_own_config
from bot.errors import SetupError, TinyGenError
from bot.types import State

PRIVATE_UMASK = 0o077
"""All files that TinyGen writes can be read by their owner alone: they hold prompts, code, keys."""


def main(arguments: Sequence[str]) -> int:
    """Runs one command. Returns its exit status."""
    os.umask(PRIVATE_UMASK)
    prepare_output()
    options = build_parser().parse_args(arguments)
    command: Callable[[Config, argparse.Namespace], int] = options.command
    load: Callable[[Mapping[str, str]], Config] = options.load
    try:
        return command(load(os.environ), options)
    except SetupError as error:
        return _print_error(error, 2)
    except TinyGenError as error:
        return _print_error(error, 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has closed it
        sys.stderr.close()
        return 1


def _print_error(error: TinyGenError, status: int) -> int:
    one_line = " ".join(str(error).split())
    print_note(f"tinygen: {one_line}")
    return status


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot", description="TinyGen turns a comment into a diff or a pull request."
    )
    parser.add_argument("--version", action="version", version=f"TinyGen {__version__}")
    parser.set_defaults(load=load_config)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_processes(commands)
    _add_repository_commands(commands)
    _add_operator_commands(commands)
    return parser


def _add_processes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from bot.cli import serve

    for name, run, summary in (
        ("serve", serve.serve, "web and worker on this machine"),
        ("web", serve.web, "the web part alone"),
        ("worker", serve.worker, "a worker alone"),
    ):
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(command=run)
        if name != "serve":
            command.add_argument("--child", action="store_true", help=argparse.SUPPRESS)


def _add_repository_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from bot.cli import repository

    run = commands.add_parser(
        "run", help="the diff for a prompt", description="Prints the diff for a prompt."
    )
    context = commands.add_parser(
        "context",
        help="what the ranking alone would show the model",
        description=(
            "Prints what the ranking alone would show the model, and why. Of much code, a job's"
            " model chooses first."
        ),
    )
    apply = commands.add_parser(
        "apply",
        help="the diff of a model's reply",
        description="Prints the diff that a model's reply makes.",
    )
    for command in (run, context, apply):
        command.add_argument("repo", metavar="REPO", help="a GitHub URL or a local git directory")
        if command is apply:
            command.add_argument("reply_file", metavar="REPLY_FILE")
        else:
            command.add_argument("prompt", metavar="PROMPT", type=_parse_prompt)
        command.add_argument(
            "--ref", help="branch or commit (default: the default branch, or HEAD)"
        )
        command.set_defaults(load=load_own_config)
    run.add_argument(
        "--json", action="store_true", help="diff, summary, reflections and usage as JSON"
    )
    run.add_argument(
        "--transcript", metavar="FILE", help="write the whole conversation with the model to FILE"
    )
    run.add_argument(
        "--replay", metavar="FILE", help="take the replies from a transcript; no model is asked"
    )
    context.add_argument(
        "--budget",
        type=_parse_count,
        metavar="TOKENS",
        help="at most so many of the repository (default: TINYGEN_CONTEXT_TOKENS)",
    )
    context.add_argument("--json", action="store_true", help="ranking and excerpts as JSON")
    run.set_defaults(command=repository.run)
    context.set_defaults(command=repository.context)
    apply.set_defaults(command=repository.apply)


def _add_operator_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from bot.cli import brakes, doctor, migrate, setup

    check = commands.add_parser(
        "doctor", help="checks settings, App, deliveries, models, storage and this machine"
    )
    check.add_argument(
        "--model",
        nargs="?",
        const="",
        metavar="NAME",
        help="examine the model, or another one of the server, instead",
    )
    check.add_argument(
        "--max-tokens",
        type=_parse_count,
        metavar="TOKENS",
        help="what the exam may use, in and out (default: 60000)",
    )
    check.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    check.set_defaults(command=doctor.doctor)
    prepare = commands.add_parser(
        "migrate", help="makes the database's tables, or brings them up to date"
    )
    prepare.set_defaults(command=migrate.migrate)
    _add_jobs(commands)
    stop = commands.add_parser("pause", help="refuses new work, and lets running work end")
    stop.add_argument(
        "reason", metavar="REASON", nargs="?", default="", help="told to whoever asks meanwhile"
    )
    stop.set_defaults(command=brakes.pause)
    go_on = commands.add_parser("resume", help="takes new work again after `pause`")
    go_on.set_defaults(command=brakes.resume)
    remove = commands.add_parser(
        "forget", help="removes all that is kept of a repository: jobs, log rows, cache"
    )
    remove.add_argument("repo", metavar="OWNER/NAME")
    remove.set_defaults(command=brakes.forget)
    register = commands.add_parser("setup", help="registers the GitHub App and writes .env")
    register.add_argument(
        "--url", help="where GitHub will reach this bot, as https://bot.example.com"
    )
    register.add_argument(
        "--organization", help="the organization that will own the App (default: you)"
    )
    register.set_defaults(command=setup.setup)


def _add_jobs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from bot.cli import jobs

    group = commands.add_parser("jobs", help="lists, shows, retries and cancels jobs")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the newest jobs, newest first")
    listing.add_argument("--limit", type=_parse_count, default=20, help="how many (default: 20)")
    listing.add_argument("--state", choices=get_args(State), help="only those in this state")
    listing.set_defaults(command=jobs.show_list)
    for name, run, summary in (
        ("show", jobs.show, "one job, with its steps and its diff"),
        ("retry", jobs.retry, "runs a job that failed or was stopped again, as a new one"),
        ("cancel", jobs.cancel, "stops a job"),
    ):
        action = actions.add_parser(name, help=summary, description=summary)
        action.add_argument("id", metavar="ID", help="as in the first line of the bot's comment")
        action.set_defaults(command=run)
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="the answer as JSON")


def _parse_count(text: str) -> int:
    """A whole number from 1 on. Python refuses to parse very long numbers, and databases to count
    so far."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(
            "must be a whole number, at least 1 and of at most nine digits"
        )
    return int(text)


def _parse_prompt(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty: say what to change")
    return text
