"""What the tests of deploy/ share: the programs of requirements-dev.txt, and the settings' defaults."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from bot.config import Config
from tests.conftest import absent

GUNICORN_GRACEFUL_S = 30
"""Until when calls that are being answered may end (`bot.cli.http_server`)."""


def find_tool(name: str) -> str:
    """The program's path: that of the tests' environment, else any on this machine."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        absent(name, "run `make install-dev`")
    return str(found)


def defaults() -> Config:
    return Config.model_validate({"GITHUB_WEBHOOK_SECRET": "0123456789abcdef"})
