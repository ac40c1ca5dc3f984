"""`.env` as set-up writes it: it adds settings, and changes nothing that the file holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path

from dotenv import dotenv_values

from bot.config import service_env_file
from bot.errors import SetupError
from bot.types.setup import APP_SETTINGS

MUST_BE_ABSENT = (*APP_SETTINGS, "GITHUB_PRIVATE_KEY_PATH")


def settings_file() -> Path:
    """The file that the processes read. Its directory is made."""
    path = service_env_file(os.environ)
    with suppress(OSError):  # `check_env_file` says that it cannot be written
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def set_names(path: Path) -> frozenset[str]:
    """The settings that have a value in the file."""
    values = dotenv_values(path, interpolate=False) if path.is_file() else {}
    return frozenset(name for name, value in values.items() if value)


def check_env_file(path: Path, names: tuple[str, ...]) -> None:
    """SetupError if the file already has a value for one of the settings, or cannot be written."""
    given = sorted(set_names(path).intersection(names), key=names.index)
    if given:
        raise SetupError(
            f"{path} already sets {', '.join(given)}.",
            next_step=(
                "Setup overwrites nothing: remove what it sets for the old App, then run it again."
            ),
        )
    hiding = [name for name in names if os.environ.get(name) == ""]
    if hiding:
        raise SetupError(
            f"{hiding[0]} is set to nothing in the environment, which hides what {path} sets.",
            next_step="Unset it, then run setup again.",
        )
    try:  # GitHub gives an App's keys out only once: it must be sure that they can be kept
        is_new = not path.exists()
        with _open_private(path):
            pass
        if is_new:
            path.unlink()
    except OSError as error:
        raise SetupError(
            f"{path} cannot be written: {error.strerror}.",
            next_step="Run setup as the user that owns it, in TinyGen's directory.",
        ) from None


def add_settings(path: Path, settings: Mapping[str, str]) -> None:
    """Adds the settings at the end of the file, and makes the file readable by its owner alone.
    What it holds stays as it is."""
    try:
        before = path.read_bytes() if path.exists() else b""
        lines = "".join(f"{name}={_quote(value)}\n" for name, value in settings.items())
        if before and not before.endswith(b"\n"):
            lines = "\n" + lines
        with _open_private(path) as env:
            try:
                env.write(lines.encode())
                os.fsync(env.fileno())
            except OSError:
                env.truncate(len(before))  # half of a key would be taken for one
                raise
    except OSError as error:
        raise SetupError(
            f"{path} cannot be written: {error.strerror}.",
            next_step="Mend that, then write them again.",
        ) from None


def _open_private(path: Path) -> FileIO:
    """The file, made if there is none, for its owner alone. Unbuffered, so that what was written is
    known."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", 0)
    try:
        os.fchmod(file.fileno(), 0o600)
    except OSError:
        file.close()
        raise
    return file


def _quote(value: str) -> str:
    r"""One line in double quotes, with `\n` for newlines: dotenv, systemd and the shell all read a
    usable key from it."""
    return '"' + value.strip().replace("\n", "\\n") + '"'
