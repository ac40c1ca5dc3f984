"""How long a repository waits while another one does its worst, beside the same job undisturbed in
the same run.

Each figure is the median of five pairs. What a thousand refused commands cost is counted as well.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.job import reply, sample, time_job
from tests.doubles.github.faults import secondary_limit
from tests.doubles.github.repository import Repository
from tests.doubles.model import ModelDouble
from tests.stage import Stage

ROUNDS = 5
REFUSALS = 1_000
LIMITED = 90
SETTLE_S = 12.0
"""By then the write-ahead log is in the file."""
TARGET = "at most 2 x, or 2 s more"
OWN, EVIL = "mona/new", "mallory/evil"
STARS = {size: b"/* */\nint f(int a);\na" + b"*" * size + b"\n" for size in (100_000, 1_000_000)}
BLANKS = "See [a](" + " " * 65_000

Row = tuple[str, str, str]


def run() -> list[Row]:
    """(figure, value, target) rows."""
    with (
        tempfile.TemporaryDirectory(prefix="tinygen-bench-") as folder,
        ModelDouble(reply, piece=4096) as model,
        Stage(
            Path(folder), model.url, {"TINYGEN_ACTOR_HOURLY": "0", "TINYGEN_REPO_HOURLY": "0"}
        ) as stage,
    ):
        own = stage.github.add_repository(OWN, files=sample(1), permissions={"mona": "admin"})
        for login in ("mona", "mallory"):
            stage.github.install(stage.app, login)
        time_job(stage, own, "mona", within_s=600)  # what is measured is not the first fetch
        rows = [
            _pairs(
                f"a line of {size // 1000:,} KB of stars in a file", stage, own, _file(stage, stars)
            )
            for size, stars in STARS.items()
        ]
        rows.append(
            _pairs("an unfinished link of 65 KB in an issue", stage, own, _issue(stage, BLANKS))
        )
        return [*rows, *_refusals(stage, own), _limited(stage, own)]


def _pairs(figure: str, stage: Stage, own: Repository, attack: Callable[[], None]) -> Row:
    """The job alone, and just after the attack began, in turn."""
    alone_s, beside_s = [], []
    for _ in range(ROUNDS):
        alone_s.append(time_job(stage, own, "mona", within_s=600))
        attack()
        beside_s.append(time_job(stage, own, "mona", within_s=600))
    return _row(f"comment to finished comment, beside {figure}", beside_s, alone_s)


def _row(figure: str, beside_s: list[float], alone_s: list[float]) -> Row:
    beside, alone = statistics.median(beside_s), statistics.median(alone_s)
    return figure, f"{beside:.2f} s, {beside / alone:.1f} x alone", TARGET


def _file(stage: Stage, content: bytes) -> Callable[[], None]:
    """A command in a repository that holds the file, anew each time so that nothing of it is
    known."""
    numbers = iter(range(ROUNDS))

    def attack() -> None:
        name = f"{EVIL}-{len(content)}-{next(numbers)}"
        repo = stage.github.add_repository(name, files={"stars.c": content, **sample(1)})
        _ask(stage, repo, "The greeting of stars is wrong.")

    return attack


def _issue(stage: Stage, body: str) -> Callable[[], None]:
    repo = stage.github.add_repository(f"{EVIL}-issue", files=sample(1))
    return lambda: _ask(stage, repo, body)


def _ask(stage: Stage, repo: Repository, body: str) -> None:
    """Gives a command on a new issue; it was accepted when this returns."""
    issue = repo.open_issue("mallory", "The greeting lacks its comma", body)
    repo.comment(issue.number, "mallory", "/tinygen please fix it")
    stage.wait(
        lambda: stage.bot_comments(repo.full_name, issue.number),
        "the attack to begin",
        within_s=300,
    )


def _refusals(stage: Stage, own: Repository) -> list[Row]:
    """A stranger's commands in one public repository, and the acknowledgement of a command in
    another."""
    repo = stage.github.add_repository("mona/public", files=sample(1))
    issue = repo.open_issue("mona", "The greeting lacks its comma", "")
    alone_s = [_acknowledged(stage, own) for _ in range(ROUNDS)]
    time.sleep(SETTLE_S)
    calls, size = _calls(stage, repo), _disk_bytes(stage)
    beside_s: list[float] = []
    for number in range(REFUSALS):
        repo.comment(issue.number, "mallory", f"/tinygen please fix it, {number}")
        if number % (REFUSALS // ROUNDS) == REFUSALS // ROUNDS // 2:
            beside_s.append(_acknowledged(stage, own))
    stage.wait(
        lambda: len(stage.rows("mona/public")) == REFUSALS, "all to be refused", within_s=300
    )
    time.sleep(SETTLE_S)
    grown_mb = (_disk_bytes(stage) - size) / 1e6
    return [
        _row(
            f"comment to acknowledgement, beside {REFUSALS:,} refused commands", beside_s, alone_s
        ),
        (
            f"{REFUSALS:,} refused commands: calls to GitHub",
            f"{_calls(stage, repo) - calls}",
            "under 30",
        ),
        (f"{REFUSALS:,} refused commands: disk", f"{grown_mb:.2f} MB", "under 1 MB"),
    ]


def _limited(stage: Stage, own: Repository) -> Row:
    """Commands of many people in a repository that GitHub limits."""
    repo = stage.github.add_repository("mona/limited", files=sample(1))
    issue = repo.open_issue("mona", "The greeting lacks its comma", "")
    alone_s = [_acknowledged(stage, own) for _ in range(ROUNDS)]
    limit = secondary_limit(retry_after_s=600)
    stage.github.faults.add(limit, path=r"/repos/mona/limited/", times=10 * LIMITED)
    for number in range(LIMITED):
        repo.comment(issue.number, f"person-{number}", "/tinygen please fix it")
    beside_s = [_acknowledged(stage, own) for _ in range(ROUNDS)]
    stage.github.faults.clear()
    return _row(
        f"comment to acknowledgement, beside {LIMITED} commands that GitHub limits",
        beside_s,
        alone_s,
    )


def _acknowledged(stage: Stage, repo: Repository) -> float:
    issue = repo.open_issue("mona", "The greeting lacks its comma", "See package/greeting.py.")
    began = time.perf_counter()
    comment = repo.comment(issue.number, "mona", "/tinygen please fix it")
    stage.wait(lambda: comment.reactions, "the acknowledgement", within_s=300)
    seconds = time.perf_counter() - began
    stage.finished(repo.full_name, issue.number, within_s=300)
    return seconds


def _calls(stage: Stage, repo: Repository) -> int:
    """Requests about the repository, and for tokens."""
    asked = re.compile(rf"/repos/{repo.full_name}(?:/|$)|/access_tokens$")
    return len([each for each in tuple(stage.github.requests) if asked.search(each.path)])


def _disk_bytes(stage: Stage) -> int:
    """What the database takes, with its write-ahead log."""
    return sum(path.stat().st_size for path in stage.data_dir.glob("tinygen.sqlite*"))


if __name__ == "__main__":
    for figure, value, target in run():
        print(f"{figure:85} {value:>22} {target}", flush=True)
