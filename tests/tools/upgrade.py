"""Whether jobs in flight outlive an upgrade: `python -m tests.tools.upgrade OLD_ROOT [--postgres]`.

The bot of an older checkout is killed while jobs wait, run and have not been taken by a worker; this
checkout's bot then starts on the same data. Every job must end as done, in one comment, with one pull
request a repository.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests import ROOT
from tests.doubles.github.repository import Repository
from tests.doubles.github.state import Issue
from tests.doubles.model import Messages, ModelDouble, Reply, hang
from tests.doubles.supabase import fresh_database, postgres
from tests.scene import CONFIDENT, FILES, LOUDER
from tests.stage import Stage

REPOSITORIES = 6
"""More than a worker runs at once, so that some jobs wait in the engine's queue."""

Thread = tuple[Repository, Issue, int]
"""A repository, an issue, and how many commands were given there."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.upgrade", description=__doc__)
    parser.add_argument("old_root", type=Path)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    if not options.postgres:
        return upgrade(options.old_root.resolve(), {})
    with postgres() as server, fresh_database(server) as url:
        return upgrade(options.old_root.resolve(), {"TINYGEN_DATABASE_URL": url})


def upgrade(old_root: Path, settings: Mapping[str, str]) -> int:
    is_upgraded = threading.Event()

    def reply(messages: Messages) -> Reply:
        if not is_upgraded.is_set():
            return hang(600)
        asked = str(messages)
        if "[CONFIDENT]" in asked:
            return CONFIDENT
        # The second command of a thread goes on from what the first one did.
        return "[NO CHANGE] It is loud already." if "what was asked before" in asked else LOUDER

    with (
        tempfile.TemporaryDirectory() as folder,
        ModelDouble(reply) as model,
        Stage(Path(folder), model.url, settings, code=old_root) as stage,
    ):
        threads = give_commands(stage, lambda: len(model.requests) >= 2)
        stage.stop(signal.SIGKILL)
        is_upgraded.set()
        stage.code = ROOT
        stage.start()
        return sum(not has_ended_well(stage, *thread) for thread in threads)


def give_commands(stage: Stage, are_running: Callable[[], bool]) -> list[Thread]:
    repos = [
        stage.github.add_repository(
            f"octocat/r{number}", files=FILES, permissions={"octocat": "admin"}
        )
        for number in range(REPOSITORIES)
    ]
    stage.github.install(stage.app, "octocat")
    threads = [(repo, repo.open_issue("octocat", "Too quiet", "It whispers."), 2) for repo in repos]
    for repo, issue, _count in threads:
        repo.comment(issue.number, "octocat", "/tinygen --pr Louder.")
        repo.comment(issue.number, "octocat", "/tinygen --pr Even louder.")
    stage.wait(are_running, "two jobs to ask the model")
    time.sleep(3)  # the other jobs are accepted meanwhile
    for pid in stage.pids("worker"):
        os.kill(pid, signal.SIGSTOP)  # so that nobody takes the last command
    last = repos[0].open_issue("octocat", "Late", "It whispers.")
    repos[0].comment(last.number, "octocat", "/tinygen --diff Louder.")
    time.sleep(1.5)
    return [*threads, (repos[0], last, 1)]


def has_ended_well(stage: Stage, repo: Repository, issue: Issue, count: int) -> bool:
    """Prints what became of the thread's jobs."""
    for number in range(1, count + 1):
        stage.finished(repo.full_name, issue.number, number, within_s=150)
    bodies = stage.bot_comments(repo.full_name, issue.number)
    done = sum("state=done" in body for body in bodies)
    print(
        f"{repo.full_name}#{issue.number}: {done} of {count} done, {len(repo.pulls)} pull requests"
    )
    return done == count == len(bodies) and len(repo.pulls) == 1


if __name__ == "__main__":
    raise SystemExit(main())
