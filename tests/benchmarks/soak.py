"""Many jobs through one bot, and what it holds on to: memory, open files and disk after each
twentieth of them.

    python -m tests.benchmarks.soak 2000 --picture docs/soak.svg

Sixteen repositories get `/tinygen --pr` commands, eight at a time, from an instant model. The table
is Markdown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.curves import Curve, render_curves
from tests.doubles.github import Repository
from tests.doubles.model import Messages, ModelDouble, Reply
from tests.scene import CONFIDENT, FILES, LOUDER
from tests.stage import Stage, state_of

REPOSITORIES = 16
AT_ONCE = 8
ROWS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """Of all of the bot's processes together."""

    jobs: int
    seconds: float
    memory_mb: float
    files: int
    processes: int
    disk_mb: float

    def row(self) -> str:
        return (
            f"| {self.jobs} | {self.seconds:.0f} | {self.memory_mb:.0f} | {self.files} |"
            f" {self.processes} | {self.disk_mb:.1f} |"
            f" {1024 * self.disk_mb / max(self.jobs, 1):.0f} |"
        )


def reply(messages: Messages) -> Reply:
    return CONFIDENT if "[REVISION NEEDED]" in str(messages[-1]["content"]) else LOUDER


def soak(stage: Stage, jobs: int) -> list[Sample]:
    """A sample before the first job, and after each twentieth of them."""
    stage.github.install(stage.app, "octocat")
    stage.github.limits.per_hour["installation"] = (
        10**9
    )  # else GitHub's own limit ends it after about 240 jobs
    repos = [
        stage.github.add_repository(f"octocat/soak-{n}", files=FILES) for n in range(REPOSITORIES)
    ]
    began, samples = time.monotonic(), [sample(stage, 0, 0.0)]
    for first in range(0, jobs, AT_ONCE):
        last = min(first + AT_ONCE, jobs)
        given = [
            (repo, give(repo)) for repo in (repos[n % REPOSITORIES] for n in range(first, last))
        ]
        for repo, number in given:
            body = stage.finished(repo.full_name, number)
            assert state_of(body) == "done", body
        if last * ROWS // jobs > first * ROWS // jobs:
            samples.append(sample(stage, last, time.monotonic() - began))
    return samples


def give(repo: Repository) -> int:
    issue = repo.open_issue("octocat", "Too quiet", "It whispers.")
    repo.comment(issue.number, "octocat", "/tinygen --pr Louder.")
    return issue.number


def sample(stage: Stage, jobs: int, seconds: float) -> Sample:
    pids = [stage.pid, *stage.pids("web"), *stage.pids("worker")]
    memory = sum(_proportional_kb(pid) for pid in set(pids))
    files = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in set(pids))
    disk = sum(path.stat().st_size for path in stage.data_dir.rglob("*") if path.is_file())
    return Sample(jobs, seconds, memory / 1024, files, len(set(pids)), disk / 1024 / 1024)


def _proportional_kb(pid: int) -> int:
    """What is shared counts by its share, so that forked processes can be added up."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def picture(samples: Sequence[Sample]) -> str:
    """The samples as an SVG."""
    curves = (
        Curve("Memory of all processes (MB)", [(each.jobs, each.memory_mb) for each in samples]),
        Curve("Open files and connections", [(each.jobs, each.files) for each in samples]),
        Curve("Disk: database and cache (MB)", [(each.jobs, each.disk_mb) for each in samples]),
    )
    return render_curves(
        curves, "jobs done", f"What the bot holds on to over {samples[-1].jobs} jobs"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.soak", description="Many jobs through one bot."
    )
    parser.add_argument("jobs", type=int, nargs="?", default=300)
    parser.add_argument("--picture", type=Path, help="where to write the curves as SVG")
    options = parser.parse_args()
    settings = {
        "TINYGEN_ACTOR_HOURLY": "0",
        "TINYGEN_REPO_HOURLY": "0",
        "TINYGEN_DAILY_TOKENS": "0",
    }
    with (
        tempfile.TemporaryDirectory() as root,
        ModelDouble(reply, piece=4096) as model,
        Stage(Path(root), model.url, settings) as stage,
    ):
        samples = soak(stage, options.jobs)
    print("| jobs | seconds | memory (MB) | open files | processes | disk (MB) | disk a job (KB) |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for each in samples:
        print(each.row())
    if options.picture:
        options.picture.write_text(picture(samples))
    return 0


if __name__ == "__main__":
    sys.exit(main())
