"""The command line. Exit status: 0 done, 1 failed, 2 wrong usage or configuration; if it is not 0,
one line on stderr says why."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, get_args

from bot.cli.files import NO_PROMPT, PROMPT_FORMS
from bot.cli.output import block_rich, in_shell_words, prepare_output, print_note, program
from bot.config import load_own_config, load_service_config, own_env_file, service_env_file
from bot.errors import SetupError, TinyGenError
from bot.types import State
from bot.version import version

if TYPE_CHECKING:
    from bot.config import Config

    Commands = argparse._SubParsersAction["Parser"]

PRIVATE_UMASK = 0o077
"""All files that TinyGen writes can be read by their owner alone: they hold prompts, code, keys."""

_MISSING = "the following arguments are required: "
"""How argparse begins the message."""


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """The function `name` of a module in `bot.cli`. The module is imported when the command runs, since
    some need a second for that, which `--help` need not wait for."""

    module: str
    name: str

    def __call__(self, config: Config, options: argparse.Namespace) -> int:
        command: Callable[[Config, argparse.Namespace], int]
        command = getattr(import_module(f"bot.cli.{self.module}"), self.name)
        return command(config, options)


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Without arguments all of the help is shown, for a person who only tries the command."""
        if message == f"{_MISSING}COMMAND":
            self.print_help(sys.stderr)
            self.exit(2)
        if message == f"{_MISSING}PROMPT":
            message += f". {NO_PROMPT}"
        super().error(message)


class ShowVersion(argparse.Action):
    """argparse's own action takes the text, so that in a checkout each command would ask git."""

    def __init__(self, option_strings: Sequence[str], help: str, **_: object) -> None:  # noqa: A002
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"TinyGen {version()}")
        parser.exit()


def main(arguments: Sequence[str]) -> int:
    """Runs one command. Returns its exit status."""
    os.umask(PRIVATE_UMASK)
    prepare_output()
    options = build_parser().parse_args(arguments)
    command: LazyCommand = options.command
    block_rich()
    try:
        return command(options.load(os.environ), options)
    except TinyGenError as error:
        one_line = " ".join(in_shell_words(str(error), _settings_file(options)).split())
        print_note(f"tinygen: {one_line}")
        return 2 if isinstance(error, SetupError) else 1


def _settings_file(options: argparse.Namespace) -> Path:
    """The file whose settings the command takes."""
    find = service_env_file if options.load is load_service_config else own_env_file
    try:
        return find(os.environ)
    except SetupError:  # this user has no home directory
        return Path(".env")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=program(),
        description="TinyGen turns a comment into a diff or a pull request.",
        epilog=f"`{program()} COMMAND --help` explains a command and what it takes.",
    )
    parser.add_argument("--version", action=ShowVersion, help="show the version and exit")
    parser.set_defaults(load=load_service_config)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_processes(commands)
    _add_repository_commands(commands)
    _add_operator_commands(commands)
    return parser


def _add(commands: Commands, name: str, summary: str, more: str = "") -> Parser:
    description = f"{summary[0].upper()}{summary[1:]}. {more}".rstrip()
    return commands.add_parser(name, help=summary, description=description)


def _add_processes(commands: Commands) -> None:
    for name, summary in (
        ("serve", "web and worker on this machine"),
        ("web", "the web part alone"),
        ("worker", "a worker alone"),
    ):
        command = _add(commands, name, summary)
        command.set_defaults(command=LazyCommand("serve", name))
        if name != "serve":
            command.add_argument("--child", action="store_true", help=argparse.SUPPRESS)


