"""Jobs per minute with a model that answers at once: on SQLite, and on PostgreSQL with 1, 2 and 4
workers.

The double of GitHub, the model, the web part and all workers share the machine: on two cores, more
than two workers show what sharing costs, not what further machines would bring. PostgreSQL is
measured where its initdb is found.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import ROOT
from tests.benchmarks.job import reply, sample
from tests.doubles.model import ModelDouble
from tests.doubles.supabase import ToolMissing, find_postgres, fresh_database, postgres
from tests.stage import Stage

JOBS, REPOS = 40, 20
UNLIMITED = {
    "TINYGEN_ACTOR_HOURLY": "0",
    "TINYGEN_REPO_HOURLY": "0",
    "TINYGEN_INSTALLATION_CONCURRENCY": "0",
}


def run() -> list[tuple[str, str, str]]:
    """(figure, value, target) rows."""
    sqlite = _jobs_per_minute({}, workers=1)
    rows = [("jobs per minute, SQLite", f"{sqlite:.0f}", "")]
    try:
        find_postgres()
    except ToolMissing as missing:
        return [*rows, ("jobs per minute, PostgreSQL", "not measured", str(missing))]
    with postgres() as server:
        for workers in (1, 2, 4):
            with fresh_database(server) as url:
                each = _jobs_per_minute({"TINYGEN_DATABASE_URL": url}, workers=workers)
            value = f"{each:.0f}, {each / sqlite:.1f} x SQLite"
            rows.append(
                (f"jobs per minute, PostgreSQL, {workers} worker{'s' * (workers > 1)}", value, "")
            )
    return rows


def _jobs_per_minute(settings: dict[str, str], *, workers: int) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="tinygen-bench-") as folder,
        ModelDouble(reply, piece=4096) as model,
        Stage(Path(folder), model.url, UNLIMITED | settings) as stage,
        _more_workers(stage, workers - 1),
    ):
        repos = [
            stage.github.add_repository(
                f"octocat/r{number}", files=sample(1), permissions={"octocat": "admin"}
            )
            for number in range(REPOS)
        ]
        stage.github.install(stage.app, "octocat")
        issues = [
            (
                repo,
                repo.open_issue(
                    "octocat", "The greeting lacks its comma", "See package/greeting.py."
                ).number,
            )
            for repo in repos
            for _ in range(JOBS // REPOS)
        ]
        began = time.perf_counter()
        for repo, number in issues:
            repo.comment(number, "octocat", "/tinygen please fix it")
        for repo, number in issues:
            stage.finished(repo.full_name, number, within_s=300)
        return JOBS / (time.perf_counter() - began) * 60


@contextmanager
def _more_workers(stage: Stage, count: int) -> Iterator[None]:
    """So many besides the stage's own, each as if on a machine of its own; all of them are up."""
    with ExitStack() as stack:
        for number in range(count):
            environment = {
                **stage.environment,
                "TINYGEN_DATA_DIR": str(stage.root / f"worker-{number}"),
            }
            log = stack.enter_context((stage.root / f"worker-{number}.log").open("wb"))
            worker = subprocess.Popen(
                [sys.executable, "-m", "bot", "worker"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
            stack.callback(worker.wait)
            stack.callback(worker.terminate)
        ready = f"{stage.url}/readyz"
        stage.wait(lambda: _workers(ready) > count, "all workers to be alive")
        yield


def _workers(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(json.load(answer)["workers"])
    except urllib.error.HTTPError:
        return 0


if __name__ == "__main__":
    for figure, value, target in run():
        print(f"{figure:75} {value:>22} {target}")
