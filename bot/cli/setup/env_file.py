"""`.env`, to which setup adds and in which it changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from bot.errors import SetupError


def check_env_file(path: Path, names: tuple[str, ...]) -> None:
    """SetupError where one of the settings has a value there already, or nothing could be added."""
    values = dotenv_values(path, interpolate=False) if path.is_file() else {}
    given = [name for name in names if values.get(name)]
    if given:
        raise SetupError(
            f"{path} already sets {', '.join(given)}.",
            next_step="Setup overwrites nothing: remove what it sets for the old App, then run it again.",
        )
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise SetupError(
            f"{path} cannot be written.", next_step="Run setup as the user that owns it, in TinyGen's directory."
        )


def add_settings(path: Path, settings: Mapping[str, str]) -> None:
    """Adds them at the file's end, and makes it readable by its owner alone. What it holds stays as it is."""
    try:
        before = path.read_bytes() if path.exists() else b""
        added = "".join(f"{name}={_quoted(value)}\n" for name, value in settings.items())
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(file, "ab") as env:
            os.fchmod(env.fileno(), 0o600)
            env.write((b"" if before.endswith(b"\n") or not before else b"\n") + added.encode())
            env.flush()
            os.fsync(env.fileno())
    except OSError as error:
        raise SetupError(
            f"{path} cannot be written: {error.strerror}.", next_step="Mend that, then set them there by hand."
        ) from None


def _quoted(value: str) -> str:
    r"""One line in double quotes with `\n` for newlines, which dotenv, systemd and the shell each leave usable."""
    return '"' + value.strip().replace("\n", "\\n") + '"'