def _add_repository_commands(commands: Commands) -> None:
    run = _add(
        commands,
        "run",
        "the diff for a prompt",
        "The diff goes to standard output, progress to standard error. Nothing is changed: `git apply`"
        " takes the diff.",
    )
    context = _add(
        commands,
        "context",
        "what the ranking alone would show the model, and why",
        "Of much code, a job's model chooses first. Calls no model.",
    )
    apply = _add(
        commands,
        "apply",
        "the diff that a model's reply makes",
        "Each edit that cannot be applied is a line on standard error, and the exit status is 1."
        " Calls no model.",
    )
    check = _add(
        commands,
        "check",
        "what a repository's .github/tinygen.yml says, and each mistake in it",
        "With what may be shown and changed, and what a bare command delivers. Calls no model. Exit"
        " status 1 if there is a mistake.",
    )
    for command in (run, context, apply, check):
        command.add_argument("repo", metavar="REPO", help="a GitHub URL or a local git directory")
        if command is apply:
            command.add_argument(
                "reply_file",
                metavar="REPLY_FILE",
                help="the reply; `-` reads it from standard input",
            )
        elif command is not check:
            command.add_argument("prompt", metavar="PROMPT", help=f"what to change: {PROMPT_FORMS}")
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
    run.set_defaults(command=LazyCommand("repository", "run"))
    context.set_defaults(command=LazyCommand("repository", "context"))
    apply.set_defaults(command=LazyCommand("repository", "apply"))
    check.add_argument("--json", action="store_true", help="all of it as JSON")
    check.set_defaults(command=LazyCommand("repository.check", "check"))


def _add_operator_commands(commands: Commands) -> None:
    check = _add(
        commands, "doctor", "checks settings, App, deliveries, models, storage and this machine"
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
    check.set_defaults(command=LazyCommand("doctor", "doctor"))
    prepare = _add(commands, "migrate", "makes the database's tables, or brings them up to date")
    prepare.set_defaults(command=LazyCommand("migrate", "migrate"))
    change = _add(
        commands,
        "upgrade",
        "says what this version would change",
        "Run it with the new version, beside the one that runs: it changes nothing. Exit status 1 if"
        " something must be done by hand. deploy/install.sh makes the upgrade, and the way back.",
    )
    change.add_argument(
        "--check", action="store_true", required=True, help="only looks, and is required"
    )
    change.set_defaults(command=LazyCommand("upgrade", "upgrade"))
    moving = _add(
        commands,
        "move-database",
        "copies the embedded database into PostgreSQL",
        "With jobs in flight and all that is kept, while TinyGen is stopped. The old file is renamed.",
    )
    moving.add_argument(
        "url",
        metavar="URL",
        help="postgresql://USER:PASSWORD@HOST/NAME; `-` reads it from standard input",
    )
    moving.set_defaults(command=LazyCommand("move_database", "move_database"))
    _add_jobs(commands)
    stop = _add(commands, "pause", "refuses new work, and lets running work end")
    stop.add_argument(
        "reason", metavar="REASON", nargs="?", default="", help="told to whoever asks meanwhile"
    )
    stop.set_defaults(command=LazyCommand("brakes", "pause"))
    go_on = _add(commands, "resume", "takes new work again after `pause`")
    go_on.set_defaults(command=LazyCommand("brakes", "resume"))
    remove = _add(
        commands, "forget", "removes all that is kept of a repository: jobs, log rows, cache"
    )
    remove.add_argument("repo", metavar="OWNER/NAME", help="the repository's name on GitHub")
    remove.set_defaults(command=LazyCommand("brakes", "forget"))
    register = _add(commands, "setup", "registers the GitHub App and writes the settings' file")
    register.add_argument(
        "--url", help="where GitHub will reach this bot, as https://bot.example.com"
    )
    register.add_argument(
        "--organization", help="the organization that will own the App (default: you)"
    )
    register.set_defaults(command=LazyCommand("setup", "setup"))


def _add_jobs(commands: Commands) -> None:
    group = _add(commands, "jobs", "lists, shows, retries and cancels jobs")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = _add(actions, "list", "the newest jobs, newest first")
    listing.add_argument("--limit", type=_parse_count, default=20, help="how many (default: 20)")
    listing.add_argument("--state", choices=get_args(State), help="only those in this state")
    listing.set_defaults(command=LazyCommand("jobs", "show_list"))
    for name, summary in (
        ("show", "one job, with its steps and its diff"),
        ("retry", "runs a job that failed or was stopped again, as a new one"),
        ("cancel", "stops a job"),
    ):
        action = _add(actions, name, summary)
        action.add_argument("id", metavar="ID", help="as in the first line of the bot's comment")
        action.set_defaults(command=LazyCommand("jobs", name))
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
