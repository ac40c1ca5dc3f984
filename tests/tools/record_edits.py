"""Writes down what a checkout of this project makes of replies: a line for each, in one file for
each source of them.

    python -m tests.tools.record_edits ROOT_OF_CHECKOUT OUT_DIR [--cases DIR]
        [--history GIT_DIR --until COMMIT] [--commits N] [--processes N]

The replies are made from commits of the made repositories and, where they are named, of a real one
up to a commit. The samples beside this program, and cases from elsewhere, are read too. Two
checkouts behave alike where `diff -r` finds nothing between their records.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.tools.checkout import use_checkout

_TESTS = Path(__file__).parents[1]
_SAMPLES = _TESTS / "samples" / "replies"
_ENDINGS = (_TESTS / "core" / "golden", _TESTS / "thread" / "golden")
"""Where the comments that people see are kept, now and later: no replies, but read as such."""
_GREETER = _TESTS / "samples" / "greeter"


@dataclass(frozen=True)
class Source:
    """Where replies come from: a made repository by its number, or commits up to one of a real
    repository."""

    number: int = -1
    git_dir: Path = Path()
    until: str = ""
    skip: int = 0
    count: int = 0

    @property
    def name(self) -> str:
        """Of its record."""
        return f"history_{self.skip:03}" if self.until else f"made_{self.number:02}"


def record(source: Source, out: Path) -> str:
    """Writes the record of one source; its name."""
    from tests.tools.edit_records import record_commits
    from tests.tools.git_commits import read_commits
    from tests.tools.made.commits import COMMITS, make_history
    from tests.tools.made.repositories import make_repository

    if source.until:
        commits = list(read_commits(source.git_dir, source.until, source.skip + source.count))
        _write(out, source.name, record_commits(commits[source.skip :]))
        return source.name
    with tempfile.TemporaryDirectory() as folder:
        git_dir = Path(folder, "made")
        make_history(make_repository(source.number), source.number, git_dir)
        _write(out, source.name, record_commits(list(read_commits(git_dir, "main", COMMITS))))
    return source.name


def record_folders(out: Path, cases: Path | None) -> None:
    """Writes the records of the replies that are kept as files."""
    from tests.tools.edit_records import read_folder, record_samples

    _write(out, "samples", record_samples(_SAMPLES, read_folder(_SAMPLES / "files")))
    endings = next(folder for folder in _ENDINGS if [*folder.glob("*.md")])
    _write(out, "endings", record_samples(endings, read_folder(_GREETER)))
    if cases:
        texts: dict[str, str] = json.loads((cases / "replies.json").read_text())["files"]
        files = {path: text.encode() for path, text in texts.items()}
        _write(out, "cases", record_samples(cases / "replies", files))


def _write(out: Path, name: str, lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    (out / f"{name}.txt").write_text(text, encoding="utf-8", errors="surrogateescape")


def _sources(given: argparse.Namespace) -> list[Source]:
    from tests.tools.made.repositories import SIZES

    made = [Source(number) for number in reversed(range(len(SIZES)))]
    if given.history is None:
        return made
    part = max(1, given.commits // 4)
    starts = range(0, given.commits, part)
    return [Source(-1, given.history, given.until, start, part) for start in starts] + made


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--history", type=Path)
    parser.add_argument("--until", default="HEAD")
    parser.add_argument("--commits", type=int, default=24, help="of the real repository")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    spawn = get_context("spawn")
    with ProcessPoolExecutor(given.processes, spawn, use_checkout, (given.root,)) as pool:
        done = [pool.submit(record_folders, given.out, given.cases)]
        named = [pool.submit(record, source, given.out) for source in _sources(given)]
        for each in named:
            print(each.result(), flush=True)
        done[0].result()


if __name__ == "__main__":
    main()
