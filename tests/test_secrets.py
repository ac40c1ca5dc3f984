"""No secret leaves the bot: a test puts secrets into every input, and searches every output for
them."""

from __future__ import annotations

import base64
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.app import build_database
from bot.config import load_config
from bot.errors import OutsideError, SetupError, TinyGenError
from tests.doubles.edit_blocks import block
from tests.doubles.github import Repository
from tests.doubles.github.faults import Fault
from tests.doubles.model import Fault as ModelFault
from tests.doubles.model import Messages, ModelDouble, Reply
from tests.doubles.server import Request, Response, Server
from tests.scene import CONFIDENT, FILES, Scene, draft
from tests.stage import SECRET, Stage, state_of

OPENAI = "sk-planted-model-key-0123456789"
SUPABASE = "sb_secret_planted_0123456789"
TOKEN = "ghp_plantedtokenplantedtoken0123456789ab"
OPERATOR_KEY = "planted-operator-key"
COLLECTOR_KEY = "planted-collector-key"
KEYS = ("planted-caller-key-1", 'planted"caller\\key-é')
JWT_SHAPE = re.compile(rb"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.")
PLAIN = {
    "OPENAI_API_KEY": OPENAI,
    "SUPABASE_KEY": SUPABASE,
    "GITHUB_TOKEN": TOKEN,
    "TINYGEN_API_KEYS": ",".join(KEYS),
    "TINYGEN_OPERATOR_KEYS": OPERATOR_KEY,
    "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={COLLECTOR_KEY}",
}


class Echo:
    """A model that repeats the headers of its request and every secret, in the title, the prose, the
    edits and the error messages of its replies."""

    def __init__(self) -> None:
        self.double = ModelDouble(self)

    def __call__(self, messages: Messages) -> Reply:
        leak = f"{dict(self.double.requests[-1].headers)} {OPENAI} {SECRET} {TOKEN}"
        asked = "\n".join(str(message["content"]) for message in messages)
        if "[REVISION NEEDED]" in asked:
            return f"{CONFIDENT} {leak}"
        if "refuse it" in asked:
            return ModelFault(400, json.dumps({"error": {"message": f"Bad key {leak}"}}).encode())
        leaking = block("leak.py", "", f"LEAK = {leak!r}\n")
        wanted = block("settings.py", "PORT = 1\n", "PORT = 2\n")
        return draft(leaking, wanted, title=f"Use {OPENAI}", why=leak)


def echo(request: Request) -> Response:
    """Answers 500 with the headers and the body of the request."""
    return Response(
        500,
        f"{dict(request.headers)} {request.body!r}".encode(),
        {"Content-Type": "application/json"},
    )


class Collector:
    """Keeps the traces that it gets, and answers as `echo` does."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def __call__(self, request: Request) -> Response:
        self.bodies.append(request.body)
        return echo(request)


class CommandLines:
    """`seen`: the command lines of all processes on the machine, read again and again until the
    `with` ends."""

    def __enter__(self) -> CommandLines:
        self.seen: set[bytes] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._read_all)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _read_all(self) -> None:
        while not self._done.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:  # the process has ended
                    continue


def secrets_of(stage: Stage) -> dict[str, bytes]:
    """Each secret that no output may contain, as it is and as JSON escapes it, by its name."""
    key = stage.app.private_key or ""
    found = {"openai": OPENAI, "webhook": SECRET, "supabase": SUPABASE, "token": TOKEN}
    found["collector"] = COLLECTOR_KEY
    found |= {f"caller {number}": each for number, each in enumerate((*KEYS, OPERATOR_KEY))}
    found |= {
        f"pem {number}": line
        for number, line in enumerate(key.splitlines())
        if not line.startswith("-")
    }
    for number, token in enumerate(stage.github.world.tokens):
        found[f"installation token {number}"] = token
        found[f"basic {number}"] = (
            base64.b64encode(f"x-access-token:{token}".encode()).decode().rstrip("=")
        )
    escaped = {f"{name}, escaped": json.dumps(value)[1:-1] for name, value in found.items()}
    return {name: value.encode() for name, value in {**found, **escaped}.items()}


def check_none(where: str, text: bytes, secrets: Mapping[str, bytes]) -> None:
    """Fails if the text contains one of the secrets, or anything with the form of a JWT."""
    for name, secret in secrets.items():
        at = text.find(secret)
        assert at < 0, f"{name} in {where}: {text[max(0, at - 200) : at + 200]!r}"
    assert not JWT_SHAPE.search(text), f"a JWT in {where}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A bot whose jobs, some successful and some failed, had every secret in their inputs."""
    root, model = tmp_path_factory.mktemp("secrets"), Echo()
    (root / "tmp").mkdir()
    with ExitStack() as stack:
        double = stack.enter_context(model.double)
        supabase, collector = stack.enter_context(Server(echo)), Collector()
        traces = stack.enter_context(Server(collector))
        settings = {
            **PLAIN,
            "SUPABASE_URL": supabase.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
            "TMPDIR": str(root / "tmp"),
            "TINYGEN_LOG_LEVEL": "debug",
        }
        stage = stack.enter_context(Stage(root, double.url, settings))
        stage.model, stage.command_lines = double, stack.enter_context(CommandLines())  # type: ignore[attr-defined]
        stage.collector = collector  # type: ignore[attr-defined]
        stage.github.install(stage.app, "octocat")
        _run_jobs(stage)
        yield stage


