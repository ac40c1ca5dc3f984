"""The bot in one process, between the double of GitHub and a scripted model, so that a rule is one
readable test.

Engine, database, git cache and adapters are the real ones; they wait less than they would, and the
syntax of what the scripted model writes is checked in this process (the child process that does it
otherwise has tests of its own).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from dbos import DBOSClient
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot.adapters.database import Database
from bot.adapters.github import GitHubApp
from bot.adapters.model import OpenAIModel
from bot.adapters.syntax.parsers import find_fault
from bot.app import (
    MAX_GITHUB_LIMIT_WAIT_S,
    build_database,
    build_git,
    build_policy,
    build_prices,
    build_stores,
    database_url,
)
from bot.config import Config, load_config
from bot.jobs.engine import NAME, Engine
from bot.jobs.page_urls import PageUrls
from bot.jobs.policy import JobContext
from bot.jobs.worker import Worker
from bot.jobs.worker.log_sync import LogShipper
from bot.jobs.workflows import run_id
from bot.logs import make_redactor
from bot.metrics import MetricsBuffer
from bot.ports import Git, NoTracer, RequestLog, Tracer
from bot.thread.webhooks import EVENTS
from bot.types import FINAL_STATES, Parsers, Report
from bot.web import create_app
from tests.doubles.edit_blocks import block
from tests.doubles.github import GitHubDouble, Repository
from tests.doubles.github.apps import DEFAULT_PERMISSIONS
from tests.doubles.github.state import Comment, Issue
from tests.doubles.github.webhooks import Delivery
from tests.doubles.model import Messages, ModelDouble, Reply
from tests.polling import Value, poll

REPO = "octocat/greeter"
GREET = '''\
"""Greets people."""


def greet(name: str) -> str:
    return "Hello, " + name + "!"


def farewell(name: str) -> str:
    return "Bye, " + name + "!"
'''
HELLO, LOUD_HELLO = '    return "Hello, " + name + "!"\n', '    return "HELLO, " + name + "!"\n'
BYE, LOUD_BYE = '    return "Bye, " + name + "!"\n', '    return "BYE, " + name + "!"\n'
LOUD_GREET = GREET.replace(HELLO, LOUD_HELLO)
FILES = {"greet.py": GREET.encode(), "README.md": b"# Greeter\n\nIt greets.\n"}
CONFIDENT = "[CONFIDENT] The greeting is as asked."
QUIET_S = 60.0
DRAIN_S = 5.0
POLL_S = 0.2


def draft(
    *blocks: str, title: str = "Greet louder", why: str = "The greeting is now as asked."
) -> str:
    return "\n".join([title, "", why, "", *blocks])


LOUDER = draft(block("greet.py", HELLO, LOUD_HELLO))
LOUDER_BYE = draft(block("greet.py", BYE, LOUD_BYE), title="Part louder")


@dataclass
class Told:
    """A command that was given, and all that came of it."""

    scene: Scene
    job: str
    comment: Comment

    @property
    def report(self) -> Report:
        report = self.scene.database.load(self.job)
        assert report is not None
        return report

    @property
    def state(self) -> str:
        return self.report.state

    @property
    def delivery(self) -> Delivery:
        return next(each for each in self.scene.github.deliveries if each.guid == self.job)

    @property
    def answers(self) -> list[str]:
        """The bodies of the bot's comments for this command; on a line, only those in its
        thread."""
        first = self.comment.in_reply_to or self.comment.id
        said = (
            self.scene.bot_comments(self.comment.number)
            if self.comment.path is None
            else self.scene.said_on_line(first)
        )
        return [body for body in said if f"job={self.job} " in body[:200]]

    @property
    def answer(self) -> str:
        (answer,) = self.answers
        return answer

    @property
    def reactions(self) -> list[str]:
        return [reaction.content for reaction in self.comment.reactions]

    @property
    def diff(self) -> str:
        """What stands in the answer's one diff fence."""
        (fence,) = fences(self.answer)
        return fence

    @property
    def row(self) -> dict[str, Any]:
        return self.scene.rows()[self.job]


