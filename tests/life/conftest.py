"""A bot with real processes, whose model answers only when it is told to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.adapters.conftest import postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.doubles.github.repository import Repository
from tests.doubles.github.state import Issue
from tests.doubles.model import Messages, ModelDouble, Reply, hang
from tests.scene import CONFIDENT, FILES, LOUDER
from tests.stage import Stage, state_of


@dataclass
class Life:
    """`stage` is the bot, not started yet. While `model_hangs`, jobs stay in flight."""

    stage: Stage
    model: ModelDouble
    model_hangs: threading.Event = field(default_factory=threading.Event)

    def change_code(self, code: Path) -> None:
        """Kills all of the bot, and starts that checkout's on the same data."""
        self.stage.stop(signal.SIGKILL)
        self.stage.code = code
        self.stage.start()

    def add_repository(self, name: str) -> Repository:
        return self.stage.github.add_repository(
            f"octocat/{name}", files=FILES, permissions={"octocat": "admin"}
        )

    def give(self, repo: Repository, words: str = "Louder.") -> Issue:
        issue = repo.open_issue("octocat", "Too quiet", "It whispers.")
        repo.comment(issue.number, "octocat", f"/tinygen --pr {words}")
        return issue

    def start_hanging(self, repo: Repository) -> Issue:
        """A job that waits for the model."""
        self.model_hangs.set()
        before = len(self.model.requests)
        issue = self.give(repo)
        self.stage.wait(lambda: len(self.model.requests) > before, "the model to be asked")
        return issue

    def one_done_one_in_flight(self) -> tuple[tuple[Repository, Issue], tuple[Repository, Issue]]:
        done, hanging = self.add_repository("done"), self.add_repository("hanging")
        first = self.give(done)
        self.check_done_once(done, first)
        return (done, first), (hanging, self.start_hanging(hanging))

    def check_done_once(self, repo: Repository, issue: Issue) -> None:
        body = self.stage.finished(repo.full_name, issue.number)
        assert state_of(body) == "done", body
        assert len(self.stage.bot_comments(repo.full_name, issue.number)) == 1
        assert len(repo.pulls) == 1
        assert len(repo.git.refs("refs/heads/tinygen/")) == 1


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    hangs = threading.Event()

    def reply(messages: Messages) -> Reply:
        if "[CONFIDENT]" in str(messages):
            return CONFIDENT
        return hang(600) if hangs.is_set() else LOUDER

    with ModelDouble(reply) as model, Stage(tmp_path / "stage", model.url) as stage:
        stage.github.install(stage.app, "octocat")
        yield Life(stage, model, hangs)
