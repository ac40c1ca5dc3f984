"""A pytest plugin: writes down what the bot does at its edges, a file of JSON lines for each test.

The edges, each a stream: what it asks the doubles (`github`, `model`, `supabase`, `http` for any other server of the
tests), what its web part is asked and answers (`web`), what its commands are given and print (`cli`), and what its
database holds in the end (`log`). Nothing is masked here: `tests.tools.record` does that when it compares.

`RECORD_ROOT` is the checkout, `RECORD_OUT` the folder. `RECORD_TESTS`, where set, is a file with the names of the tests
to run, a line each; otherwise those run whose file speaks of an edge.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import importlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from _pytest.capture import CaptureFixture

Event = dict[str, Any]

ROOT = Path(os.environ["RECORD_ROOT"]).resolve()
OUT = Path(os.environ["RECORD_OUT"]).resolve()
EDGES = re.compile(
    r"\bScene\b|\bSetScene\b|\bStage\b|\.test_client\(|\"-m\", \"bot\"|capsys|\bimport .*\bbot\b"
)
UNFIT = re.compile(r"\bbenchmarks?\b|\bkill_rounds\b|\bgrowth_of\b|\bfrom dbos import\b.*\bmany\b")
"""What measures time, or kills processes at random moments."""
HEADERS = {
    "accept", "apikey", "authorization", "content-encoding", "content-type", "git-protocol", "location", "prefer",
    "retry-after", "user-agent", "www-authenticate", "x-github-api-version", "x-github-event",
}  # fmt: skip
REPORTS = "select * from tinygen_reports"
REPORTS_OF_JOBS = """select id, repo, issue_number, state, accepted_at as created_at, updated_at,
    report, actor, verb, tokens, repository_key, asker_key, installation_id
    from tinygen_jobs where state is not null order by accepted_at"""
ROWS = {
    "tinygen_refusals": ("tinygen_refusals", "select * from tinygen_refusals"),
    "tinygen_reports": ("tinygen_reports", REPORTS),
    "tinygen_jobs": ("tinygen_reports", REPORTS_OF_JOBS),
    "tinygen_requests": ("tinygen_requests", "select * from tinygen_requests"),
}
"""By the table that there is: what its rows are recorded as, and how they are read. Newer checkouts
keep a job and its report in one table."""
MOST_NESTED = 800
LOCK = threading.Lock()
EVENTS: list[Event] = []
FOLDERS: set[Path] = set()


def add(stream: str, **what: Any) -> None:
    with LOCK:
        EVENTS.append({"stream": stream, **what})


# ---- which tests, and where what they did is written -----------------------------------------------------------------


def name_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if wanted := os.environ.get("RECORD_TESTS"):
        names = set(json.loads(Path(wanted).read_text()))
        items[:] = [item for item in items if name_of(item) in names]
        return
    others = [item for item in items if "tools" not in item.path.parts]
    texts = {item.path: item.path.read_text() for item in others}
    fit = {path for path, text in texts.items() if EDGES.search(text) and not UNFIT.search(text)}
    items[:] = [item for item in others if item.path in fit]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    EVENTS.clear()
    FOLDERS.clear()
    try:
        return (yield)
    finally:
        for folder in sorted(FOLDERS):
            add_rows(folder)
        write(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    FOLDERS.update([folder] if folder else [])
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        add("outcome", when=report.when, outcome=report.outcome)


def write(item: pytest.Item) -> None:
    name, path = name_of(item), item.path.relative_to(ROOT).as_posix()
    digest = hashlib.sha256(f"{path}::{name}".encode()).hexdigest()[:10]
    slug = re.sub(r"\W+", "-", name)[:80].strip("-")
    with LOCK:
        lines = [{"test": name, "path": path}, *EVENTS]
    text = "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{slug}.{digest}.jsonl").write_text(text)


# ---- the doubles -----------------------------------------------------------------------------------------------------


def hook_doubles() -> None:
    """The one class that all doubles answer through: `Server` in `doubles/server.py`, wherever this lies."""
    (path,) = [
        path for path in (ROOT / "tests").rglob("server.py") if path.parent.name == "doubles"
    ]
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    begin = module.Server.__init__

    def init(self: Any, answer: Callable[[Any], Any], **given: Any) -> None:
        begin(self, recorded(answer), **given)

    module.Server.__init__ = init


def recorded(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    words = getattr(answer, "__module__", "").partition(".doubles.")[2].split(".")[0]
    stream = words if words in ("github", "model", "supabase") else "http"

    def call(request: Any) -> Any:
        status: object = "dropped"
        try:
            response = answer(request)
            status = response.status
        finally:
            headers = kept_headers(request.headers.items())
            body = readable(request.body, request.headers.get("Content-Encoding", ""))
            target = (
                f"{request.path}?{request.query_string}" if request.query_string else request.path
            )
            add(stream, ask=f"{request.method} {target}", headers=headers, body=body, status=status)
        return response

    return call


def kept_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in sorted(headers) if name.lower() in HEADERS}


def readable(body: bytes, encoding: str = "") -> object:
    """JSON as it is; text; of git's packs only the lines before them; of other bytes their base64."""
    if encoding == "gzip":
        with contextlib.suppress(OSError, EOFError):
            body = gzip.decompress(body)
    if re.match(rb"[0-9a-f]{4}", body) and b"PACK" in body:
        body = body.partition(b"PACK")[0]
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
    return parsed(text)