@dataclass
class Scene:
    """From `with` to its end. `settings` are the bot's; `asked` is what the model was sent."""

    root: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    permissions: Mapping[str, str] = field(default_factory=lambda: DEFAULT_PERMISSIONS)
    remote_log: RequestLog | None = None
    git: Git | None = None
    """Instead of the real cache."""
    open_tracer: Callable[[], Tracer] = NoTracer
    """Called at each start."""
    open_database: Callable[[Config], Database] = build_database
    files: Mapping[str, bytes] | None = field(default_factory=lambda: FILES)

    def __post_init__(self) -> None:
        self.github = GitHubDouble(self.root / "github")
        self.model = ModelDouble(self._reply)
        self.replies: list[Reply | Callable[[Messages], Reply]] = [LOUDER, CONFIDENT]
        self.ahead_s = 0.0
        self._at_exit = ExitStack()

    def __enter__(self) -> Self:
        self.github.__enter__()
        self.model.__enter__()
        self.app = self.github.add_app(
            permissions=self.permissions, events=EVENTS, webhook_secret="hush"
        )
        self.repo = self.github.add_repository(REPO, files=self.files)
        self.installation = self.github.install(self.app, "octocat")
        self.config = load_config(self._environment(), env_file=None)
        self._put_database()
        self.database = self.open_database(self.config)
        self.start()
        self.web: FlaskClient = _web(self.config, self.database)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._drain()
        self.stop(drain_s=0)
        self._at_exit.close()
        self.database.close()
        self.model.__exit__(kind, error, at)
        self.github.__exit__(kind, error, at)

    def _put_database(self) -> None:
        """Where there is no database yet, one that a bot was started on before."""
        path = self.config.data_dir / "tinygen.sqlite"
        if self.config.database_url is None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_used_database())

    def _environment(self) -> dict[str, str]:
        return {
            "OPENAI_API_KEY": "sk-scene-0123456789abcdef",
            "OPENAI_BASE_URL": self.model.url,
            "OPENAI_MODEL": "double-1",
            "GITHUB_APP_ID": str(self.app.id),
            "GITHUB_PRIVATE_KEY": self.app.private_key or "",
            "GITHUB_WEBHOOK_SECRET": "hush",
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.url,
            "TINYGEN_DATA_DIR": str(self.root / "data"),
            **self.settings,
        }

    def start(self) -> None:
        self.meter, self.tracer = MetricsBuffer(), self.open_tracer()
        self.adapter = _github(self.config, self.meter, lambda: time.time() + self.ahead_s)
        clean = make_redactor(self.config.secrets())
        self.engine = Engine(
            database_url(self.config),
            executor_id="local",
            concurrency=4,
            clean=clean,
            poll_s=POLL_S,
            metrics=self.meter,
            tracer=self.tracer,
        )
        outbox = self.database.outbox
        loops = [LogShipper(self.database, outbox, self.remote_log)] if self.remote_log else []
        self.context = self._context(self.config)
        self.worker = Worker(self.context, self.database, loops=loops)
        self.worker.start()

    def stop(self, drain_s: int = 5) -> None:
        self.worker.stop(drain_s)
        self.adapter.close()

    def _drain(self) -> None:
        """Returns when nothing runs. The engine's own wait for that is a second at least, for every
        test."""
        poll(lambda: not self.engine.owners(), within_s=DRAIN_S)

    def _context(self, config: Config) -> JobContext:
        return JobContext(
            engine=self.engine,
            connect=self.adapter.connect,
            git=self.git or build_git(config),
            model=_model(config, self.meter, self.tracer),
            reports=self.database,
            refusals=self.database.refusals,
            log=self.database,
            outbox=self.database.outbox if self.remote_log else None,
            now=lambda: datetime.now(UTC),
            clean=make_redactor(config.secrets()),
            parsers=Parsers(lambda files: [find_fault(path, content) for path, content in files]),
            policy=build_policy(config),
            conversations=self.database.turns if config.keep_conversations else None,
            page_url=PageUrls(config.public_url, self.database.shared, self.database.shared),
        )

    def hurry(self) -> int:
        """How many of the worker's waits end now instead of when they would."""
        client = self._client
        waiting = [found.workflow_id for found in client.list_workflows(status="DELAYED")]
        if waiting:
            self.ahead_s += 3600.0  # for the adapter, which keeps to limits that it was told
        for workflow_id in waiting:
            client.set_workflow_delay(workflow_id, delay_seconds=0)
        return len(waiting)

    @cached_property
    def _client(self) -> DBOSClient:
        """For the engine's database, as from another process."""
        client = DBOSClient(system_database_url=database_url(self.config), application_name=NAME)
        self._at_exit.callback(client.destroy)
        return client

    def hurried(self, told: Told) -> Told:
        """Returns when the command has ended, whatever it has to wait for meanwhile."""
        self.wait(
            lambda: self.hurry() == 0 and self._is_over(told), f"{told.comment.body!r} to end"
        )
        return told

    def open_issue(
        self,
        title: str = "Too quiet",
        body: str = "The greeting is too quiet.",
        *,
        who: str = "octocat",
    ) -> Issue:
        return self.repo.open_issue(who, title, body)

    def open_pull(self, *, fork: bool = False) -> Issue:
        """A pull request with one more file, from a branch of the repository or of mona's fork."""
        source = self.github.fork(self.repo, "mona") if fork else self.repo
        source.git.commit({"new.py": b"NEW = 1\n"}, branch="topic")
        return self.repo.open_pull(
            "mona" if fork else "octocat", "Add new", head="mona:topic" if fork else "topic"
        )

    def say(
        self,
        words: str,
        *,
        who: str = "octocat",
        on: Issue | None = None,
        repo: Repository | None = None,
    ) -> Told:
        """Comments, and delivers the comment; the job has begun."""
        repo = repo or self.repo
        issue = on or (
            repo.issues[1]
            if 1 in repo.issues
            else repo.open_issue("octocat", "Too quiet", "It whispers.")
        )
        before = len(self.deliveries)
        comment = repo.comment(issue.number, who, words)
        told = self._arrive(comment, before)
        assert told, "the comment started nothing"
        return told

    def edit(self, comment: Comment, words: str, *, who: str = "octocat") -> Told | None:
        """Edits a comment, and delivers the edit; None where that starts nothing."""
        before = len(self.deliveries)
        self.repo.edit_comment(comment, words, by=self.github.add_user(who))
        return self._arrive(comment, before)

    def remark(
        self,
        words: str,
        *,
        on: Issue,
        line: int,
        start_line: int | None = None,
        path: str = "greet.py",
        who: str = "octocat",
        reply_to: Comment | None = None,
        is_outdated: bool = False,
    ) -> Told:
        """Comments on lines of the pull request's diff, and returns when that command has ended."""
        before = len(self.deliveries)
        above = reply_to.id if reply_to else None
        comment = self.repo.review_comment(
            on.number,
            who,
            words,
            path=path,
            line=line,
            start_line=start_line,
            in_reply_to=above,
            is_outdated=is_outdated,
        )
        told = self._arrive(comment, before)
        assert told, "the comment started nothing"
        return self.ended(told)

    def submit(self, *remarks: tuple[str, int, str], on: Issue, who: str = "octocat") -> list[Told]:
        """Submits one review of remarks (path, line, words), and returns when its commands have
        ended."""
        comments = self.repo.review(on.number, who, remarks)
        before = len(self.deliveries)
        self.repo.submit_review(comments)
        arrived = [self.deliver(delivery) for delivery in self.deliveries[before:]]
        told = [
            Told(self, answer.json["job"], comment)
            for comment, answer in zip(comments, arrived, strict=True)
            if answer.json and answer.status_code == 202
        ]
        return [self.ended(each) for each in told]

    def fail_check(self, log: str, *, on: Issue, name: str = "CI", passed_before: int = 0) -> str:
        """A check of the pull request's branch fails; what the bot answered to the delivery that
        tells of it."""
        assert on.pull
        before = len(self.deliveries)
        self.repo.fail_check(on.pull.head_ref, log, name=name, passed_before=passed_before)
        (delivery,) = self.deliveries[before:]
        answer = self.deliver(delivery)
        if answer.status_code == 200:
            return str(answer.json and answer.json["ignored"])
        assert answer.status_code == 202, answer.text
        states = (delivery.guid, run_id(delivery.guid))
        self.wait(
            lambda: (
                [self.engine.state(each) for each in states]
                in (["ended", "ended"], ["ended", "unknown"])
            ),
            "the check to be worked on",
        )
        return delivery.guid

    def said_on_line(self, first: int) -> list[str]:
        """What the bot said in the thread on a line."""
        comments = list(self.repo.comments.values())
        return [
            each.body
            for each in comments
            if each.author is self.app.bot and each.in_reply_to == first
        ]

    def _arrive(self, comment: Comment, before: int) -> Told | None:
        """Delivers the one event since `before`."""
        (delivery,) = self.deliveries[before:]
        answer = self.deliver(delivery)
        assert answer.status_code in (200, 202), answer.text
        assert answer.json
        return Told(self, answer.json["job"], comment) if answer.status_code == 202 else None

    def tell(self, words: str, *, who: str = "octocat", on: Issue | None = None) -> Told:
        """Comments, and returns when the command has ended."""
        return self.ended(self.say(words, who=who, on=on))

    def deliver(self, delivery: Delivery) -> TestResponse:
        return self.web.post("/webhook", data=delivery.body, headers=delivery.headers)

    def forget_refusals(self) -> None:
        """As if ten minutes had gone by."""
        self.run_sql("delete from tinygen_refusals")

    def run_sql(self, statement: str) -> None:
        """Changes rows of the bot's database without the bot."""
        with sqlite3.connect(self.root / "data" / "tinygen.sqlite") as connection:
            connection.execute(statement)
        connection.close()

    def model_says(self, *replies: Reply | Callable[[Messages], Reply]) -> None:
        self.replies = list(replies)

    def ended(self, told: Told) -> Told:
        self.wait(lambda: self._is_over(told), f"{told.comment.body!r} to end")
        return told

    def _is_over(self, told: Told) -> bool:
        """Looks again and again: first at the one column that says that there is no end yet."""
        if self._is_open(told.job):
            return False
        report = self.database.load(told.job)
        if report is None or report.state not in FINAL_STATES:
            return False
        states = self.engine.state(told.job), self.engine.state(run_id(told.job))
        return states in (("ended", "ended"), ("ended", "unknown"), ("unknown", "unknown"))

    def _is_open(self, job_id: str) -> bool:
        """Whether the job has a row that says so; of one that was refused again there is none."""
        if self.config.database_url is not None:
            return False
        with closing(sqlite3.connect(self.config.data_dir / "tinygen.sqlite")) as connection:
            found = connection.execute("select state from tinygen_jobs where id = ?", (job_id,))
            row: tuple[str | None] | None = found.fetchone()
        return row is not None and row[0] is not None and row[0] not in FINAL_STATES

    def wait(self, look: Callable[[], Value | None], what: str, within_s: float = QUIET_S) -> Value:
        """The first true value that `look` returns."""
        seen = poll(look, within_s=within_s)
        assert seen, f"waited in vain for {what}"
        return seen

    @property
    def asked(self) -> list[str]:
        """The text of each request that the model got, its messages one after the other."""
        return [
            "\n".join(str(message["content"]) for message in request.messages)
            for request in self.model.requests
        ]

    def is_text_only(self, request: int = 0) -> bool:
        """Whether a request that the model got holds no image."""
        messages = self.model.requests[request].messages
        return all(isinstance(message["content"], str) for message in messages)

    @property
    def deliveries(self) -> list[Delivery]:
        """What GitHub told of what people did. It tells of the bot's own comments too, at any
        moment while it works."""
        return [
            each
            for each in self.github.deliveries
            if each.payload["sender"]["login"] != self.app.bot.login
        ]

    def bot_comments(self, number: int = 1) -> list[str]:
        return [
            comment.body for comment in self.repo.thread(number) if comment.author is self.app.bot
        ]

    def rows(self) -> dict[str, dict[str, Any]]:
        """The request log, by job."""
        connection = sqlite3.connect(self.root / "data" / "tinygen.sqlite")
        connection.row_factory = sqlite3.Row
        rows = connection.execute("select * from tinygen_requests").fetchall()
        connection.close()
        return {row["id"]: dict(row) for row in rows}

    def _reply(self, messages: Messages) -> Reply:
        if not self.replies and "say `[NO CHANGE]`" in json.dumps(messages[-1]):
            return "[NO CHANGE] It stands."  # what the model says when it is asked whether it is so
        assert self.replies, f"a request beyond the script: {json.dumps(messages)[-2000:]}"
        reply = self.replies.pop(0)
        return reply(messages) if callable(reply) else reply


