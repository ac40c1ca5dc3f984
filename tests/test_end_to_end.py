"""The real bot as its operator runs it: its processes, killed and restarted, and its command
line."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.doubles.github import Repository
from tests.doubles.github.faults import delayed
from tests.doubles.github.state import Comment
from tests.doubles.model import Messages, ModelDouble, Reply, hang, no_such_model
from tests.scene import CONFIDENT, FILES, GREET, LOUDER
from tests.stage import Stage, state_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Model:
    """Answers by what it is asked. A prompt with `hang generate` or `hang reflect` in it hangs
    there, once; one with `no model` fails."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hung: set[str] = set()

    def __call__(self, messages: Messages) -> Reply:
        asked = "\n".join(str(message["content"]) for message in messages)
        self.asked.append(asked)
        purpose = "reflect" if "[REVISION NEEDED]" in asked else "generate"
        wish = f"hang {purpose}"
        if wish in asked and wish not in self.hung:
            self.hung.add(wish)
            return hang(120)
        if "no model" in asked:
            return no_such_model()
        return CONFIDENT if purpose == "reflect" else LOUDER

    def count(self, word: str, purpose: str) -> int:
        """How often it was asked about the task that holds `word`."""
        of = [asked for asked in self.asked if word in asked]
        return len(
            [asked for asked in of if ("[REVISION NEEDED]" in asked) == (purpose == "reflect")]
        )


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest.fixture(scope="module")
def stage(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with (
        ModelDouble(model, piece=4096) as double,
        Stage(tmp_path_factory.mktemp("stage"), double.url) as stage,
    ):
        stage.github.install(stage.app, "octocat")
        yield stage


class Asked:
    """A command in a repository of its own."""

    def __init__(self, stage: Stage, name: str, words: str) -> None:
        self.stage, self.name = stage, f"octocat/{name}"
        self.repo: Repository = stage.github.add_repository(self.name, files=FILES)
        self.issue = self.repo.open_issue("octocat", "Too quiet", "It whispers.")
        self.words = words
        self.comment: Comment | None = None

    def give(self) -> Asked:
        self.comment = self.repo.comment(
            self.issue.number, "octocat", f"/tinygen --pr {self.words}"
        )
        return self

    def check_done_once(self) -> None:
        """One comment, one branch, one pull request, one row."""
        body = self.stage.finished(self.name, self.issue.number)
        assert state_of(body) == "done", body
        assert len(self.stage.bot_comments(self.name, self.issue.number)) == 1
        assert len(self.repo.git.refs("refs/heads/tinygen/")) == 1
        (pull,) = self.repo.pulls
        assert (
            self.repo.git.file(self.repo.head(pull), "greet.py")
            == GREET.replace('"Hello', '"HELLO').encode()
        )
        (row,) = self.stage.rows(self.name)
        assert (row["state"], row["model_calls"]) == ("done", 2)
        assert self.comment
        self.stage.wait(lambda: self.signs == ["eyes", "rocket"], "the reactions")

    @property
    def signs(self) -> list[str]:
        return [reaction.content for reaction in self.comment.reactions] if self.comment else []


def test_what_was_killed_in_the_middle_goes_on_where_it_was(stage: Stage, model: Model) -> None:
    """One kill, of jobs in six different places."""
    faults = stage.github.faults
    commenting = faults.add(delayed(3), method="POST", path=r"octocat/k-comment/issues/1/comments$")
    pushing = faults.add(delayed(3), method="POST", path=r"octocat/k-push/git/trees$")
    naming = faults.add(delayed(3), method="POST", path=r"octocat/k-name/git/refs$")
    opening = faults.add(delayed(3), method="POST", path=r"octocat/k-open/pulls$")
    writing = Asked(stage, "k-write", "Write it, hang generate.").give()
    reviewing = Asked(stage, "k-review", "Review it, hang reflect.").give()
    others = [
        Asked(stage, name, f"For {name}.").give()
        for name in ("k-push", "k-name", "k-open", "k-comment")
    ]
    stage.wait(lambda: model.hung == {"hang generate", "hang reflect"}, "both calls to hang")
    stage.wait(
        lambda: all(order.met for order in (commenting, pushing, naming, opening)),
        "GitHub to be slow",
    )
    accepted = Asked(stage, "k-accept", "Just accepted.").give()
    stage.stop(signal.SIGKILL)
    stage.start()
    for asked in (writing, reviewing, *others, accepted):
        asked.check_done_once()
    assert (model.count("Write it", "generate"), model.count("Write it", "reflect")) == (2, 1)
    assert (model.count("Review it", "generate"), model.count("Review it", "reflect")) == (1, 2)
    for asked in others:
        assert (model.count(asked.words, "generate"), model.count(asked.words, "reflect")) == (1, 1)


@pytest.mark.parametrize("number", range(5))
def test_what_was_killed_at_random_goes_on(stage: Stage, model: Model, number: int) -> None:
    chance = random.Random(number)
    given = [Asked(stage, f"r-{number}-{each}", f"Random {number}.{each}.") for each in range(4)]
    gone = threading.Event()
    for asked in given:
        asked.give()
        gone.wait(chance.uniform(0, 0.4))
    stage.stop(signal.SIGKILL)
    stage.start()
    for asked in given:
        asked.check_done_once()
        assert model.count(asked.words, "generate") <= 2
        assert model.count(asked.words, "generate") + model.count(asked.words, "reflect") <= 3


def test_a_killed_worker_is_started_again_and_goes_on(stage: Stage, model: Model) -> None:
    model.hung.clear()
    asked = Asked(stage, "w-worker", "In a worker, hang generate.").give()
    stage.wait(lambda: model.hung, "the call to hang")
    (before,) = stage.pids("worker")
    os.kill(before, signal.SIGKILL)
    asked.check_done_once()
    (after,) = stage.pids("worker")
    assert after != before


def test_a_killed_web_part_is_started_again(stage: Stage) -> None:
    before = stage.pids("web")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    stage.wait(
        lambda: stage.pids("web") and not set(before) & set(stage.pids("web")), "a new web part"
    )
    stage.wait(lambda: status(stage, "/healthz") == 200, "the web part to answer")
    Asked(stage, "w-web", "After the web part.").give().check_done_once()


def status(stage: Stage, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def post_run(stage: Stage, body: object, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{stage.url}/run",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, json.load(answer)


def test_run_answers_with_the_diff(stage: Stage, tmp_path: Path) -> None:
    repo = stage.github.add_repository("octocat/h-run", files=FILES)
    code, answer = post_run(
        stage, {"repoUrl": f"{stage.github.url}/octocat/h-run", "prompt": "Over HTTP."}
    )
    assert (code, list(answer)) == (200, ["diff"])
    subprocess.run(["git", "clone", "-q", str(repo.git.path), str(tmp_path / "c")], check=True)
    subprocess.run(
        ["git", "apply", "-"], cwd=tmp_path / "c", input=answer["diff"].encode(), check=True
    )
    (row,) = stage.rows("octocat/h-run")
    assert (row["source"], row["state"], row["actor"]) == ("run", "done", None)


def test_run_of_a_repository_that_is_not_there_is_404(stage: Stage) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post_run(stage, {"repoUrl": f"{stage.github.url}/octocat/nowhere", "prompt": "x"})
    assert refused.value.code == 404
    assert json.load(refused.value)["title"]


def test_a_job_that_nobody_waits_for_can_be_watched(stage: Stage) -> None:
    stage.github.add_repository("octocat/h-async", files=FILES)
    body = {"repoUrl": f"{stage.github.url}/octocat/h-async", "prompt": "Later."}
    code, answer = post_run(stage, body, Prefer="respond-async")
    assert code == 202

    def page() -> dict[str, Any] | None:
        with urllib.request.urlopen(f"{stage.url}/jobs/{answer['job']}", timeout=5) as shown:
            found: dict[str, Any] = json.load(shown)
        return found if found["state"] == "done" else None

    done = stage.wait(page, "the job to be done")
    with urllib.request.urlopen(f"{stage.url}/jobs/{answer['job']}.diff", timeout=5) as shown:
        assert shown.read().decode() == done["result"]["diff"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_answered_and_not_cut_off(stage: Stage, chunked: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=30)
    piece, count = b" " * (1 << 20), 30
    headers = {} if chunked else {"Content-Length": str(len(piece) * count)}
    connection.request("POST", "/webhook", iter([piece] * count), headers, encode_chunked=chunked)
    assert connection.getresponse().status == 413
    connection.close()


def session(pid: int) -> list[str]:
    """The commands of the processes that still run in the session of `pid`."""
    listed = subprocess.run(
        ["ps", "-s", str(pid), "-o", "pid=,stat=,args="],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in listed.stdout.splitlines() if line.split()[1][0] != "Z"]


def test_serve_ends_cleanly_when_it_is_told_to(stage: Stage) -> None:
    pid = stage.pid
    began = Asked(stage, "e-drain", "Drained.").give()
    assert stage.stop() == 0
    assert session(pid) == []
    stage.start()
    began.check_done_once()


def test_nothing_outlives_a_parent_that_is_killed(stage: Stage) -> None:
    pid = stage.pid
    os.kill(pid, signal.SIGKILL)
    stage.stop()
    stage.wait(lambda: session(pid) == [], "the children to end")
    stage.start()
    Asked(stage, "e-parent", "After the parent.").give().check_done_once()


def cli(stage: Stage, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bot", *arguments]
    environment = {**stage.environment, **settings}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def places(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """One repository as a URL, as a bare directory, and as a work tree."""
    repo = stage.github.add_repository("octocat/c-line", files=FILES)
    clone = tmp_path_factory.mktemp("line") / "clone"
    subprocess.run(["git", "clone", "-q", str(repo.git.path), str(clone)], check=True)
    return f"{stage.github.url}/octocat/c-line", str(repo.git.path), str(clone)


class TestCommandLine:
    def test_run_prints_the_diff_and_nothing_else_on_stdout(
        self, stage: Stage, places: Sequence[str]
    ) -> None:
        outputs = []
        for place in places:
            done = cli(stage, "run", place, "From a shell.")
            assert done.returncode == 0, done.stderr
            assert done.stderr
            outputs.append(done.stdout)
        assert len(set(outputs)) == 1
        assert outputs[0].startswith("diff --git a/greet.py b/greet.py\n")
        assert (
            subprocess.run(
                ["git", "apply", "--check"], input=outputs[0], text=True, cwd=places[2], check=False
            ).returncode
            == 0
        )
        assert (
            subprocess.run(
                ["git", "status", "--porcelain"], capture_output=True, cwd=places[2], check=True
            ).stdout
            == b""
        )

    @pytest.mark.parametrize("words", [b"context: {exclude: [a}\n", b"#" * 40_000])
    def test_run_shows_nothing_where_it_is_not_clear_what_may_be_shown(
        self, stage: Stage, words: bytes
    ) -> None:
        repo = stage.github.add_repository(
            f"octocat/unclear-{len(words)}", files={**FILES, ".github/tinygen.yml": words}
        )
        done = cli(stage, "run", str(repo.git.path), "From a shell.")
        assert (done.returncode, done.stdout) == (1, "")
        assert "tokens in" not in done.stderr
        assert "Mend and commit it" in done.stderr

    def test_run_as_json(self, stage: Stage, places: Sequence[str]) -> None:
        done = cli(stage, "run", places[1], "From a shell.", "--json", "--ref", "main")
        assert json.loads(done.stdout)["diff"].startswith("diff --git ")

    def test_context_calls_no_model(self, stage: Stage, places: Sequence[str]) -> None:
        shown = []
        for place in places:
            done = cli(
                stage,
                "context",
                place,
                "Change farewell in greet.py.",
                "--json",
                OPENAI_BASE_URL="http://127.0.0.1:9",
            )
            assert done.returncode == 0, done.stderr
            page = json.loads(done.stdout)
            assert set(page) == {"ranking", "shown", "map", "tokens", "seconds"}
            assert page["ranking"][0] == "greet.py"
            assert set(page["shown"][0]) == {"path", "start", "end", "tokens", "why"}
            shown.append(page["shown"])
        assert shown[0] == shown[1] == shown[2]

    def test_apply_reads_a_reply_from_a_file(
        self, stage: Stage, places: Sequence[str], tmp_path: Path
    ) -> None:
        reply = tmp_path / "reply.md"
        reply.write_text(LOUDER)
        for place in places:
            done = cli(stage, "apply", place, str(reply), OPENAI_BASE_URL="http://127.0.0.1:9")
            assert (done.returncode, done.stderr) == (0, "")
            assert '+    return "HELLO, "' in done.stdout

    def test_an_edit_that_cannot_be_applied_is_one_line_and_status_1(
        self, stage: Stage, places: Sequence[str], tmp_path: Path
    ) -> None:
        reply = tmp_path / "reply.md"
        wrong = "greet.py\n<<<<<<< SEARCH\nnot there\n=======\nx\n>>>>>>> REPLACE\n"
        reply.write_text(
            f"{LOUDER}\n{wrong}\n../x.py\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n"
        )
        done = cli(stage, "apply", places[1], str(reply))
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 2
        assert "HELLO" in done.stdout

    @pytest.mark.parametrize(
        ("arguments", "settings", "code"),
        [
            (("run",), {}, 2),
            (("nonsense",), {}, 2),
            (("run", "LOCAL", "x", "--nonsense"), {}, 2),
            (("context", "LOCAL", "x", "--budget", "none"), {}, 2),
            (("run", "LOCAL", "x"), {"TINYGEN_PORT": "none"}, 2),
            (("run", "LOCAL", "There is no model."), {}, 2),
            (("run", "/nowhere", "x"), {}, 1),
            (("run", "/tmp", "x"), {}, 1),
            (("run", "https://example.com/a/b", "x"), {}, 1),
            (("run", "URL", "x", "--ref", "nowhere"), {}, 1),
            (("context", "LOCAL", "x", "--ref", "nowhere"), {}, 1),
            (("apply", "LOCAL", "/nowhere"), {}, 1),
        ],
    )
    def test_what_fails_says_why_in_one_line(
        self,
        stage: Stage,
        places: Sequence[str],
        arguments: Sequence[str],
        settings: dict[str, str],
        code: int,
    ) -> None:
        named = {"URL": places[0], "LOCAL": places[1]}
        done = cli(stage, *[named.get(word, word) for word in arguments], **settings)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert "Traceback" not in done.stderr
        last = done.stderr.splitlines()[-1]
        assert last.startswith(("tinygen: ", "python -m bot"))