def parsed(text: str) -> object:
    """JSON as what it says; what nests deeper than Python reads and writes everywhere stays text."""
    if text.count("[") + text.count("{") < MOST_NESTED:
        with contextlib.suppress(ValueError):
            return json.loads(text)
    return text


# ---- the web part ----------------------------------------------------------------------------------------------------


def hook_web() -> None:
    answer = flask.Flask.__call__

    def call(app: flask.Flask, environ: Any, start_response: Any) -> Any:
        query = environ.get("QUERY_STRING")
        target = environ.get("PATH_INFO", "") + (f"?{query}" if query else "")
        asked = {
            name[5:].replace("_", "-"): str(value)
            for name, value in environ.items()
            if name[:5] == "HTTP_"
        }
        event: Event = {
            "ask": f"{environ['REQUEST_METHOD']} {target}",
            "headers": kept_headers(asked.items()),
            "body": readable(getattr(environ.get("wsgi.input"), "getvalue", lambda: b"")()),
        }

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            event.update(status=status, answer_headers=kept_headers(headers))
            return start_response(status, headers, *rest)

        return Passed(answer(app, environ, start), event)

    flask.Flask.__call__ = call  # type: ignore[method-assign, assignment]


class Passed:
    """An answer that is passed on piece by piece, and written down when it is closed."""

    def __init__(self, pieces: Any, event: Event) -> None:
        self._pieces, self._event = pieces, event
        self._whole: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._whole.append(piece)
            yield piece

    def close(self) -> None:
        getattr(self._pieces, "close", lambda: None)()
        add("web", answer=readable(b"".join(self._whole)), **self._event)


# ---- the command line ------------------------------------------------------------------------------------------------


def hook_commands() -> None:
    """Commands as processes, and in this process: what `main` is given and returns, and what was printed."""
    communicate = subprocess.Popen.communicate

    def talk(process: Any, *given: Any, **named: Any) -> Any:
        out, err = communicate(process, *given, **named)
        arguments = (
            [os.fsdecode(each) for each in process.args] if isinstance(process.args, list) else []
        )
        if arguments[1:3] == ["-m", "bot"]:
            add(
                "cli",
                arguments=arguments[3:],
                exit=process.returncode,
                out=printed(out),
                err=printed(err),
            )
        return out, err

    subprocess.Popen.communicate = talk  # type: ignore[method-assign, assignment]
    readouterr = CaptureFixture.readouterr

    def read(fixture: Any) -> Any:
        result = readouterr(fixture)
        add("cli", out=printed(result.out), err=printed(result.err))
        return result

    CaptureFixture.readouterr = read  # type: ignore[method-assign, assignment]


def hook_main() -> None:
    """`main` as `bot/__main__.py` imports it."""
    found = re.search(r"from (bot[\w.]*) import main\b", (ROOT / "bot" / "__main__.py").read_text())
    if not found:
        return
    module = importlib.import_module(found[1])
    main = module.main

    def call(arguments: Any) -> Any:
        try:
            status = main(arguments)
        except SystemExit as end:
            add("cli", arguments=list(arguments), exit=end.code)
            raise
        add("cli", arguments=list(arguments), exit=status)
        return status

    vars(sys.modules[main.__module__])["main"] = call
    vars(module)["main"] = call


def printed(output: object) -> object:
    return readable(output) if isinstance(output, bytes) else output


# ---- the database ----------------------------------------------------------------------------------------------------


def add_rows(folder: Path) -> None:
    """What the embedded databases under a folder hold."""
    for path in sorted(folder.rglob("tinygen.sqlite")):
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(path, timeout=5)) as connection,
        ):
            connection.row_factory = sqlite3.Row
            found = connection.execute(
                "select name from sqlite_master where type = 'table'"
            ).fetchall()
            for table in sorted({row[0] for row in found} & set(ROWS), key=lambda each: ROWS[each]):
                name, query = ROWS[table]
                for row in connection.execute(query):
                    add("log", table=name, row={key: plain(row[key]) for key in row.keys()})  # noqa: SIM118


def plain(value: object) -> object:
    if isinstance(value, bytes):
        return readable(value)
    return parsed(value) if isinstance(value, str) and value[:1] in ("{", "[") else value


def pytest_configure() -> None:
    hook_commands()
    hook_web()


def pytest_collection() -> None:
    """Before any test module is imported, and after the checkout's own conftest."""
    hook_doubles()
    hook_main()
