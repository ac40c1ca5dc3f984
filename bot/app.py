"""The composition root: makes the adapters and passes them to the worker, the web part and the
command line. The jobs and the web part know only the ports; `bot.cli` imports some adapters
itself."""

from __future__ import annotations

import errno
import fcntl
import math
import os
import socket
import stat
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.config import Config, find_shipped
from bot.errors import OutsideError, SetupError
from bot.logs import RateLimitedLog, configure_logs, make_redactor
from bot.metrics import MetricsBuffer
from bot.ports import NoTracer
from bot.types import ModelLimits, Parsers, Prices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Flask

    from bot.adapters.database import Database
    from bot.adapters.database.migrations.supabase import SupabaseMigrations
    from bot.adapters.git import GitCache
    from bot.adapters.github import GitHubApp
    from bot.adapters.model import OpenAIModel
    from bot.adapters.supabase import SupabaseStore
    from bot.jobs.engine import Engine
    from bot.jobs.policy import JobPolicy
    from bot.jobs.worker import Worker
    from bot.jobs.worker.maintenance import PeriodicTask
    from bot.ports import MetricsSink, Model, SignIn, Tracer
    from bot.web.jobs import Stores

LONE_EXECUTOR = "local"
WORKER_WAIT_S = 30.0
"""As long as the engine itself waits, so that no job fails while a backup locks the database."""
WORKER_CHECKPOINT_PAGES = 250
LOG_BYTES = 1_000_000
"""The size to which SQLite's write-ahead log is kept, in pages of 4 KB and in bytes."""
MAX_GITHUB_LIMIT_WAIT_S = 1.0
MAX_MODEL_LIMIT_WAIT_S = 10.0
"""A worker's threads are shared by all jobs: a job that must wait longer for a limit of GitHub or
of the model is postponed instead."""
CHECK_CONNECT_S = 2.0
"""How long a check, and a command of the shell, wait for a connection to a server."""
SHELL_RETRIES = 2
"""How often a command of the shell sends a call of the model again: after one second, then after two,
if the server asks for no other wait."""
SHELL_LIMIT_WAIT_S = 10.0
"""The longest wait of a command of the shell for GitHub's rate limits."""
FORGET_S = 3600.0
WATCH_APP_S = 300.0
EVICT_S = 300.0
LOST_S = 60.0
SHORTEN_S = 5.0
MEASURE_S = 5.0
"""The intervals at which a worker deletes old jobs, reads the App's deliveries, makes room in the
cache, closes lost jobs, shortens SQLite's log, and stores its metrics, in this order."""
IN_USE_S = 600.0
"""For how long after a job's deadline its repository counts as in use: a finished change is still
to be delivered."""
TRACES_FAILED_S = 600.0
"""The least time between two lines that say that no traces can be sent."""
SLOW_IMPORTS = ("githubkit", "openai")


def set_up_logs(config: Config) -> None:
    configure_logs(
        config.log_format,
        config.log_level,
        make_redactor(config.secrets()),
        colors=config.no_color is None,
    )


def database_url(config: Config) -> str:
    """The URL of the operator's database in SQLAlchemy's form, or of SQLite in the data
    directory."""
    if config.database_url is None:
        return f"sqlite:///{config.data_dir.resolve() / 'tinygen.sqlite'}"
    url = config.database_url.get_secret_value()
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgresql", "postgres") else url


def build_database(
    config: Config, *, wait_s: float = 3.0, checkpoint_pages: int | None = None
) -> Database:
    """The embedded database, with its tables made or brought up to date."""
    database = open_database(config, wait_s=wait_s, checkpoint_pages=checkpoint_pages)
    database.create()
    return database


def open_database(
    config: Config, *, wait_s: float = 3.0, checkpoint_pages: int | None = None
) -> Database:
    """The embedded database as it is, without making its tables. `wait_s` limits how long a
    statement waits for a lock or an answer."""
    from bot.adapters.database import CHECKPOINT_PAGES, Database

    make_data_dir(config)
    return Database(
        database_url(config), wait_s=wait_s, checkpoint_pages=checkpoint_pages or CHECKPOINT_PAGES
    )


def build_web(config: Config) -> Flask:
    """The web part. It connects lazily, so gunicorn may fork after this."""
    from bot.metrics import render_metrics
    from bot.web import create_app

    database = build_database(config)
    return create_app(
        config, build_stores(database), lambda: render_metrics(database), build_sign_in(config)
    )


def build_stores(database: Database) -> Stores:
    """What the web part reads and writes."""
    from bot.web.jobs import Stores

    return Stores(
        inbox=database,
        reports=database,
        workers=database,
        listing=database,
        conversations=database.turns,
        sessions=database.shared,
        last_seen=database.shared,
        outbox=database.outbox,
        setups=database.shared,
    )