def fences(comment: str) -> list[str]:
    """What stands in the comment's diff fences."""
    found: list[str] = []
    lines = iter(comment.splitlines(keepends=True))
    for line in lines:
        ticks = line.removesuffix("diff\n")
        if line.endswith("diff\n") and set(ticks) == {"`"} and len(ticks) >= 3:
            inside: list[str] = []
            while (one := next(lines)) != f"{ticks}\n":
                inside.append(one)
            found.append("".join(inside))
    return found


@cache
def _used_database() -> bytes:
    """A SQLite file with all tables and with the engine's queues. The engine looks for new queues
    once a second, and every test on an empty file would wait for that."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tinygen.sqlite"
        url = f"sqlite:///{path}"
        database = Database(url)
        database.create()
        database.close()
        engine = Engine(url, executor_id="local", concurrency=4, clean=str, poll_s=POLL_S)
        engine.launch()
        engine.stop(0)
        with sqlite3.connect(path) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
        connection.close()
        return path.read_bytes()


def _web(config: Config, database: Database) -> FlaskClient:
    return create_app(config, build_stores(database), lambda: b"").test_client()


def _github(config: Config, meter: MetricsBuffer, clock: Callable[[], float]) -> GitHubApp:
    key = config.github_private_key
    return GitHubApp(
        app_id=str(config.github_app_id),
        private_key=key.get_secret_value() if key else None,
        token=config.github_token.get_secret_value() if config.github_token else None,
        api_url=config.github_api_url,
        server_url=config.github_server_url,
        sleep=lambda _seconds: None,
        clock=clock,
        metrics=meter,
        max_limit_wait_s=MAX_GITHUB_LIMIT_WAIT_S,
    )


def _model(config: Config, meter: MetricsBuffer, tracer: Tracer) -> OpenAIModel:
    async def sleep(_seconds: float) -> None:
        pass

    key = config.openai_api_key
    return OpenAIModel(
        config.openai_base_url,
        key.get_secret_value() if key else None,
        config.openai_model,
        scout_model=config.scout_model.name if config.scout_model else None,
        prices=build_prices(config),
        sleep=sleep,
        metrics=meter,
        tracer=tracer,
    )
