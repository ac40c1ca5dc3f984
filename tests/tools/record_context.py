"""Writes down what a checkout of this project makes of twenty made repositories: one file for each.

    python -m tests.tools.record_context ROOT_OF_CHECKOUT OUT_DIR [--processes N]

Two checkouts behave alike where `diff -r` finds nothing between their records.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.tools.checkout import use_checkout


def record(number: int, out: Path) -> str:
    """Writes the record of one repository; its name."""
    from tests.tools.context_records import record_repository

    path = out / f"repository_{number:02}.txt"
    path.write_text(record_repository(number), encoding="utf-8")
    return path.name


def main() -> None:
    """The command."""
    from tests.tools.made.repositories import SIZES

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    pool = ProcessPoolExecutor(
        given.processes, get_context("spawn"), initializer=use_checkout, initargs=(given.root,)
    )
    with pool:
        for name in pool.map(partial(record, out=given.out), reversed(range(len(SIZES)))):
            print(name, flush=True)


if __name__ == "__main__":
    main()