def _run_jobs(stage: Stage) -> None:
    files = {**FILES, "settings.py": f'KEY = "{OPENAI}"\nPORT = 1\nHOOK = "{SECRET}"\n'.encode()}
    repo = stage.github.add_repository("octocat/greeter", files=files)
    _ask(
        stage, repo, ["Change settings.py.", "--pr --new Change settings.py.", "refuse it", "apply"]
    )
    failing = stage.github.add_repository("octocat/failing", files=files)
    message = json.dumps({"message": f"No: {OPENAI} {SECRET} {TOKEN}"}).encode()
    stage.github.faults.add(Fault(422, message), path=r"octocat/failing/git/ref/heads", times=1)
    stage.github.faults.add(Fault(403, message), path=r"octocat/failing\.git/info/refs", times=9)
    stage.github.faults.add(Fault(200, message), path=r"octocat/failing/issues/1$", times=1)
    _ask(stage, failing, ["One.", "Two.", "Three."])
    for key in (KEYS[0], "wrong"):
        for body in (
            {"repoUrl": f"{stage.github.url}/octocat/greeter", "prompt": "Change settings.py."},
            {"repoUrl": KEYS[0]},
        ):
            _call(stage, "/run", key, body)


def _ask(stage: Stage, repo: Repository, prompts: Sequence[str]) -> None:
    issue = repo.open_issue("octocat", "Settings", "See settings.py.")
    for count, prompt in enumerate(prompts, 1):
        repo.comment(issue.number, "octocat", f"/tinygen {prompt}")
        stage.finished(repo.full_name, issue.number, count)


def _call(stage: Stage, path: str, key: str, body: object = None) -> bytes:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        stage.url + path, json.dumps(body).encode() if body else None, headers
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text: bytes = answer.read()
    except urllib.error.HTTPError as error:
        text = error.read()
    check_none(path, text, secrets_of(stage))
    return text


@pytest.mark.slow
class TestTheRealBot:
    def test_is_given_the_secrets(self, stage: Stage) -> None:
        """Without this the tests below could pass because no secret was ever there."""
        done, opened, refused, applied = stage.bot_comments("octocat/greeter", 1)
        assert [state_of(body) for body in (done, opened, refused)] == ["done", "done", "failed"]
        assert "[hidden]" in done
        assert applied
        assert any(
            "No: [\u200bhidden]" in body for body in stage.bot_comments("octocat/failing", 1)
        )
        assert any(OPENAI in str(request.headers) for request in stage.model.requests)  # type: ignore[attr-defined]
        assert len(stage.command_lines.seen) > 20  # type: ignore[attr-defined]
        assert len(stage.github.world.tokens) > 1

    def test_writes_none_into_its_log(self, stage: Stage) -> None:
        log = stage.log.read_bytes()
        assert b"the request log did not take a row" in log
        check_none("the log", log, secrets_of(stage))

    def test_sends_none_to_a_collector_of_traces_and_no_words(self, stage: Stage) -> None:
        sent = stage.collector  # type: ignore[attr-defined]
        stage.wait(lambda: any(b"chat double-1" in body for body in sent.bodies), "traces")
        for body in tuple(sent.bodies):
            check_none("a trace", body, secrets_of(stage))
            for words in (b"settings.py", b"Change", b"octocat", b"Bad key", b"hidden"):
                assert words not in body
        assert stage.log.read_text().count("traces are not sent") == 1

    def test_posts_none_in_a_thread(self, stage: Stage) -> None:
        for repo in stage.github.world.repositories.values():
            for comment in repo.comments.values():
                check_none("a comment", comment.body.encode(), secrets_of(stage))

    def test_puts_none_into_a_pull_request(self, stage: Stage) -> None:
        repo = stage.github.world.names["octocat/greeter"]
        assert repo.pulls
        for pull in repo.pulls:
            check_none("a pull request", f"{pull.title}\n{pull.body}".encode(), secrets_of(stage))
            message = repo.git.run("show", "-s", "--format=%B%n%an%n%ae", repo.head(pull))
            diff = repo.git.run("show", "--format=", "--unified=0", repo.head(pull))
            added = [line for line in diff.splitlines() if line.startswith(b"+")]
            assert b"+PORT = 2" in added
            check_none("a commit", b"\n".join([message, *added]), secrets_of(stage))
        for name, _, _ in repo.git.refs("refs/heads/"):
            check_none("a branch's name", name.encode(), secrets_of(stage))

    def test_sends_none_to_github(self, stage: Stage) -> None:
        for request in stage.github.requests:
            body = request.body
            if request.path.endswith("/git/trees") and body:
                # The file settings.py contained secrets before the change, and still does.
                entries = json.loads(body)["tree"]
                body = json.dumps(
                    [entry for entry in entries if entry["path"] != "settings.py"]
                ).encode()
            check_none(
                f"{request.method} {request.path}", request.path.encode() + body, secrets_of(stage)
            )

    def test_sends_none_to_the_model(self, stage: Stage) -> None:
        sent = stage.model.requests  # type: ignore[attr-defined]
        assert any("settings.py" in json.dumps(request.body) for request in sent)
        for request in sent:
            check_none(
                "a prompt", json.dumps(request.body, ensure_ascii=False).encode(), secrets_of(stage)
            )

    def test_keeps_none_on_the_disk(self, stage: Stage) -> None:
        """All files: the database with the engine's tables, git's configuration, and temporary
        files that nobody deleted."""
        files = [
            path
            for folder in (stage.data_dir, stage.root / "tmp")
            for path in folder.rglob("*")
            if path.is_file()
        ]
        assert any(path.suffix == ".sqlite" for path in files)
        assert any(path.name == "config" for path in files)
        for path in files:
            check_none(str(path), path.read_bytes(), secrets_of(stage))

    def test_puts_none_into_a_command_line(self, stage: Stage) -> None:
        for command in tuple(stage.command_lines.seen):  # type: ignore[attr-defined]
            check_none("a command line", command, secrets_of(stage))

    def test_answers_none_over_http(self, stage: Stage) -> None:
        for body in stage.bot_comments("octocat/greeter", 1):
            job = body.partition("job=")[2].partition(" ")[0]
            assert b'"state"' in _call(stage, f"/jobs/{job}", OPERATOR_KEY)
            _call(stage, f"/jobs/{job}.diff", OPERATOR_KEY)
        for path in ("/metrics", "/healthz", "/docs/openapi.json", "/nothing"):
            _call(stage, path, "wrong")


