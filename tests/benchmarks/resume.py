"""How long after its worker's SIGKILL a job goes on: until the model is asked again what it was
being asked.

On one machine with SQLite `serve` starts another worker at once, which finds its own jobs. On
PostgreSQL the new one is another worker than the dead one, whose jobs it takes over when nothing
was heard of that for as long as the lease says.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median

from bot.jobs.worker.heartbeat import DEAD_S
from tests.doubles.model import Messages, ModelDouble, Reply, hang
from tests.doubles.supabase import ToolMissing, find_postgres, fresh_database, postgres
from tests.scene import CONFIDENT, FILES, LOUDER
from tests.stage import Stage

Row = tuple[str, str, str]


class Model:
    """Gives no answer to the first review of each job; `asked` are the moments at which a review
    was asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def __call__(self, messages: Messages) -> Reply:
        if "[REVISION NEEDED]" not in str(messages[-1]["content"]):
            return LOUDER
        self.asked.append(time.perf_counter())
        return hang(600) if len(self.asked) % 2 else CONFIDENT


def has_asked(model: Model, times: int) -> bool:
    return len(model.asked) == times


def run() -> list[Row]:
    """(figure, value, target) rows."""
    sqlite = _resumed_s({}, kills=5)
    rows = [
        (
            "SIGKILL of the worker to its job going on, SQLite (median of 5)",
            f"{median(sqlite):.1f} s",
            "",
        )
    ]
    what = "the same on PostgreSQL, taken over from the dead worker (2 kills)"
    try:
        find_postgres()
    except ToolMissing as missing:
        return [*rows, (what, "not measured", str(missing))]
    with postgres() as server, fresh_database(server) as url:
        taken_over = _resumed_s({"TINYGEN_DATABASE_URL": url}, kills=2)
    value = ", ".join(f"{seconds:.0f}" for seconds in taken_over)
    return [*rows, (what, f"{value} s", f"< 60 s; the lease is {DEAD_S:.0f} s")]


def _resumed_s(settings: Mapping[str, str], *, kills: int) -> list[float]:
    model = Model()
    with (
        tempfile.TemporaryDirectory(prefix="tinygen-bench-") as folder,
        ModelDouble(model) as double,
        Stage(Path(folder), double.url, settings) as stage,
    ):
        repo = stage.github.add_repository(
            "octocat/killed", files=FILES, permissions={"octocat": "admin"}
        )
        stage.github.install(stage.app, "octocat")
        found = []
        for number in range(1, kills + 1):
            issue = repo.open_issue("octocat", "Too quiet", "It whispers.")
            repo.comment(issue.number, "octocat", "/tinygen --new Louder.")
            asked = 2 * number - 1
            stage.wait(partial(has_asked, model, asked), "the review to be asked for")
            killed = time.perf_counter()
            for pid in stage.pids("worker"):
                os.kill(pid, signal.SIGKILL)
            stage.finished(repo.full_name, issue.number, within_s=120)
            found.append(model.asked[-1] - killed)
    return found


if __name__ == "__main__":
    for figure, value, target in run():
        print(f"{figure:75} {value:>22} {target}")
