"""Functions that the tests call in a child process; most do what a child must not be able to."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def repeat(label: str, content: bytes) -> str:
    return label + content.decode()


def wait(fifo: str, _content: bytes) -> str:
    """Writes its process id, and waits for ever."""
    Path(fifo).write_text(str(os.getpid()))
    signal.pause()
    return "awake"


def wait_with_a_child(fifo: str, content: bytes) -> str:
    """As `wait`, in a child of its own that holds the output open."""
    if os.fork() == 0:
        wait(fifo, content)
    return "left"


def crash(_label: str, _content: bytes) -> str:
    os.abort()


def fail(label: str, _content: bytes) -> str:
    raise ValueError(label)


def loop(_label: str, _content: bytes) -> str:
    while True:
        pass


def sleep(_label: str, _content: bytes) -> str:
    time.sleep(60)
    return "awake"


def grow(_label: str, _content: bytes) -> str:
    return str(len(bytearray(1 << 40)))


def write(path: str, _content: bytes) -> str:
    Path(path).write_text("a" * 10)
    return "written"


def shout(_label: str, _content: bytes) -> str:
    return "a" * 10_000_000


def look(_label: str, _content: bytes) -> str:
    return " ".join(sorted(os.environ.keys() - {"LC_CTYPE"})) or "nothing"


def do(what: str, content: bytes) -> str:
    """Calls the function `what` of this module, if there is one."""
    return globals()[what](content.decode(), b"") if what in globals() else what
