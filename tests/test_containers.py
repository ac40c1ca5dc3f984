"""What deploy/container promises: held to hadolint, to the schema of compose files, and to the Caddy of the image."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from werkzeug.serving import make_server

from bot.web import create_app
from tests import ROOT
from tests.cli.setup_site import TOKEN, SetupSite
from tests.deploy_tools import GUNICORN_GRACEFUL_S, defaults, find_tool
from tests.doubles.server import Request, Response, Server, free_port
from tests.fakes import memory_stores
from tests.polling import poll

FOLDER = ROOT / "deploy" / "container"
CADDYFILE = (FOLDER / "Caddyfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
HOST = "bot.example.com"
PINNED = re.compile(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
MIB = 1 << 20


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: each instruction with what follows it, on one line."""
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    whole = instructions()
    begins = max(index for index, (name, _) in enumerate(whole) if name == "FROM")
    return whole[begins:]


def value(name: str) -> str:
    """What the last stage says under this name, once."""
    (found,) = [rest for instruction, rest in last_stage() if instruction == name]
    return found


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in value("ENV").split())


def test_hadolint_finds_no_fault_with_the_dockerfile() -> None:
    linted = subprocess.run(
        [find_tool("hadolint"), "--no-color", FOLDER / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_every_image_is_pinned_by_its_digest() -> None:
    (base,) = [rest for name, rest in instructions() if name == "ARG" and "IMAGE" in rest]
    assert PINNED.fullmatch(base.removeprefix("PYTHON_IMAGE="))
    stages = [rest for name, rest in instructions() if name == "FROM"]
    assert stages
    assert all(stage.startswith("${PYTHON_IMAGE}") for stage in stages)
    foreign = {name: service for name, service in SERVICES.items() if "build" not in service}
    assert set(foreign) == {"caddy", "postgres"}
    assert all(PINNED.fullmatch(service["image"]) for service in foreign.values())


def test_the_image_runs_as_nobody_by_number_and_has_no_installer() -> None:
    user, group = value("USER").split(":")
    assert user.isdecimal()
    assert group.isdecimal()
    assert int(user) >= 10_000
    (setup,) = [rest for name, rest in last_stage() if name == "RUN"]
    assert "pip uninstall" in setup
    assert f"--uid {user}" in setup
    for tool in ("gcc", "make", "build-essential", "curl", "hatchling"):
        assert not re.search(rf"\b{tool}\b", setup), tool


def test_what_is_written_lies_on_the_volume() -> None:
    places = ("HOME", "XDG_CONFIG_HOME", "TINYGEN_DATA_DIR")
    assert all(f"{environment()[name]}/".startswith("/data/") for name in places)
    # TinyGen closes it to others, which only the owner of a directory may.
    assert environment()["TINYGEN_DATA_DIR"] != value("VOLUME")
    assert value("VOLUME") == "/data"
    assert any(volume.endswith(":/data") for volume in SERVICES["bot"]["volumes"])


def test_all_settings_of_the_image_are_settings() -> None:
    known = (ROOT / ".env.example").read_text()
    own = [name for name in environment() if name.startswith("TINYGEN_")]
    assert own
    assert all(f"#{name}=" in known for name in own)


def ignored(path: str) -> bool:
    """By Dockerfile.dockerignore: the last pattern that matches decides."""
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    names = [path, *(str(parent) for parent in Path(path).parents)]
    is_ignored = False
    for line in lines:
        pattern = line.removeprefix("!").replace("**/", "*")
        if line[:1] not in ("", "#") and any(fnmatch(name, pattern) for name in names):
            is_ignored = not line.startswith("!")
    return is_ignored


def copied() -> Iterator[tuple[str, str]]:
    """Each path that the first stage takes from the checkout, and the directory or name it gets."""
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            for source in sources:
                yield (
                    source,
                    source if target == "./" else f"{target.rstrip('/')}/{Path(source).name}",
                )


def test_no_secret_and_no_history_is_sent_to_the_build() -> None:
    for path in (".env", "data/tinygen.sqlite", ".git/config", "deploy/container/tinygen.env"):
        assert ignored(path), path
    assert ignored("bot/web/__pycache__/x.pyc")


@pytest.mark.slow
def test_the_build_copies_all_that_the_wheel_is_made_of(tmp_path: Path) -> None:
    for source, target in copied():
        assert not ignored(source), source
        if source.startswith("requirements"):
            continue
        at = tmp_path / (source if (ROOT / source).is_dir() else target)
        at.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, at, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, at)
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    (build,) = [rest for name, rest in instructions() if name == "RUN" and "hatchling" in rest]
    assert build.startswith('TINYGEN_BUILD_VERSION="${VERSION}" ')
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").iterdir()
    names = set(zipfile.ZipFile(wheel).namelist())
    code = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "bot").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = (".env.example", "app.yml", "deploy/tinygen.schema.json", "deploy/supabase")
    assert code <= names
    assert all(any(name.startswith(f"bot/shipped/{path}") for name in names) for path in shipped)