def build_sign_in(config: Config) -> SignIn | None:
    """None if the App's client id and secret are not set."""
    if config.github_client_id is None or config.github_client_secret is None:
        return None
    from bot.adapters.sign_in import GitHubSignIn

    return GitHubSignIn(
        client_id=config.github_client_id,
        client_secret=config.github_client_secret.get_secret_value(),
        server_url=config.github_server_url,
        api_url=config.github_api_url,
    )


def build_github(
    config: Config, metrics: MetricsSink | None = None, *, max_limit_wait_s: float = 120.0
) -> GitHubApp:
    """`max_limit_wait_s`: the longest wait of a call for GitHub's rate limits. For a longer one the
    call fails, and the job is postponed."""
    from bot.adapters.github import GitHubApp

    key, token = config.github_private_key, config.github_token
    return GitHubApp(
        app_id=str(config.github_app_id) if config.github_app_id else None,
        private_key=key.get_secret_value() if key else None,
        token=token.get_secret_value() if token else None,
        api_url=config.github_api_url,
        server_url=config.github_server_url,
        metrics=metrics,
        max_limit_wait_s=max_limit_wait_s,
    )


def build_git(config: Config) -> GitCache:
    from bot.adapters.git import GitCache

    make_data_dir(config)
    server = urlsplit(config.github_server_url)
    return GitCache(
        config.data_dir.resolve() / "repositories",
        server=server.netloc.lower(),
        protocols=(server.scheme,),
        max_cache_bytes=config.cache_mb * 1_000_000,
    )


def build_parsers() -> Parsers:
    from bot.adapters.syntax import Bounded, Limits
    from bot.adapters.syntax.grammar_names import read_grammar_names
    from bot.adapters.syntax.parsers import find_fault
    from bot.adapters.syntax.python_names import read_python_names
    from bot.types.source_names import SourceNames, make_source_names

    limits = Limits(output_bytes=16 << 20)
    read_python = Bounded(read_python_names, limits)
    read_others = Bounded(read_grammar_names, limits)

    def read_source_names(files: Sequence[tuple[str, bytes]]) -> list[SourceNames | None]:
        python = [file for file in files if file[0].endswith((".py", ".pyi"))]
        others = [file for file in files if not file[0].endswith((".py", ".pyi"))]
        answers = [*read_python(python), *read_others(others)]
        found = dict(zip((*python, *others), answers, strict=True))
        return [make_source_names(answer) if (answer := found[file]) else None for file in files]

    return Parsers(Bounded(find_fault), read_source_names)


def build_model(
    config: Config,
    metrics: MetricsSink | None = None,
    *,
    tracer: Tracer | None = None,
    max_limit_wait_s: float = math.inf,
    **limits: Any,
) -> Model:
    """`max_limit_wait_s`: the longest wait of a call for the model's rate limits. For a longer one
    the call fails, and the job is postponed. `limits` are further ones of OpenAIModel."""
    model = _build_openai_model(
        config, metrics=metrics, tracer=tracer, max_limit_wait_s=max_limit_wait_s, **limits
    )
    if not config.keep_replies:
        return model
    from bot.adapters.model.kept_replies import KeptReplies

    return KeptReplies(model, config.data_dir / "replies", make_redactor(config.secrets()))


def build_impatient_model(config: Config) -> Model:
    """For checks: a call that fails is not sent again, and its reply is not kept."""
    return _build_openai_model(config, retries=0, connect_timeout_s=CHECK_CONNECT_S)


def build_shell_model(config: Config) -> Model:
    """For a person who waits at a terminal: a server that is away is told soon."""
    return build_model(config, retries=SHELL_RETRIES, connect_timeout_s=CHECK_CONNECT_S)


def check_model_server(config: Config) -> None:
    """Raises within CHECK_CONNECT_S what `Model.ask` would raise later: there is no key, or nobody
    answers there."""
    _build_openai_model(config).check_key()
    _check_connection(config.openai_base_url, "The model's server", "OPENAI_BASE_URL")


def check_github_server(config: Config) -> None:
    """Raises within twice CHECK_CONNECT_S if GitHub does not answer, its API first."""
    _check_connection(config.github_api_url, "GitHub's server", "GITHUB_API_URL")
    _check_connection(config.github_server_url, "GitHub's server", "GITHUB_SERVER_URL")


def _check_connection(url: str, what: str, setting: str) -> None:
    from bot.adapters.http import find_connection_fault

    fault = find_connection_fault(url, within_s=CHECK_CONNECT_S)
    if fault:
        raise OutsideError(
            f"{what} {urlsplit(url).netloc.rpartition('@')[2]} cannot be reached: {fault}.",
            next_step=f"Check {setting}, and that this machine reaches it.",
        )


