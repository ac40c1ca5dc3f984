"""The checks of this machine: the settings' names, who may read its files, its clock, and git."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Iterator

from bot.cli.doctor.finding import Checkup, Finding
from bot.errors import OutsideError, SetupError

MAX_SKEW_S = 30.0
MIN_GIT = (2, 38)
GIT_TIMEOUT_S = 10.0


def check_names(checkup: Checkup) -> Iterator[Finding]:
    for unknown in checkup.unknown:
        if unknown.meant:
            message = f"{unknown.name}: did you mean {unknown.meant}?"
        else:
            message = f"{unknown.name} is no setting."
        yield Finding("settings", False, message, "Mend or remove it; see .env.example.")
    if not checkup.unknown:
        yield Finding("settings", True, "Each name is one that TinyGen reads.")


def check_modes(checkup: Checkup) -> Iterator[Finding]:
    """Whether every user of this machine may read or change what holds secrets."""
    paths = {
        "the settings' file": checkup.env_file,
        "the file that GITHUB_PRIVATE_KEY_PATH names": checkup.config.github_private_key_path,
        "the data directory": checkup.config.data_dir,
    }
    existing = {name: path for name, path in paths.items() if path and path.exists()}
    is_open = False
    for name, path in existing.items():
        if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
            is_open = True
            message = f"Every user of this machine may use {name}."
            step = "Run `chmod o-rwx` on it, as its owner."
            yield Finding("file modes", False, message, step)
    if not is_open:
        yield Finding("file modes", True, "Other users cannot read settings, key or data.")


def check_clock(checkup: Checkup) -> Iterator[Finding]:
    import httpx

    with checkup.services.github(checkup.config) as github:
        try:
            skew_s = github.clock_skew_s()
        except httpx.HTTPError as error:
            step = "Check GITHUB_API_URL, and that this machine reaches it."
            raise OutsideError(
                f"It cannot be compared: GitHub did not answer ({type(error).__name__}).",
                next_step=step,
            ) from None
    direction = "ahead of" if skew_s > 0 else "behind"
    message = f"{abs(skew_s):.0f} s {direction} GitHub's."
    if abs(skew_s) > MAX_SKEW_S:
        step = "Set this machine's clock by the network: `timedatectl set-ntp true`."
        raise SetupError(message, next_step=step)
    yield Finding("clock", True, message)


def check_git(_checkup: Checkup) -> Iterator[Finding]:
    step = f"Install git {MIN_GIT[0]}.{MIN_GIT[1]} or newer."
    try:
        ended = subprocess.run(
            ["git", "version"], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        raise SetupError("git cannot be run.", next_step=step) from None
    match = re.search(r"(\d+)\.(\d+)", ended.stdout)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < MIN_GIT:
        raise SetupError(f"git is too old: {version[0]}.{version[1]}.", next_step=step)
    yield Finding("git", True, f"{version[0]}.{version[1]}.")
