"""The processes: gunicorn with the web part, the worker, and both under one parent for a single
machine.

The database made ready before any process starts: a step of a deploy, or of an operator whose user
may create tables where TinyGen's own may not.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog
from gunicorn.app.base import BaseApplication

from bot.app import build_web, build_worker, database_url, lock_worker, open_database, set_up_logs
from bot.cli.output import print_line
from bot.config import Config
from bot.errors import SetupError

if TYPE_CHECKING:
    from flask import Flask

RESTART_S = 1.0
"""How long after its end a child is started again."""
SETUP_STATUS = 2

_log = structlog.get_logger()


def web(config: Config, options: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    set_up_logs(config)
    if options.child:
        _end_with_parent()
    else:
        _check_address(config)
    app = build_web(config)
    gc.collect()
    gc.freeze()  # else a collection in each forked process would write to all that they share: 15 MB each
    _Server(config, app).run()
    return 0


def worker(config: Config, options: argparse.Namespace) -> int:
    """Runs jobs until it is told to stop; what is not done in TINYGEN_DRAIN_SECONDS goes on at the
    next start."""
    set_up_logs(config)
    if options.child:
        _end_with_parent()
    lock = lock_worker(config)
    stop = _stop_event()
    running = build_worker(config)
    running.start()
    stop.wait()
    running.stop(config.drain_s)
    sys.stderr.flush()
    if lock is not None:
        lock.close()
    os._exit(0)  # a step that did not end in time would hold the process for as long as it likes


def serve(config: Config, _options: argparse.Namespace) -> int:
    """Web and worker as two children. One that dies is started again; one that cannot be set up
    ends it all."""
    set_up_logs(config)
    _check_address(config)
    stop = _stop_event()
    children = {name: _start(name) for name in ("worker", "web")}
    status = 0
    while not stop.wait(0.2) and not status:
        for name, child in children.items():
            ended = child.poll()
            if ended == SETUP_STATUS:
                status = SETUP_STATUS
            elif ended is not None:
                _log.error("a process ended and is started again", process=name, status=ended)
                time.sleep(RESTART_S)
                children[name] = _start(name)
    for child in children.values():
        child.terminate()
    for child in children.values():
        child.wait()
    return status


def _check_address(config: Config) -> None:
    """SetupError where nobody can listen there: said once, at the start, and not by gunicorn again
    and again."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, config.port))
        except OSError as error:
            raise SetupError(
                f"TinyGen cannot listen on {config.host}:{config.port}: {error.strerror}.",
                next_step=(
                    "Stop what listens there, or set TINYGEN_HOST and TINYGEN_PORT to another"
                    " address."
                ),
            ) from None


def _start(name: str) -> subprocess.Popen[bytes]:
    """The child reads its standard input, which ends when this process does, however that dies."""
    return subprocess.Popen([sys.executable, "-m", "bot", name, "--child"], stdin=subprocess.PIPE)


def _end_with_parent() -> None:
    def wait() -> None:
        os.read(
            sys.stdin.fileno(), 1
        )  # not through sys.stdin, whose lock would stand in the way of a normal end
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _stop_event() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


class _Server(BaseApplication):
    def __init__(self, config: Config, app: Flask) -> None:
        self._config, self._app = config, app
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"{self._config.host}:{self._config.port}",
            "workers": self._config.web_processes,
            "threads": self._config.web_threads,
            "worker_class": "gthread",
            "preload_app": True,
            "graceful_timeout": 30,
            "loglevel": "warning",
            "control_socket_disable": True,
            "umask": 0o077,  # its own default, 0, would open to all what it makes
            "proc_name": "tinygen-web",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._app


def migrate(config: Config, _options: argparse.Namespace) -> int:
    """Makes all tables, or brings them up to date. Again, it changes nothing."""
    from bot.jobs.engine import (
        migrate as migrate_engine,
    )  # half a second, which other commands need not wait

    set_up_logs(config)
    applied = open_database(config).create()
    print_line(
        f"TinyGen's tables: {applied} changes made."
        if applied
        else "TinyGen's tables: up to date already."
    )
    migrate_engine(database_url(config))
    print_line("The engine's tables: up to date.")
    return 0
