"""The real bot, as its own processes, between the double of GitHub and a model: for the demo, the
tests that look from outside, and the benchmarks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import create_engine, text

from tests import ROOT
from tests.doubles.github import GitHubDouble
from tests.doubles.server import free_port
from tests.polling import Value, poll

SECRET = "stage-webhook-secret"
_STATE = re.compile(r"\A<!-- tinygen:job=(?P<job>\S+) state=(?P<state>\w+) -->")


class Stage:
    """`github` is the double; `url` the bot's address. The bot runs from `with` to its end, or from
    `start` to `stop`.

    `settings` are added to the bot's, at its next start if they change; its log goes to `log`.
    """

    def __init__(
        self,
        root: Path,
        model_url: str,
        settings: Mapping[str, str] | None = None,
        *,
        code: Path = ROOT,
        command: Sequence[str | Path] = (sys.executable, "-m", "bot"),
    ) -> None:
        """`code` is the checkout whose bot is started; or `command` is an installed one."""
        self.root, self.code, self.command = root, code, command
        self.data_dir = root / "data"
        self.log = root / "bot.log"
        self.github = GitHubDouble(root / "github")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._model_url = model_url
        self.settings = dict(settings or {})
        self._bot: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.github.__enter__()
        self.app = self.github.add_app(
            events=["issue_comment"],
            webhook_url=f"{self.url}/webhook",
            webhook_secret=SECRET,
        )
        try:
            self.start()
        except BaseException:
            self.stop()
            self.github.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()
        self.github.__exit__(kind, error, at)

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "HOME", "LANG", "TMPDIR")
        }
        return {
            **kept,
            "OPENAI_API_KEY": "sk-stage-of-tinygen-0123456789",
            "OPENAI_BASE_URL": self._model_url,
            "OPENAI_MODEL": "double-1",
            "GITHUB_APP_ID": str(self.app.id),
            "GITHUB_CLIENT_ID": self.app.client_id,
            "GITHUB_CLIENT_SECRET": self.app.client_secret,
            "GITHUB_PRIVATE_KEY": (self.app.private_key or "").replace("\n", "\\n"),
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.url,
            "TINYGEN_DATA_DIR": str(self.data_dir),
            "TINYGEN_PORT": str(self.port),
            "TINYGEN_DRAIN_SECONDS": "2",
            "TINYGEN_START_CHECK": "false",
            **self.settings,
        }

    def start(self) -> None:
        """Starts the bot and returns when it answers."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._bot = subprocess.Popen(
                [*self.command, "serve"],
                cwd=self.code,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait(self.is_healthy, "the bot to answer /healthz")

    @property
    def pid(self) -> int:
        """The id of the parent process, and of the session of all the bot's processes."""
        assert self._bot is not None, "the bot does not run"
        return self._bot.pid

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Ends the bot; with SIGKILL all of its processes at once. Its exit status, None where it
        did not run."""
        if self._bot is None:
            return None
        if number == signal.SIGKILL:
            os.killpg(self._bot.pid, signal.SIGKILL)
        else:
            self._bot.send_signal(number)
        status = self._bot.wait(timeout=60)
        self._bot = None
        return status

    def pids(self, part: str) -> list[int]:
        """The running processes of one part: web (gunicorn's), or worker."""
        found = subprocess.run(
            ["pgrep", "-s", str(self._bot.pid if self._bot else 0), "-f", f"bot {part}"],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(pid) for pid in found.stdout.split()]

    def wait(self, look: Callable[[], Value | None], what: str, within_s: float = 60.0) -> Value:
        """The first true value that `look` returns."""
        seen = poll(look, within_s=within_s, pause_s=0.02, is_hopeless=self._has_ended)
        assert seen, f"waited in vain for {what}; the bot's log:\n{self.log.read_text()[-4000:]}"
        return seen

    def _has_ended(self) -> bool:
        """Whether the bot ended though nobody stopped it."""
        return self._bot is not None and self._bot.poll() is not None

    def finished(self, repo: str, number: int, count: int = 1, within_s: float = 60.0) -> str:
        """The body of the bot's `count`-th comment in the thread, once it has ended."""

        def look() -> str | None:
            bodies = self.bot_comments(repo, number)
            states = [state_of(body) for body in bodies]
            ended = len(bodies) >= count and states[count - 1] in (
                "done",
                "failed",
                "cancelled",
                "refused",
            )
            return bodies[count - 1] if ended else None

        return self.wait(look, f"comment {count} of {repo}#{number} to be finished", within_s)

    def bot_comments(self, repo: str, number: int) -> list[str]:
        """The bodies of the bot's own comments, oldest first."""
        thread = self.github.world.names[repo.lower()].thread(number)
        return [
            comment.body for comment in thread if comment.author.login == f"{self.app.slug}[bot]"
        ]

    def rows(self, repo: str) -> list[dict[str, Any]]:
        """The request log's rows of that repository."""
        given = self.settings.get("TINYGEN_DATABASE_URL", "").replace(
            "postgresql:", "postgresql+psycopg:"
        )
        engine = create_engine(given or f"sqlite:///{self.data_dir}/tinygen.sqlite")
        with engine.connect() as connection:
            found = connection.execute(
                text("select * from tinygen_requests where repo = :repo"), {"repo": repo}
            )
            rows = [dict(row) for row in found.mappings()]
        engine.dispose()
        return rows

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def state_of(comment: str) -> str:
    """The state that a bot's comment says its job is in."""
    found = _STATE.match(comment)
    return found["state"] if found else ""
