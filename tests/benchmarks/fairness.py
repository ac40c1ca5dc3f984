"""How long a newcomer waits behind another installation's queue, with its share limited and not.

The others' model takes 3 seconds for each reply, the newcomer's none: all that differs is the wait
for a place. The unit is the same job with nobody else there.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.job import reply, sample, time_job
from tests.doubles.model import Fault, Messages, ModelDouble, Reply
from tests.stage import Stage

QUEUED, REPOS = 100, 20
REPLY_S = 3.0
CROWD = "says the crowd"


def run() -> list[tuple[str, str, str]]:
    """(figure, value, target) rows."""
    alone_s, at_once_s, queued_s = _newcomer({})
    _, _, unlimited_s = _newcomer({"TINYGEN_INSTALLATION_CONCURRENCY": "0"})
    return [
        ("newcomer's comment to finished comment, alone", f"{alone_s:.2f} s", ""),
        _row(f"the same, behind {QUEUED} queued jobs", queued_s, alone_s, "under 3 x"),
        _row(
            f"the same, behind {QUEUED} commands that came a moment before", at_once_s, alone_s, ""
        ),
        _row(
            "behind as many queued, without a share for each installation", unlimited_s, alone_s, ""
        ),
    ]


def _row(figure: str, seconds: float, alone_s: float, target: str) -> tuple[str, str, str]:
    return figure, f"{seconds:.2f} s, {seconds / alone_s:.1f} x alone", target


def _newcomer(settings: dict[str, str]) -> tuple[float, float, float]:
    """Seconds that a newcomer's job takes alone, just after the crowd, and once all of the crowd's
    are queued."""
    unlimited = {"TINYGEN_ACTOR_HOURLY": "0", "TINYGEN_REPO_HOURLY": "0"}
    with (
        tempfile.TemporaryDirectory(prefix="tinygen-bench-") as folder,
        ModelDouble(_slow_for_the_crowd, piece=4096) as model,
        Stage(Path(folder), model.url, unlimited | settings) as stage,
    ):
        newcomer = stage.github.add_repository(
            "mona/new", files=sample(1), permissions={"mona": "admin"}
        )
        for login in ("octocat", "mona"):
            stage.github.install(stage.app, login)
        time_job(stage, newcomer, "mona", within_s=300)  # what is measured is not the first fetch
        alone_s = time_job(stage, newcomer, "mona", within_s=300)
        crowd = _gather(stage)
        at_once_s = time_job(stage, newcomer, "mona", within_s=300)
        stage.wait(
            lambda: all(stage.bot_comments(repo, number) for repo, number in crowd),
            "the crowd to be queued",
        )
        return alone_s, at_once_s, time_job(stage, newcomer, "mona", within_s=300)


def _gather(stage: Stage) -> list[tuple[str, int]]:
    """The issues in which the crowd asked."""
    issues = []
    for number in range(REPOS):
        name = f"octocat/crowd-{number}"
        repo = stage.github.add_repository(name, files=sample(1), permissions={"octocat": "admin"})
        for _ in range(QUEUED // REPOS):
            issue = repo.open_issue("octocat", "The greeting lacks its comma", CROWD)
            repo.comment(issue.number, "octocat", "/tinygen please fix it")
            issues.append((name, issue.number))
    return issues


def _slow_for_the_crowd(messages: Messages) -> Reply:
    slow = any(CROWD in str(message["content"]) for message in messages)
    return Fault(text=reply(messages), hang_s=REPLY_S if slow else 0.0)


if __name__ == "__main__":
    for figure, value, target in run():
        print(f"{figure:75} {value:>22} {target}")