def test_a_secret_in_a_thread_is_neither_shown_to_the_model_nor_repeated(tmp_path: Path) -> None:
    with Scene(tmp_path, settings={**PLAIN, "SUPABASE_URL": "http://127.0.0.1:9"}) as scene:
        issue = scene.open_issue(f"Leaked {OPENAI}", f"It is {OPENAI}, and {KEYS[1]}.")
        scene.repo.comment(issue.number, "octocat", f"Also {TOKEN}.")
        told = scene.tell(f"/tinygen Use {OPENAI}.", on=issue)
        assert told.state == "done"
        shown = [
            *scene.asked,
            told.answer,
            str(told.row),
            str(
                scene.web.get(
                    f"/jobs/{told.job}", headers={"Authorization": f"Bearer {OPERATOR_KEY}"}
                ).json
            ),
        ]
        for text in shown:
            for secret in (OPENAI, TOKEN, *KEYS, OPERATOR_KEY):
                assert secret not in text
                assert json.dumps(secret)[1:-1] not in text


def test_the_begin_line_of_a_pem_key_is_no_secret(tmp_path: Path) -> None:
    """The bot can read and write code that looks for PEM keys."""
    with Scene(tmp_path, files={"pem.py": b'BEGIN = "-----BEGIN RSA PRIVATE KEY-----"\n'}) as scene:
        line = 'END = "-----END RSA PRIVATE KEY-----"\n'
        scene.model_says(draft(block("end.py", "", line)), CONFIDENT)
        told = scene.tell("/tinygen --pr Add the end of pem.py.")
        assert told.state == "done"
        assert scene.repo.git.file(scene.repo.head(scene.repo.pulls[0]), "end.py") == line.encode()
        assert "-----BEGIN RSA PRIVATE KEY-----" in scene.asked[0]


@pytest.mark.parametrize(
    "settings",
    [
        {"TINYGEN_DATABASE_URL": "postgresql://bot:hunter2secret@127.0.0.1:1/tinygen"},
        {"TINYGEN_DATABASE_URL": "postgresql://bot:hunter2secret@127.0.0.1:none/tinygen"},
        {"TINYGEN_DATABASE_URL": "mysql://bot:hunter2secret@127.0.0.1/tinygen"},
        {"GITHUB_PRIVATE_KEY": "hunter2secret"},
        {"SUPABASE_KEY": "hunter2secret"},
        {"TINYGEN_PORT": "hunter2secret"},
        {"OPENAI_BASE_URL": "hunter2secret"},
    ],
)
def test_a_setting_that_cannot_be_used_is_not_quoted(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    with pytest.raises((SetupError, OutsideError)) as refused:
        build_database(load_config({"TINYGEN_DATA_DIR": str(tmp_path), **settings}, env_file=None))
    error: BaseException | None = refused.value
    assert isinstance(error, TinyGenError)
    assert "hunter2" not in f"{error} {error.next_step}"


def test_the_text_form_of_a_config_contains_no_secret() -> None:
    config = load_config({**PLAIN, "SUPABASE_URL": "http://x"}, env_file=None)
    for secret in (OPENAI, SUPABASE, TOKEN, *KEYS):
        assert secret not in f"{config!r} {config}"
        assert secret in config.secrets()