def _build_openai_model(config: Config, **limits: Any) -> OpenAIModel:
    from bot.adapters.model import OpenAIModel

    key = config.openai_api_key
    return OpenAIModel(
        base_url=config.openai_base_url,
        api_key=key.get_secret_value() if key else None,
        model=config.openai_model,
        scout_model=config.scout_model.name if config.scout_model else None,
        max_reply_tokens=config.max_reply_tokens,
        prices=build_prices(config),
        **limits,
    )


def build_tracer(config: Config) -> Tracer:
    """Traces of the worker's jobs, if an address for them is set; else nothing of OpenTelemetry is
    imported."""
    endpoint = config.traces_endpoint()
    if endpoint is None:
        return NoTracer()
    from bot.traces import open_traces

    failures = RateLimitedLog(1, TRACES_FAILED_S)
    return open_traces(
        endpoint,
        headers=config.traces_headers(),
        service=config.otel_service_name,
        warn=lambda message: failures.write("warning", "traces are not sent", error=message),
    )


def build_prices(config: Config) -> dict[str, Prices]:
    """The prices that are set, by model."""
    prices = {name: Prices(*numbers) for name, numbers in config.model_prices().items()}
    if config.price_input is not None or config.price_output is not None:
        own = Prices(config.price_input or 0.0, config.price_output or 0.0, config.price_cached)
        prices[config.openai_model] = own
    return prices


def build_supabase(config: Config) -> SupabaseStore | None:
    from bot.adapters.supabase import SupabaseStore

    if config.supabase_url is None or config.supabase_key is None:
        return None
    return SupabaseStore(config.supabase_url, config.supabase_key.get_secret_value())


def open_supabase_migrations(config: Config) -> SupabaseMigrations | None:
    """None where no TINYGEN_SUPABASE_DATABASE_URL lets us run them."""
    from bot.adapters.database.migrations.supabase import SupabaseMigrations

    if config.supabase_database_url is None:
        return None
    url = config.supabase_database_url.get_secret_value()
    return SupabaseMigrations(url, find_shipped("deploy/supabase/migrations"))


def build_limits(config: Config) -> ModelLimits:
    return ModelLimits(
        config.max_revisions, config.max_calls, config.max_tokens, config.context_tokens
    )


def build_policy(config: Config) -> JobPolicy:
    from bot.jobs.policy import JobPolicy

    return JobPolicy(
        mode=config.mode,
        draft=config.draft,
        min_permission=config.min_permission,
        outsiders=config.outsiders,
        limits=build_limits(config),
        call_s=config.call_s,
        job_s=config.job_s,
        server_url=config.github_server_url,
        quota=config.quota(),
        ci_fixes=config.ci_fixes,
        denied=config.deny,
        models=config.model_names(),
        vision=config.vision,
        installation_concurrency=config.installation_concurrency,
        prices=build_prices(config),
        ask_above_usd=config.ask_above_usd,
    )


def build_worker(config: Config) -> Worker:
    """The worker, not yet started. Slow libraries are imported now, so that the first job need not
    wait for them."""
    from bot.jobs.engine import Engine
    from bot.jobs.page_urls import PageUrls
    from bot.jobs.policy import JobContext
    from bot.jobs.worker import BackgroundLoop, Worker
    from bot.jobs.worker.heartbeat import Heartbeat
    from bot.jobs.worker.log_sync import LogShipper
    from bot.jobs.worker.maintenance import Maintenance, PeriodicTask, find_lost

    for library in SLOW_IMPORTS:
        import_module(library)
    database = build_database(
        config, wait_s=WORKER_WAIT_S, checkpoint_pages=WORKER_CHECKPOINT_PAGES
    )
    executor_id = _executor_id(config)
    clean = make_redactor(config.secrets())
    metrics_buffer, tracer = MetricsBuffer(), build_tracer(config)
    engine = Engine(
        database_url(config),
        executor_id=executor_id,
        concurrency=config.concurrency,
        clean=clean,
        metrics=metrics_buffer,
        tracer=tracer,
    )
    github = build_github(config, metrics_buffer, max_limit_wait_s=MAX_GITHUB_LIMIT_WAIT_S)
    git = build_git(config)
    git.remove_leftovers()
    remote_log = build_supabase(config)
    context = JobContext(
        engine=engine,
        connect=github.connect,
        git=git,
        model=build_model(
            config, metrics_buffer, tracer=tracer, max_limit_wait_s=MAX_MODEL_LIMIT_WAIT_S
        ),
        reports=database,
        refusals=database.refusals,
        log=database,
        outbox=database.outbox if remote_log else None,
        now=lambda: datetime.now(UTC),
        clean=clean,
        parsers=build_parsers(),
        policy=build_policy(config),
        remote_log=remote_log,
        conversations=database.turns if config.keep_conversations else None,
        page_url=PageUrls(config.public_url, database.shared, database.shared),
    )
    lost = PeriodicTask("close lost jobs", LOST_S, lambda: find_lost(context))
    loops: list[BackgroundLoop] = [
        Maintenance(
            [
                *_periodic_tasks(config, engine, database, github),
                _metrics_task(metrics_buffer, database),
                lost,
            ]
        )
    ]
    if remote_log:
        loops.append(LogShipper(database, database.outbox, remote_log))
    return Worker(
        context, database, loops=loops, heartbeat=Heartbeat(engine, database, executor_id)
    )


