"""Kills the real bot again and again, and looks whether anything was lost or done twice.

    python -m tests.kill_rounds 60              # on SQLite
    python -m tests.kill_rounds 30 --postgres   # PostgreSQL is killed too

Each round is one `/tinygen --pr` command in a repository of its own, and one death: of the worker
after its n-th step, in the middle of a request to GitHub that acts (its answer is lost), in the
middle of a model call, or at random; of the web part while the delivery arrives; of all at once. A
line per round, then the sums; the exit status is 1 where a check failed.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.doubles.github.faults import delayed
from tests.doubles.github.webhooks import Delivery
from tests.doubles.model import Messages, ModelDouble, Reply, hang
from tests.doubles.supabase import postgres, restart_postgres
from tests.polling import poll
from tests.scene import CONFIDENT, FILES, GREET, LOUDER
from tests.stage import Stage, state_of

STEPS = 22
"""Of acceptance and work together; a death after more of them comes when the job is over."""
REQUESTS = (
    ("POST", "issues/1/comments$"),
    ("GET", "collaborators/octocat/permission$"),
    ("POST", "reactions$"),
    ("PATCH", "issues/comments/"),
    ("GET", "issues/1/comments$"),
    ("GET", "git/ref/heads/main$"),
    ("POST", "git-upload-pack$"),
    ("POST", "git/trees$"),
    ("POST", "git/commits$"),
    ("POST", "git/refs$"),
    ("POST", "pulls$"),
)


class Model:
    """Counts what it was asked by repository; one whose turn it is to die gets no answer, once."""

    def __init__(self) -> None:
        self.asked: collections.Counter[str] = collections.Counter()
        self.hang_at = ""
        self.hangs = threading.Event()

    def __call__(self, messages: Messages) -> Reply:
        said = "\n".join(str(message["content"]) for message in messages)
        purpose = "reflect" if "[REVISION NEEDED]" in said else "generate"
        word = next(part for part in said.split() if part.startswith("round-")).rstrip(".")
        self.asked[f"{word} {purpose}"] += 1
        if self.hang_at == f"{word} {purpose}":
            self.hang_at = ""
            self.hangs.set()
            return hang(600)
        return CONFIDENT if purpose == "reflect" else LOUDER


@dataclass
class Round:
    """One command and one death. `strike` is called as soon as the command is given, with its
    delivery."""

    name: str
    death: str
    prepare: Callable[[Round], None] = lambda _round: None
    strike: Callable[[Round, Delivery], None] = lambda _round, _delivery: None
    may_ask_again: bool = True
    """Whether the death may have come while a reply was on its way."""
    wrong: list[str] = field(default_factory=list)


class Harness:
    def __init__(self, stage: Stage, model: Model, server_url: str | None, seed: int) -> None:
        self.stage, self.model, self.server_url = stage, model, server_url
        self.chance = random.Random(seed)

    def rounds(self, only: str = "") -> Iterator[Round]:
        """Without end: each kind of death in turn, or one."""
        kinds = [
            self._after_step,
            self._in_request,
            self._in_call,
            self._at_random,
            self._web,
            self._all,
        ]
        kinds += [self._database] if self.server_url else []
        kinds = [kind for kind in kinds if only in ("", kind.__name__.lstrip("_"))]
        turns = {kind: itertools.count() for kind in kinds}
        order = [kind for kind in kinds for _ in range({0: 4, 1: 3}.get(kinds.index(kind), 1))]
        for number, kind in enumerate(itertools.cycle(order)):
            yield kind(f"round-{number}-{os.getpid()}", next(turns[kind]))

    def run(self, each: Round) -> Round:
        """The round, with what was wrong about it."""
        repo = self.stage.github.add_repository(f"octocat/{each.name}", files=FILES)
        issue = repo.open_issue("octocat", "Too quiet", "It whispers.")
        each.prepare(each)
        comment = repo.comment(issue.number, "octocat", f"/tinygen --pr Louder, for {each.name}.")
        delivery = self.stage.github.deliveries[-1]
        each.strike(each, delivery)
        self._deliver_at_last(delivery)
        self.stage.github.faults.clear()
        body = self.stage.finished(repo.full_name, issue.number, within_s=90)
        self.stage.wait(lambda: len(comment.reactions) == 2, "the reactions")
        asked = [self.model.asked[f"{each.name} {purpose}"] for purpose in ("generate", "reflect")]
        rows = self.stage.rows(repo.full_name)
        checks = {
            "done": state_of(body) == "done",
            "one comment": len(self.stage.bot_comments(repo.full_name, issue.number)) == 1,
            "one branch": len(repo.git.refs("refs/heads/tinygen/")) == 1,
            "one pull request": len(repo.pulls) == 1,
            "the change": (
                [repo.git.file(repo.head(pull), "greet.py") for pull in repo.pulls]
                == [GREET.replace('"Hello', '"HELLO').encode()]
            ),
            "one row": [(row["state"], row["model_calls"]) for row in rows] == [("done", 2)],
            # A death between what is stored and its line loses the line.
            "no line twice": all(
                len(self._lines(delivery.guid, event)) <= 1 for event in ("accepted", "ended")
            ),
            "signs": [reaction.content for reaction in comment.reactions] == ["eyes", "rocket"],
            f"replies asked once, not {asked}": (
                sum(asked) <= 2 + each.may_ask_again and min(asked) >= 1
            ),
        }
        each.wrong += [what for what, right in checks.items() if not right]
        return each

    def _deliver_at_last(self, delivery: Delivery) -> None:
        """As GitHub's redelivery does where no answer came."""
        attempt = delivery
        while attempt.status_code != 202:
            self.stage.wait(self.stage.is_healthy, "the web part")
            attempt = self.stage.github.redeliver(delivery.guid)

    def _after_step(self, name: str, turn: int) -> Round:
        count, late_s = turn % STEPS + 1, self.chance.choice([0.0, 0.0, 0.002, 0.01])

        def strike(_each: Round, delivery: Delivery) -> None:
            """At the step's end, about when it is written down: the worst moment."""
            poll(lambda: self._steps(delivery.guid) >= count, within_s=20, pause_s=0.0005)
            time.sleep(late_s)
            self._kill("worker")

        return Round(name, f"worker after step {count}", strike=strike)

    def _in_request(self, name: str, turn: int) -> Round:
        method, path = REQUESTS[turn % len(REQUESTS)]

        def prepare(each: Round) -> None:
            pattern = rf"octocat/{each.name}(\.git)?/(.*/)?{path}"
            self.order = self.stage.github.faults.add(delayed(1.5), method=method, path=pattern)

        def strike(_each: Round, _delivery: Delivery) -> None:
            self.stage.wait(lambda: self.order.met, f"{method} {path}", within_s=20)
            time.sleep(self.chance.uniform(0, 0.2))
            self._kill("worker")

        return Round(name, f"worker in {method} {path}", prepare, strike, may_ask_again=False)

    def _in_call(self, name: str, turn: int) -> Round:
        purpose = ("generate", "reflect")[turn % 2]

        def prepare(each: Round) -> None:
            self.model.hangs.clear()
            self.model.hang_at = f"{each.name} {purpose}"

        def strike(_each: Round, _delivery: Delivery) -> None:
            self.model.hangs.wait(30)
            self._kill("worker")

        return Round(name, f"worker in the call to {purpose}", prepare, strike)

    def _at_random(self, name: str, _turn: int) -> Round:
        after_s = self.chance.uniform(0, 1.5)

        def strike(_each: Round, _delivery: Delivery) -> None:
            time.sleep(after_s)
            self._kill("worker")

        return Round(name, f"worker after {after_s:.2f} s", strike=strike)

    def _web(self, name: str, _turn: int) -> Round:
        after_s = self.chance.uniform(0, 0.03)

        def prepare(_each: Round) -> None:
            threading.Timer(after_s, lambda: self._kill("web")).start()

        return Round(name, f"web {after_s:.3f} s into the delivery", prepare)

    def _all(self, name: str, _turn: int) -> Round:
        after_s = self.chance.uniform(0, 1.0)

        def strike(_each: Round, _delivery: Delivery) -> None:
            time.sleep(after_s)
            self.stage.stop(signal.SIGKILL)
            self.stage.start()

        return Round(name, f"all after {after_s:.2f} s", strike=strike)

    def _database(self, name: str, _turn: int) -> Round:
        after_s = self.chance.uniform(0, 1.0)

        def strike(_each: Round, _delivery: Delivery) -> None:
            time.sleep(after_s)
            restart_postgres(self.server_url or "")

        return Round(name, f"PostgreSQL after {after_s:.2f} s", strike=strike)

    def _kill(self, part: str) -> None:
        for pid in self.stage.pids(part):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _steps(self, job: str) -> int:
        return len(self._lines(job, "step"))

    def _lines(self, job: str, event: str) -> list[str]:
        """Of the log: the event's lines about the job."""
        named = (f"event='{event}'", f"job='{job}'")
        lines = self.stage.log.read_text().splitlines()
        return [line for line in lines if all(each in line for each in named)]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.kill_rounds", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("rounds", type=int, nargs="?", default=60)
    parser.add_argument(
        "--postgres", action="store_true", help="on PostgreSQL, which is killed too"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only",
        default="",
        help="after_step, in_request, in_call, at_random, web, all or (on PostgreSQL) database",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, ExitStack() as stack:
        bad = asked_again = 0
        rounds = play(
            stack,
            Path(root),
            options.rounds,
            seed=options.seed,
            on_postgres=options.postgres,
            only=options.only,
        )
        for each, model in rounds:
            extra = (
                sum(count for key, count in model.asked.items() if key.startswith(f"{each.name} "))
                - 2
            )
            asked_again += extra
            bad += bool(each.wrong)
            print(
                f"{each.death:45}"
                f" {'; '.join(each.wrong) or 'right'}{' (a call again)' if extra else ''}",
                flush=True,
            )
        print(
            f"{options.rounds} rounds, {bad} wrong, {asked_again} calls that were under way asked"
            " again"
        )
        return 1 if bad else 0


def play(
    stack: ExitStack,
    root: Path,
    rounds: int,
    *,
    seed: int = 0,
    on_postgres: bool = False,
    only: str = "",
) -> Iterator[tuple[Round, Model]]:
    """Each round when it is over; `stack` holds what they run on."""
    model, server_url = Model(), None
    settings = {"TINYGEN_ACTOR_HOURLY": "0", "TINYGEN_LOG_LEVEL": "debug"}
    if on_postgres:
        server_url = stack.enter_context(postgres())
        settings["TINYGEN_DATABASE_URL"] = server_url
    double = stack.enter_context(ModelDouble(model, piece=4096))
    stage = stack.enter_context(Stage(root, double.url, settings))
    stage.github.install(stage.app, "octocat")
    harness = Harness(stage, model, server_url, seed)
    for each in itertools.islice(harness.rounds(only), rounds):
        yield harness.run(each), model


if __name__ == "__main__":
    sys.exit(main())
