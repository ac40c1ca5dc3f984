"""From a signed delivery to its 202 while the worker has more jobs than it can do: each delivery is
one more of them.

Web part, worker, the double of GitHub, the model and the generator share the machine.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.benchmarks.job import reply, sample
from tests.benchmarks.webhook import deliveries_of, paced, quantile
from tests.doubles.model import ModelDouble
from tests.stage import SECRET, Stage

RATE, SECONDS = 10, 30.0
ISSUE = 7
"""That of the deliveries."""
UNLIMITED = {"TINYGEN_ACTOR_HOURLY": "0", "TINYGEN_REPO_HOURLY": "0", "TINYGEN_DAILY_TOKENS": "0"}


def run() -> list[tuple[str, str, str]]:
    """(figure, value, target) rows."""
    with (
        tempfile.TemporaryDirectory(prefix="tinygen-bench-") as folder,
        ModelDouble(reply, piece=4096) as model,
        Stage(Path(folder), model.url, UNLIMITED) as stage,
    ):
        repo = stage.github.add_repository(
            "octocat/busy", files=sample(150), permissions={"mona": "admin"}
        )
        installation = stage.github.install(stage.app, "octocat")
        for _ in range(ISSUE):
            repo.open_issue(
                "octocat", "The greeting lacks its comma", "See `greeting` in package/greeting.py."
            )
        deliveries = deliveries_of(
            repo.full_name, repository_id=repo.id, installation=installation.id, secret=SECRET
        )
        began = time.perf_counter()
        waits_ms = sorted(1000 * wait_s for wait_s in paced(stage.port, deliveries, RATE, SECONDS))
        seconds = time.perf_counter() - began
        done = sum(1 for row in stage.rows(repo.full_name) if row["state"] == "done")
    if not done:
        raise RuntimeError("no job was done meanwhile: the worker was not busy")
    busy = f"{RATE} requests/s, {60 * done / seconds:.0f} jobs a minute done meanwhile"
    return [
        (f"webhook to 202 while the worker is busy, p50 ({busy})", quantile(waits_ms, 0.5), ""),
        ("the same, p99", quantile(waits_ms, 0.99), ""),
    ]


if __name__ == "__main__":
    for figure, value, target in run():
        print(f"{figure:100} {value:>22} {target}")