@pytest.mark.parametrize(("status", "is_well"), [(200, True), (503, False)])
def test_the_health_check_says_what_healthz_says(status: int, *, is_well: bool) -> None:
    command = json.loads(value("HEALTHCHECK").partition("CMD ")[2])
    assert command[0] == "python"
    asked = []

    def answer(request: Request) -> Response:
        asked.append(request.path)
        return Response(status)

    with Server(answer) as server:
        # A proxy that nobody is: the check must not go through it.
        given = {"TINYGEN_PORT": server.url.rpartition(":")[2], "http_proxy": "http://127.0.0.1:9"}
        checked = subprocess.run([sys.executable, *command[1:]], env=given, check=False)
    assert (checked.returncode == 0, asked) == (is_well, ["/healthz"])


def test_compose_files_have_this_shape() -> None:
    found = find_spec("check_jsonschema")  # for the schema that it brings along
    assert found is not None
    assert found.origin is not None
    file = Path(found.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(file.read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(COMPOSE)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_right_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert {"mem_limit", "pids_limit", "stop_grace_period", "networks"} <= set(service)
    assert "healthcheck" in service or name == "bot"  # whose image has one
    assert "ports" not in service or name == "caddy"


def test_compose_waits_longer_than_a_stop_takes() -> None:
    wait_s = int(SERVICES["bot"]["stop_grace_period"].removesuffix("s"))
    assert wait_s > max(defaults().drain_s, GUNICORN_GRACEFUL_S) + 10


def test_compose_keeps_all_that_is_written_in_named_volumes() -> None:
    used = {volume.split(":")[0] for each in SERVICES.values() for volume in each["volumes"]}
    assert used == {*COMPOSE["volumes"], "./Caddyfile"}


class Caddy:
    """Caddy with the Caddyfile as it is, on ports of its own, with a certificate authority of its own."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self.folder = folder
        self.tls_port, self.plain_port = free_port(), free_port()
        own = (
            "{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tdefault_bind 127.0.0.1\n"
            f"\thttp_port {self.plain_port}\n\thttps_port {self.tls_port}\n"
        )
        assert CADDYFILE.count("\n{\n") == 1
        (folder / "Caddyfile").write_text(CADDYFILE.replace("\n{\n", f"\n{own}"))
        self.environment = {
            "BOT_DOMAIN": HOST,
            "BOT_UPSTREAM": upstream.removeprefix("http://"),
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
        }
        self.log = folder / "log"
        self.authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        self.client = httpx.Client(trust_env=False)

    @contextmanager
    def running(self) -> Iterator[Caddy]:
        command = [find_tool("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        try:
            has_begun = poll(
                self._has_begun, within_s=30, is_hopeless=lambda: process.poll() is not None
            )
            assert has_begun, self.log.read_text()[-2000:]
            yield self
        finally:
            self.client.close()
            process.terminate()
            process.wait(timeout=30)

    def _has_begun(self) -> bool:
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except OSError:
            return False
        self.client.close()
        self.client = httpx.Client(verify=context, headers={"Host": HOST}, trust_env=False)
        try:
            return self.ask("GET", "/metrics").status_code == 403
        except httpx.HTTPError:
            return False

    def ask(self, method: str, path: str, content: Any = None, **headers: str) -> httpx.Response:
        return self.client.request(
            method,
            f"https://127.0.0.1:{self.tls_port}{path}",
            headers=headers,
            content=content,
            extensions={"sni_hostname": HOST},
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
    """Before the web part, without API keys."""
    app = create_app(defaults(), memory_stores(), lambda: b"secret figures")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    folder = tmp_path_factory.mktemp("caddy")
    with Caddy(folder, f"127.0.0.1:{server.server_port}").running() as caddy:
        yield caddy
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_caddy_is_the_image_s_and_has_nothing_to_mend_in_the_file() -> None:
    caddy, image = find_tool("caddy"), SERVICES["caddy"]["image"]
    said = subprocess.run([caddy, "version"], capture_output=True, text=True, check=True).stdout
    assert f"caddy:{said.split()[0].removeprefix('v')}-alpine@" in image
    arguments = ("fmt", "--diff", FOLDER / "Caddyfile")
    formatted = subprocess.run([caddy, *arguments], capture_output=True, text=True, check=False)
    assert [line for line in formatted.stdout.splitlines() if line[:1] in "+-"] == []


@pytest.mark.slow
def test_caddy_passes_on_what_is_public(site: Caddy) -> None:
    assert site.ask("GET", "/healthz").json() == {"status": "ok"}
    assert site.ask("POST", "/webhook").json()["status"] == 401
    for path in ("/", "/docs/", "/docs/openapi.json", "/login", "/static/page.css"):
        assert site.ask("GET", path).status_code == 200, path


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/metrics", "/%6detrics", "/metrics?x=1", "//metrics"])
def test_caddy_keeps_the_metrics_to_itself(site: Caddy, path: str) -> None:
    assert site.ask("GET", path).status_code == 403


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/run", "/jobs", "/try", "/jobs/abc", "/jobs/abc.diff"])
def test_a_caller_through_caddy_is_never_taken_for_a_local_one(site: Caddy, path: str) -> None:
    method = "POST" if path == "/run" else "GET"
    assert site.ask(method, path).status_code == 401
    assert site.ask(method, path, **{"X-Forwarded-For": "127.0.0.1"}).status_code == 401


@pytest.mark.slow
def test_all_that_github_may_send_reaches_tinygen_and_not_much_more(tmp_path: Path) -> None:
    sizes: list[int] = []

    def answer(request: Request) -> Response:
        sizes.append(len(request.body))
        return Response(200)

    with Server(answer) as upstream, Caddy(tmp_path, upstream.url).running() as caddy:
        assert caddy.ask("POST", "/webhook", b" " * (25 * MIB + 1)).status_code == 200
        assert caddy.ask("POST", "/webhook", b" " * (27 * MIB)).status_code == 413
    assert sizes[0] == 25 * MIB + 1


@pytest.mark.slow
def test_plain_http_is_sent_to_https(site: Caddy) -> None:
    answer = site.client.get(f"http://127.0.0.1:{site.plain_port}/healthz?x=1")
    assert answer.status_code == 308
    assert re.fullmatch(rf"https://{HOST}(:\d+)?/healthz\?x=1", answer.headers["Location"])


@pytest.mark.slow
def test_no_log_of_caddy_holds_a_query_or_a_header(tmp_path: Path) -> None:
    sent = {"Referer": "https://x/?q=secret-1", "Cookie": "a=secret-2", "Authorization": "secret-3"}

    def answer(request: Request) -> Response:
        return Response(303, headers={"Location": "/?code=secret-4", "Set-Cookie": "b=secret-5"})

    with Server(answer) as upstream:
        caddy = Caddy(tmp_path, upstream.url)
        with caddy.running():
            assert caddy.ask("GET", "/jobs/abc?link=secret-6", **sent).status_code == 303
    away = Caddy(tmp_path, f"127.0.0.1:{free_port()}")
    away.log = tmp_path / "log of errors"
    with away.running():
        assert away.ask("GET", "/jobs/abc?link=secret-6", **sent).status_code == 503
    for log in (caddy.log, away.log):
        assert '"uri":"/jobs/abc"' in log.read_text()
        assert "secret" not in log.read_text()


@pytest.mark.slow
def test_a_bot_that_caddy_does_not_reach_is_a_problem_in_json(tmp_path: Path) -> None:
    with Caddy(tmp_path, f"127.0.0.1:{free_port()}").running() as caddy:
        answer = caddy.ask("GET", "/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "60"


@pytest.mark.slow
def test_an_error_that_tinygen_tells_itself_is_passed_on(tmp_path: Path) -> None:
    with (
        Server(lambda _request: Response(504, b"the job is abc")) as upstream,
        Caddy(tmp_path, upstream.url).running() as caddy,
    ):
        answer = caddy.ask("POST", "/run")
    assert (answer.status_code, answer.text) == (504, "the job is abc")


@pytest.mark.slow
def test_requests_that_are_not_whole_yet_cost_tinygen_nothing(tmp_path: Path) -> None:
    # More than a proxy would wait for before it sends anything on.
    head = f"POST /half HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {2 * MIB}\r\n\r\n"
    with ExitStack() as stack:
        upstream = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        upstream.settimeout(30)
        address = f"127.0.0.1:{upstream.getsockname()[1]}"
        caddy = stack.enter_context(Caddy(tmp_path, address).running())
        trusted = ssl.create_default_context(cafile=caddy.authority)
        for _ in range(8):
            plain = socket.create_connection(("127.0.0.1", caddy.tls_port))
            slow = stack.enter_context(trusted.wrap_socket(plain, server_hostname=HOST))
            slow.sendall(head.encode() + b"x" * MIB)
        asking = threading.Thread(target=caddy.ask, args=("POST", "/whole", b"all of it"))
        asking.start()
        connection, _ = upstream.accept()
        with connection:
            first = connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            asking.join()
    assert first.partition(b" HTTP")[0] == b"POST /whole"


@pytest.mark.slow
def test_an_answer_is_taken_from_tinygen_before_its_caller_takes_it(tmp_path: Path) -> None:
    is_taken = threading.Event()

    def large() -> Generator[bytes, None, None]:
        for _ in range(24):
            yield b"x" * MIB
        is_taken.set()

    with (
        Server(lambda _request: Response(200, large())) as upstream,
        Caddy(tmp_path, upstream.url).running() as caddy,
    ):
        url = f"https://127.0.0.1:{caddy.tls_port}/jobs"
        with caddy.client.stream("GET", url, extensions={"sni_hostname": HOST}) as answer:
            assert is_taken.wait(30)
            assert sum(len(piece) for piece in answer.iter_bytes()) == 24 * MIB


@pytest.mark.slow
def test_the_link_to_the_set_up_works_once_through_caddy(tmp_path: Path) -> None:
    public_url = SERVICES["bot"]["environment"]["TINYGEN_PUBLIC_URL"]
    assert re.sub(r"\$\{BOT_DOMAIN:\?[^}]*\}", HOST, public_url) == f"https://{HOST}"
    settings = {"TINYGEN_PUBLIC_URL": f"https://{HOST}", "TINYGEN_HOST": "0.0.0.0"}
    with (
        SetupSite(tmp_path, settings).served() as (_, upstream),
        Caddy(tmp_path, upstream).running() as caddy,
    ):
        assert caddy.ask("GET", "/setup").status_code == 403
        opened = caddy.ask("GET", f"/setup?token={TOKEN}")
        assert (opened.status_code, opened.headers["Location"]) == (303, "/setup")
        assert "; Secure" in opened.headers["Set-Cookie"]
        assert caddy.ask("GET", "/setup", Cookie=opened.headers["Set-Cookie"]).status_code == 200
        caddy.client.cookies.clear()
        assert caddy.ask("GET", f"/setup?token={TOKEN}").status_code == 403


def wait_of(path: str) -> int:
    """Seconds that Caddy waits for the answer of the path."""
    block = re.search(rf"@run path {path}\n\thandle @run \{{[^}}]*import tinygen (\d+)s", CADDYFILE)
    assert block is not None
    return int(block[1])


def test_caddy_waits_longer_for_run_than_the_web_part_does() -> None:
    write_m = re.search(r"write (\d+)m", CADDYFILE)
    assert write_m is not None
    assert defaults().run_wait_s < wait_of("/run") < int(write_m[1]) * 60
