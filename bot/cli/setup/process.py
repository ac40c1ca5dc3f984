"""The process that serves the set-up: gunicorn with one process of several threads, since what was given
so far lives in its memory, until the App is written."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import structlog

from bot.app import build_database
from bot.cli.http_server import Server
from bot.cli.setup.env_file import MUST_BE_ABSENT, check_env_file, settings_file
from bot.cli.setup.manifest import read_manifest
from bot.cli.setup.tools import LocalTools
from bot.config import Config
from bot.errors import OutsideError, TinyGenError
from bot.types.pages import SetupRecord
from bot.types.setup import Address
from bot.web.setup import create_setup_app
from bot.web.setup.flow import Finished, Flow
from bot.web.setup.guard import PATH, SESSION_S, TOKEN_PARAMETER, Guard

_log = structlog.get_logger()
END_WAIT_S = 2.0
"""For the browser to load the page that says that TinyGen restarts, with its style and script."""


class _SharedFlag:
    """A flag that a process and those that it forks share."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def is_set(self) -> bool:
        return self._byte[0] != 0

    def set(self) -> None:
        self._byte[0] = 1


class SetupProcess:
    """`is_serving`: it listens where TinyGen will; the process is started again with the new settings
    and shows the browser the last steps. Otherwise it listens on any port of loopback, and ends when the
    App is written, or when GitHub does not give it out."""

    def __init__(
        self,
        config: Config,
        *,
        is_serving: bool,
        address: Address | None = None,
        organization: str = "",
    ) -> None:
        where = {} if is_serving else {"host": "127.0.0.1", "port": 0}
        self._config = config.model_copy(update={"web_processes": 1, **where})
        self._is_serving = is_serving
        # gunicorn forks: what its child has to say passes through the operating system.
        self._ending, self._ended = multiprocessing.Pipe(duplex=False)
        self._token = secrets.token_urlsafe(32)
        env_file = settings_file()
        check_env_file(env_file, MUST_BE_ABSENT)
        tools = LocalTools(config, read_manifest(), os.environ, env_file)
        self._flow = Flow(
            config,
            tools,
            self._end,
            is_serving=is_serving,
            address=address,
            organization=organization,
        )
        self.status = 0
        """The process's exit status, after a signal stopped `run`."""
        self._guard = Guard(self._config, self._token, _SharedFlag())

    def run(self, announce: Callable[[str], None], wait_s: float | None = None) -> Finished | None:
        """What was set up; None if a signal, or the end of `wait_s`, stopped it before. `announce`
        gets the link once it answers. OutsideError if GitHub does not give the App out."""
        app = create_setup_app(self._flow, self._guard)

        def when_ready(arbiter: Any) -> None:
            port = arbiter.LISTENERS[0].sock.getsockname()[1]
            own = self._config.model_copy(update={"port": port})
            url = own.public_url if self._is_serving and own.public_url else own.local_url()
            announce(f"{url}{PATH}?{TOKEN_PARAMETER}={self._token}")
            if wait_s is not None:
                _stop_later(os.getpid(), wait_s)
            threading.Thread(target=self._stop_at_end, args=(os.getpid(),), daemon=True).start()

        self.status = Server(self._config, app, when_ready).serve()
        if not self._ending.poll():
            return None
        ending: Finished | tuple[str, str] = self._ending.recv()
        if isinstance(ending, tuple):
            raise OutsideError(ending[0], next_step=ending[1])
        return ending

    def _end(self, ending: Finished | TinyGenError) -> None:
        """Called in gunicorn's child, in the request that ends the set-up."""
        if isinstance(ending, TinyGenError):
            if self._is_serving:
                return  # the page says so, and the person tries again
            self._ended.send((ending.message, ending.next_step))
        else:
            if self._is_serving:
                self._keep_session(ending.install_url)
            _log.info("the settings are written", names=", ".join(ending.added))
            self._ended.send(ending)

    def _stop_at_end(self, pid: int) -> None:
        """In the process that gunicorn's child cannot take with it when it dies."""
        self._ending.poll(None)
        # Requests that are under way are answered first.
        _stop_later(pid, END_WAIT_S if self._is_serving else 0.0)

    def _keep_session(self, install_url: str) -> None:
        """So that this browser is shown the last steps after the restart."""
        expires_at_s = int(time.time()) + SESSION_S
        record = SetupRecord(
            self._guard.session_digest, self._guard.host, install_url, expires_at_s
        )
        # Without a database the next start says what is wrong with it; the App is written.
        with suppress(TinyGenError), closing(build_database(self._config)) as database:
            database.shared.save_setup(record)


def _stop_later(pid: int, wait_s: float) -> None:
    timer = threading.Timer(wait_s, os.kill, (pid, signal.SIGTERM))
    timer.daemon = True
    timer.start()
