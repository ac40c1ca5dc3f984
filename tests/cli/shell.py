"""Runs `python -m bot` in a folder, as a person does in a shell."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import ROOT


def bot_call(at: Path, *arguments: str, **settings: str) -> dict[str, Any]:
    """A command of the bot as subprocess.run takes it, with these settings alone."""
    return {
        "args": [sys.executable, "-m", "bot", *arguments],
        "cwd": at,
        "env": {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings},
        "timeout": 100,
    }


def isolated_call(at: Path, *arguments: str, **settings: str) -> dict[str, Any]:
    """As `bot_call`, with settings that hide what a developer's own .env sets."""
    hidden = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "TINYGEN_DATA_DIR": str(at / "data")}
    return bot_call(at, *arguments, **{**hidden, **settings})


def run_bot(at: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    call = bot_call(at, *arguments, **settings)
    return subprocess.run(**call, capture_output=True, text=True, check=False)


def run_isolated(at: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    call = isolated_call(at, *arguments, **settings)
    return subprocess.run(**call, capture_output=True, text=True, check=False)


def on_terminal(call: dict[str, Any]) -> bytes:
    """What a terminal gets as the command's stdout."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run(**call, stdout=theirs, stderr=subprocess.DEVNULL, check=False)
        os.close(theirs)
        shown = b""
        while more := read_terminal(terminal.fileno()):
            shown += more
    return shown


def read_terminal(terminal: int) -> bytes:
    """Empty at the end."""
    try:
        return os.read(terminal, 65_536)
    except OSError:  # so a terminal ends where nobody has its other side
        return b""
