"""What every check of the doctor takes, and what it gives."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.app import build_database, build_github, build_impatient_model, build_supabase
from bot.config import Config, UnknownSetting

if TYPE_CHECKING:
    from bot.adapters.database import Database
    from bot.adapters.github import GitHubApp
    from bot.adapters.supabase import SupabaseStore
    from bot.ports import Model


CONNECT_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the output. `good` None: no fault, but worth knowing."""

    subject: str
    good: bool | None
    message: str
    next_step: str = ""
    public: str = ""
    """What the pages say in place of a `message` that names a path or a server; "": the same."""

    def __str__(self) -> str:
        mark = {True: "✓", False: "✗", None: "–"}[self.good]
        step = f" → {self.next_step}" if self.next_step else ""
        return " ".join(f"{mark} {self.subject}: {self.message}{step}".split())


def _connect(host: str, port: int) -> None:
    socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()


@dataclass(frozen=True, slots=True)
class Services:
    """Makes the services that the checks reach. `wait` takes seconds; `connect` takes host and port,
    and raises OSError if nobody answers there."""

    github: Callable[[Config], GitHubApp] = build_github
    model: Callable[[Config], Model] = build_impatient_model
    supabase: Callable[[Config], SupabaseStore | None] = build_supabase
    database: Callable[[Config], Database] = build_database
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait: Callable[[float], None] = time.sleep
    connect: Callable[[str, int], None] = _connect


@dataclass(frozen=True, slots=True)
class Checkup:
    """One run of the checks. `is_thorough`: a delivery is sent again, models are asked, and a row is
    written at Supabase; otherwise the checks only look."""

    config: Config
    services: Services
    unknown: tuple[UnknownSetting, ...] = ()
    """Names that look like settings and are none."""
    env_file: Path | None = None
    is_thorough: bool = True
