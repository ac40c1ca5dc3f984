"""gunicorn as the web part runs it, with limits on how long a request may take to arrive, and its
answer to be taken."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from bot import INTERRUPTED
from bot.config import Config

if TYPE_CHECKING:
    from flask import Flask

READ_S = 20.0
"""How long a whole request may take to arrive. GitHub gives a delivery up after ten seconds."""
WRITE_S = 60.0
"""How long a client may take to receive a whole answer, which has at most some megabytes."""
CHECK_S = 1.0
"""The interval at which the limits are looked at."""


class BoundedWorker(ThreadWorker):
    """Cuts off whoever sends a request or receives an answer too slowly: each such connection holds
    a thread. How long the application works is its own affair."""

    def init_process(self) -> None:
        self._lock = threading.Lock()
        self._limits: dict[socket.socket, tuple[float, int]] = {}
        """When each connection that a thread holds is shut down, and which of its directions."""
        threading.Thread(target=self._cut_off_slow, name="slow clients", daemon=True).start()
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = partial(self._answer, self.wsgi)

    def handle(self, conn: Any) -> Any:
        # Only the receiving side, so a request that is there is still answered.
        self._limit(conn.sock, READ_S, socket.SHUT_RD)
        try:
            return super().handle(conn)
        finally:
            with self._lock:
                self._limits.pop(conn.sock, None)

    def _answer(self, app: Any, environ: Any, start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = app(environ, start_response)
        self._limit(environ["gunicorn.socket"], WRITE_S, socket.SHUT_RDWR)
        return answer

    def _limit(self, connection: socket.socket, within_s: float, direction: int) -> None:
        with self._lock:
            self._limits[connection] = (time.monotonic() + within_s, direction)

    def _cut_off_slow(self) -> None:
        while True:
            time.sleep(CHECK_S)
            with self._lock:
                limits = list(self._limits.items())
            for connection, (until, direction) in limits:
                if until < time.monotonic():
                    with suppress(OSError):
                        connection.shutdown(direction)


class Server(BaseApplication):
    def __init__(
        self, config: Config, app: Flask, when_ready: Callable[[Any], None] | None = None
    ) -> None:
        """`when_ready` gets gunicorn's arbiter once it listens."""
        self._config, self._app, self._when_ready = config, app, when_ready
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"{self._config.host}:{self._config.port}",
            "workers": self._config.web_processes,
            "threads": self._config.web_threads,
            "worker_class": BoundedWorker,
            "preload_app": True,
            "graceful_timeout": 30,
            "loglevel": "warning",
            "logger_class": QuietLogger,
            "control_socket_disable": True,
            "umask": 0o077,  # gunicorn's default, 0, would let every user read what it writes
            "proc_name": "tinygen-web",
        }
        if self._when_ready is not None:
            settings["when_ready"] = self._when_ready
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._app

    def serve(self) -> int:
        """Until a signal ends it. Returns the process's exit status."""
        arbiter, own_pid = _Arbiter(self), os.getpid()
        try:
            arbiter.run()
        except SystemExit as end:
            if os.getpid() != own_pid:  # gunicorn ends its children by the same exception
                raise
            return INTERRUPTED if arbiter.is_interrupted else int(end.code or 0)
        return 0


class QuietLogger(Logger):
    """Without the warning that a child ended by the very signal with which it was told to stop, as one
    does that is told before it has begun."""

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        if msg == "Worker (pid:%s) was sent %s!" and args[-1] == "SIGQUIT":
            return
        super().warning(msg, *args, **kwargs)


class _Arbiter(Arbiter):
    is_interrupted = False

    def handle_int(self) -> None:
        self.is_interrupted = True
        super().handle_int()
