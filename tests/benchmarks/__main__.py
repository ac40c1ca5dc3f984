"""`make bench`: every benchmark that needs nothing but this repository, as one table."""

from __future__ import annotations

import sys
from functools import partial

from tests.benchmarks import (
    busy,
    context_cost,
    edits,
    fairness,
    hostile,
    job,
    pages,
    resume,
    review,
    shell,
    throughput,
    webhook,
)


def main() -> int:
    for name, run in (
        ("webhook", webhook.run),
        ("busy", busy.run),
        ("job", job.run),
        ("pages", pages.run),
        ("shell", shell.run),
        ("context", context_cost.run),
        ("review", review.run),
        ("edits", partial(edits.run, commits=12)),
        ("fairness", fairness.run),
        ("hostile", hostile.run),
        ("throughput", throughput.run),
        ("resume", resume.run),
    ):
        print(f"{name}", flush=True)
        for figure, value, target in run():
            print(f"  {figure:85} {value:>22} {target}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
