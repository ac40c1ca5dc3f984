"""What a page costs the web part, beside its simplest answer: the page of a usual job with 100,000
characters of conversation a turn, the same asked for again while nothing changes, the page of a job
as large as they get, and the operator's list over 5,000 jobs. All in one process, in turns."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bot.adapters.database import Database
from bot.app import build_database, build_stores
from bot.config import load_config
from bot.types import Message, Reply, Report, Usage
from bot.types.pages import Turn
from bot.types.snapshot import FileStat, Patch
from bot.web import create_app
from tests.web.site import DIFF, JOB, REPORT

Row = tuple[str, str, str]
JOBS = 5_000
HTML = {"Accept": "text/html"}


def run(rounds: int = 25) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(
            {"GITHUB_WEBHOOK_SECRET": "s" * 32, "TINYGEN_DATA_DIR": folder}, env_file=None
        )
        database = build_database(config)
        _fill(database)
        client = create_app(config, build_stores(database), lambda: b"").test_client()
        tag = client.get("/jobs/usual", headers=HTML).headers["ETag"]
        asks = {
            "health": lambda: client.get("/healthz"),
            "usual": lambda: client.get("/jobs/usual", headers=HTML),
            "same": lambda: client.get("/jobs/usual", headers=HTML | {"If-None-Match": tag}),
            "large": lambda: client.get("/jobs/large", headers=HTML),
            "list": lambda: client.get("/jobs", headers=HTML),
        }
        took: dict[str, list[float]] = {name: [] for name in asks}
        for _ in range(rounds):
            for name, ask in asks.items():
                took[name].append(_seconds(ask))
        kept_bytes = _kept_bytes(Path(folder))
        database.close()
    median_ms = {name: 1000 * statistics.median(each) for name, each in took.items()}
    health_ms = median_ms["health"]

    def row(what: str, name: str) -> Row:
        figure = f"{median_ms[name]:.1f} ms ({median_ms[name] / health_ms:.0f} x)"
        return f"{what}, median (of /healthz's time)", figure, ""

    return [
        row("a job's page", "usual"),
        row("the same while nothing changes (304)", "same"),
        row("the page of a job with 1,000 files and 100 turns", "large"),
        row("the operator's list over 5,000 jobs", "list"),
        ("a turn of 100,000 characters as it is kept", f"{kept_bytes:,} bytes", ""),
    ]


def _fill(database: Database) -> None:
    used = Usage(4, 24_000, 900, 0, 0.02, 20.0)
    for number in range(JOBS):
        at = f"2026-{1 + number % 12:02}-{1 + number % 28:02}T00:00:00+00:00"
        job = replace(JOB, id=f"job-{number}", received_at=at)
        report = replace(REPORT, job=job, state="done", usage=used)
        database.save(report)
        database.write(report)
    _save(database, "usual", files=3, turns=4)
    _save(database, "large", files=1_000, turns=100)


def _save(database: Database, job_id: str, *, files: int, turns: int) -> None:
    text = "".join(DIFF.replace("plans.txt", f"plans-{number}.txt") for number in range(files))
    stats = tuple(FileStat(f"plans-{number}.txt", 1, 1, "modified") for number in range(files))
    job = replace(JOB, id=job_id)
    database.save(Report(job, "done", patch=Patch("1" * 40, text, stats), steps=REPORT.steps))
    for number in range(1, turns + 1):
        words = "".join(f"def name_{line}_{number}(value): return value\n" for line in range(2_400))
        reply = Reply("Done.\n" * 300, "stop", "m", 24_000, 900, 5.0)
        turn = Turn(number, "generate", 0, (Message("user", words[:100_000]),), reply, "2026-01-01")
        database.turns.keep(job_id, turn)


def _seconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def _kept_bytes(folder: Path) -> int:
    with sqlite3.connect(folder / "tinygen.sqlite") as connection:
        size = connection.execute("SELECT avg(length(turn)) FROM tinygen_turns").fetchone()[0]
    connection.close()
    return int(size)
