"""The processes: gunicorn with the web part, the worker, and both under one parent process for a
single machine."""

from __future__ import annotations

import argparse
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import NoReturn

import structlog

from bot import INTERRUPTED
from bot.app import build_web, build_worker, lock_worker, set_up_logs
from bot.cli.http_server import Server
from bot.cli.output import print_line
from bot.config import Config, is_checkout, load_service_config
from bot.errors import SetupError

RESTART_WAIT_S = 1.0
"""Between the end of a child and its restart."""
POLL_S = 0.2
SETUP_POLL_S = 1.0
"""How often a worker looks whether the settings hold an App by now."""
STOP_S = 10.0
"""How long a worker may take to stop after its jobs had their time. systemd waits 60 s for all of
it (deploy/systemd)."""
SETUP_STATUS = 2
RESTART_STATUS = 75
"""Of a web part that wrote the settings which it waited for."""

_log = structlog.get_logger()


def serve(config: Config, _options: argparse.Namespace) -> int:
    """Runs web and worker as two child processes. One that dies is restarted; one that cannot be
    set up ends both. A third checks the installation once, and logs what is wrong. Before the set-up
    the web part runs alone; when it has written the settings, all start with them."""
    set_up_logs(config)
    check_address(config)
    stop = StopSignal()
    waits = config.waits_for_setup()
    children = {name: _start_child(name) for name in (("web",) if waits else ("worker", "web"))}
    checks = _start_child("doctor") if config.start_check and not waits else None
    status = 0
    while not stop.wait(POLL_S) and not status:
        if checks and checks.poll() is not None:
            checks = None
        for name, child in children.items():
            ended = child.poll()
            if ended in (SETUP_STATUS, RESTART_STATUS):
                status = ended
            elif ended is not None and waits and _is_set_up():
                status = RESTART_STATUS
            elif ended is not None:
                _log.error("a process ended and is started again", process=name, status=ended)
                time.sleep(RESTART_WAIT_S)
                children[name] = _start_child(name)
    _end_children([*children.values(), *([checks] if checks else [])])
    if status == RESTART_STATUS and not stop.wait(0):
        _restart()
    return stop.status if status == RESTART_STATUS else status or stop.status


def web(config: Config, options: argparse.Namespace) -> int:
    """Serves until a signal stops it: first the set-up, where no App is set."""
    set_up_logs(config)
    if options.child:
        end_with_parent()
    else:
        check_address(config)
    if config.waits_for_setup():
        return _serve_setup(config, options)
    app = build_web(config)
    # Without this, a garbage collection in each forked process would write to all the memory that
    # they share: 15 MB for each.
    gc.collect()
    gc.freeze()
    return Server(config, app).serve()


def _serve_setup(config: Config, options: argparse.Namespace) -> int:
    from bot.cli.setup.process import SetupProcess

    def announce(link: str) -> None:
        print_line(f"TinyGen waits for its set-up. Open this link, which works once: {link}")

    setup = SetupProcess(config, is_serving=True)
    if setup.run(announce) is None or setup.status == INTERRUPTED:
        return setup.status
    if not options.child:
        _restart()
    return RESTART_STATUS


def _is_set_up() -> bool:
    """Whether the settings hold an App by now: a web part may be killed after it wrote them."""
    try:
        return not load_service_config(os.environ).waits_for_setup()
    except SetupError:  # the restart says what is wrong with them
        return True


def _restart() -> NoReturn:
    """Runs this very command in place of itself, with the settings as they are now."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted


def worker(config: Config, options: argparse.Namespace) -> int:
    """Runs jobs until a signal stops it; before the set-up, waits for its end. Jobs that do not end
    within TINYGEN_DRAIN_SECONDS go on at the next start."""
    set_up_logs(config)
    if options.child:
        end_with_parent()
    stop = StopSignal()
    if config.waits_for_setup():
        _log.warning("no App is set: the worker waits for the set-up")
        while not stop.wait(SETUP_POLL_S):
            if _is_set_up():
                _restart()
        return stop.status
    lock = lock_worker(config)
    running = build_worker(config)
    running.start()
    stop.wait()
    stopping = threading.Thread(target=running.stop, args=(config.drain_s,), daemon=True)
    stopping.start()
    stopping.join(config.drain_s + STOP_S)
    if stopping.is_alive():  # the engine asks a database that is away again and again
        _log.warning("the worker did not stop in time and ends: its jobs go on at the next start")
    sys.stderr.flush()
    if lock is not None:
        lock.close()
    # A normal exit would wait for the threads of steps that did not end in time.
    os._exit(stop.status)


def check_address(config: Config) -> None:
    """SetupError if the address cannot be listened on: reported once at the start, where gunicorn
    would try again and again."""
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


def _start_child(name: str) -> subprocess.Popen[bytes]:
    """The child's standard input is a pipe that ends when this process does, however it dies."""
    # A checkout is found in the current folder; what is installed must not be looked for there.
    options = () if is_checkout() else ("-P",)
    command = [sys.executable, *options, "-m", "bot", name, "--child"]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def _end_children(running: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in running:
        child.terminate()
    for child in running:
        child.wait()


def end_with_parent() -> None:
    """Stops this process with SIGTERM when its parent has ended."""

    def wait() -> None:
        # Not through sys.stdin: a read there holds a lock that a normal exit waits for.
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


class StopSignal:
    """Waits for SIGTERM or SIGINT. Through a pipe that C code writes to: a Python handler would have to
    wait until the main thread runs, which waits here, if another thread was given the signal. Made
    once, by the main thread."""

    def __init__(self) -> None:
        self.status = 0
        """The process's exit status, after a signal."""
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether a signal came."""
        return bool(select.select([self._reader], [], [], timeout_s)[0])

    def _end(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT:
            self.status = INTERRUPTED