def _periodic_tasks(
    config: Config, engine: Engine, database: Database, github: GitHubApp
) -> list[PeriodicTask]:
    from bot.jobs.worker.maintenance import PeriodicTask, watch_app

    keep = timedelta(days=config.keep_days)

    def forget() -> None:
        engine.forget(datetime.now(UTC) - keep)
        database.prune(keep.total_seconds())
        if config.log_days:
            database.prune_log(timedelta(days=config.log_days).total_seconds())

    def watch() -> None:
        watch_app(github, database.shared, datetime.now(UTC))

    def shorten() -> None:
        database.shorten_write_ahead_log(LOG_BYTES)

    def evict() -> None:
        idle_since = time.time() - config.job_s - IN_USE_S
        build_git(config).evict(config.cache_mb * 1_000_000, unused_since=idle_since)

    tasks = [
        PeriodicTask("forget ended jobs", FORGET_S, forget),
        PeriodicTask("shorten the write-ahead log", SHORTEN_S, shorten),
    ]
    if config.cache_mb:
        tasks.append(PeriodicTask("keep the cache small", EVICT_S, evict))
    if config.github_app_id and config.github_private_key:
        tasks.append(PeriodicTask("watch the App and its deliveries", WATCH_APP_S, watch))
    return tasks


def _metrics_task(metrics_buffer: MetricsBuffer, database: Database) -> PeriodicTask:
    from bot.jobs.worker.maintenance import PeriodicTask

    def write() -> None:
        metrics_buffer.set("tinygen_log_rows_waiting", len(database.outbox))
        metrics_buffer.flush(database.add_measures)

    return PeriodicTask("write what was counted", MEASURE_S, write)


def lock_worker(config: Config) -> IO[bytes] | None:
    """With SQLite one worker runs at a time: the open file is its lock, which the operating system
    releases when the process ends."""
    if not _is_sqlite(config):
        return None
    make_data_dir(config)
    file = (config.data_dir / "worker.lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise SetupError(
            "Another worker already runs on this data directory.",
            next_step="Stop it first, or set TINYGEN_DATABASE_URL to PostgreSQL to run several.",
        ) from None
    return file


def make_data_dir(config: Config) -> None:
    """Makes the data directory readable by its owner only: prompts and private code are stored
    there."""
    path = config.data_dir
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_ours = os.access(path, os.W_OK | os.X_OK)
        reason = "" if is_ours else os.strerror(errno.EACCES)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    if reason:
        raise SetupError(
            f"TINYGEN_DATA_DIR cannot be used: {reason}.",
            next_step="Name a directory that TinyGen may write.",
        )
    if mode & 0o077:
        _close_to_others(path, mode)


def _close_to_others(path: Path, mode: int) -> None:
    """Changes the directory's mode; SetupError if it is sticky, as /tmp is, since others share
    it."""
    try:
        if mode & stat.S_ISVTX:
            raise PermissionError
        path.chmod(0o700)
    except OSError:
        step = (
            f"Name a directory inside it, which TinyGen then makes, or run `chmod 700 {path}` as"
            " its owner."
        )
        raise SetupError(
            "TINYGEN_DATA_DIR is open to other users of this machine.", next_step=step
        ) from None


def words_dir(config: Config) -> Path | None:
    """The directory of the word indexes of local repositories; None if it cannot be made."""
    with suppress(SetupError):
        make_data_dir(config)
        return config.data_dir.resolve() / "words"
    return None


def _executor_id(config: Config) -> str:
    """With SQLite the same id at every start, so that a restart finds its jobs; else one that only
    this process has."""
    if _is_sqlite(config):
        return LONE_EXECUTOR
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _is_sqlite(config: Config) -> bool:
    return database_url(config).startswith("sqlite")
