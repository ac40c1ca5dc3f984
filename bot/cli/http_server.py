"""gunicorn as the web part runs it, with a limit on how long a request may take to arrive."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from bot.config import Config

if TYPE_CHECKING:
    from flask import Flask

READ_S = 20.0
"""How long a whole request may take to arrive. GitHub gives a delivery up after ten seconds."""


class BoundedWorker(ThreadWorker):
    """Cuts off whoever sends a request too slowly: each such connection holds a thread. Only the
    receiving side is closed, so a request that is there is still answered."""

    def init_process(self) -> None:
        self._handled: dict[int, tuple[float, socket.socket]] = {}
        threading.Thread(target=self._cut_off_slow, name="slow clients", daemon=True).start()
        super().init_process()

    def handle(self, conn: Any) -> Any:
        self._handled[id(conn)] = (time.monotonic() + READ_S, conn.sock)
        try:
            return super().handle(conn)
        finally:
            self._handled.pop(id(conn), None)

    def _cut_off_slow(self) -> None:
        while True:
            time.sleep(1.0)
            for until, connection in tuple(self._handled.values()):
                if until < time.monotonic():
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RD)


class Server(BaseApplication):
    def __init__(self, config: Config, app: Flask) -> None:
        self._config = config
        self._app = app
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
            "control_socket_disable": True,
            "umask": 0o077,  # gunicorn's default, 0, would let every user read what it writes
            "proc_name": "tinygen-web",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._app
