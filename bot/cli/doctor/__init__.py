"""`python -m bot doctor`: checks that all that TinyGen needs is there, and says what to do about
each fault. The outcome is stored for the pages."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress

from bot.app import set_up_logs
from bot.cli.doctor.app import check_app, check_key, check_secret
from bot.cli.doctor.arrival import check_arrival
from bot.cli.doctor.finding import Checkup, Finding, Services
from bot.cli.doctor.machine import check_clock, check_git, check_modes, check_names
from bot.cli.doctor.model import check_limits, check_model
from bot.cli.doctor.storage import check_data_dir, check_database, check_supabase
from bot.cli.output import in_shell_words, print_line
from bot.config import Config, service_env_file, unknown_settings
from bot.errors import TinyGenError
from bot.logs import make_redactor
from bot.types.pages import Check, Fault

__all__ = ["Checkup", "Finding", "Services", "doctor", "find_all", "run_checks", "save_outcome"]

RunCheck = Callable[[Checkup], Iterator[Finding]]


def doctor(config: Config, options: argparse.Namespace) -> int:
    """Prints a line for each finding as soon as there is one. Exit status 1 if one is a fault."""
    set_up_logs(config)
    if options.model is not None:
        from bot.cli.doctor.exam import examine

        return examine(config, options)
    if options.child:
        from bot.cli.doctor.start import check_at_start

        return check_at_start(make_checkup(config, is_thorough=False))
    remove_secrets = make_redactor(config.secrets())
    checkup, env_file = make_checkup(config), service_env_file(os.environ)
    findings = []
    for finding in find_all(checkup):
        findings.append(finding)
        print_line(remove_secrets(in_shell_words(str(finding), env_file)))
    save_outcome(checkup, findings)
    fault_count = sum(finding.good is False for finding in findings)
    print_line(f"{fault_count} to mend." if fault_count else "All is well.")
    return 1 if fault_count else 0


def make_checkup(config: Config, *, is_thorough: bool = True) -> Checkup:
    env_file = service_env_file(os.environ)
    unknown = unknown_settings(os.environ, env_file)
    return Checkup(config, Services(), unknown, env_file, is_thorough)


def find_all(checkup: Checkup) -> Iterator[Finding]:
    return run_checks(_CHECKS, checkup)


def run_checks(checks: Mapping[str, RunCheck], checkup: Checkup) -> Iterator[Finding]:
    """The findings of every check, even if an earlier one failed."""
    import httpx

    for subject, check in checks.items():
        try:
            yield from check(checkup)
        except TinyGenError as error:
            yield Finding(subject, False, error.message, error.next_step)
        except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"It cannot be checked ({type(error).__name__})."
            step = "Check its settings, and that this machine reaches it."
            yield Finding(subject, False, message, step)


def save_outcome(checkup: Checkup, findings: Sequence[Finding]) -> None:
    """Stores the faults for the pages, if there is a database that is ours and can be opened."""
    if any(finding.subject == "database" and finding.good is None for finding in findings):
        return
    remove_secrets = make_redactor(checkup.config.secrets())
    faults = tuple(
        Fault(
            each.subject,
            remove_secrets(each.public or each.message),
            remove_secrets(each.next_step),
        )
        for each in findings
        if each.good is False
    )
    with suppress(TinyGenError), closing(checkup.services.database(checkup.config)) as database:
        database.shared.save_check(Check(checkup.services.now().isoformat(), faults))


# The database comes before the modes, since opening it closes the data directory to others.
_CHECKS: Mapping[str, RunCheck] = {
    "settings": check_names,
    "limits": check_limits,
    "webhook secret": check_secret,
    "App key": check_key,
    "clock": check_clock,
    "App": check_app,
    "deliveries": check_arrival,
    "model": check_model,
    "Supabase": check_supabase,
    "data directory": check_data_dir,
    "database": check_database,
    "file modes": check_modes,
    "git": check_git,
}
