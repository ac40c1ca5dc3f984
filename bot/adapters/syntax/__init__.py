"""Pure functions in a child process that may not take long, grow large, or hold up anything else.

What a repository holds can keep any parser busy for minutes, and a parser that runs in the worker
holds its interpreter: 5 KB of `%w(%w(` made Rust's grammar take ten seconds and 800 MB, 400 KB of
`import a.a.a…` kept Python's own parser for over a minute. So a child makes the calls; of those
that it does not come back from, nothing is known.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar, cast

import structlog

_CHILD = Path(__file__).with_name("child.py")
_CHUNK_BYTES = 1 << 16

_log = structlog.get_logger()

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Limits:
    wall_s: float = 15.0
    """For all children together."""
    children: int = 3
    """Each goes on behind the call that the one before it did not come back from."""
    cpu_s: int = 5
    """Of one child."""
    memory_bytes: int = 1 << 30
    """Of one child's addresses."""
    input_bytes: int = 64 << 20
    output_bytes: int = 1 << 20
    """Of one child."""


DEFAULT = Limits()


class Bounded(Generic[Answer]):
    """Calls a function for each of several inputs, one after another, in as few children as that
    takes.

    The function must be pure, at the top of a module that imports nothing of ours, and answer with
    what JSON holds.
    """

    def __init__(self, function: Callable[[str, bytes], Answer], limits: Limits = DEFAULT) -> None:
        self._module = str(sys.modules[function.__module__].__file__)
        self._function = function.__name__
        self._limits = limits

    def __call__(self, calls: Sequence[tuple[str, bytes]]) -> list[Answer | None]:
        """The answers in order; None for a call that did not come back, and for each that there was
        no time for."""
        deadline = time.monotonic() + self._limits.wall_s
        answers: list[Answer | None] = []
        lost = 0
        while (
            len(answers) < len(calls)
            and lost < self._limits.children
            and time.monotonic() < deadline
        ):
            answers += self._ask_child(calls[len(answers) :], deadline)
            if len(answers) < len(calls):
                answers.append(None)
                lost += 1
        unknown = lost + len(calls) - len(answers)
        if unknown:
            _log.warning("bounded calls did not come back", function=self._function, calls=unknown)
        return answers + [None] * (len(calls) - len(answers))

    def _ask_child(self, calls: Sequence[tuple[str, bytes]], deadline: float) -> list[Answer]:
        """The answers up to the child's end. What it was asked goes through a file, so that neither
        side ever waits for the other to read."""
        limits = self._limits
        bounds = map(str, (limits.cpu_s, limits.memory_bytes))
        with tempfile.TemporaryFile() as asked:
            _write_calls(asked, calls, limits.input_bytes)
            try:
                child = subprocess.Popen(
                    [
                        sys.executable,
                        "-I",
                        "-B",
                        str(_CHILD),
                        self._module,
                        self._function,
                        *bounds,
                    ],
                    stdin=asked,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={},
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                _log.warning("no child could be started", error=type(error).__name__)
                return []
        with cast(IO[bytes], child.stdout) as output:
            try:
                said = _read(output, limits.output_bytes, deadline)
            finally:
                _end(child)
        return _parsed(said)[: len(calls)]


def _write_calls(file: IO[bytes], calls: Sequence[tuple[str, bytes]], most_bytes: int) -> None:
    """As `child.py` reads them. A call that would go over `most_bytes` ends the file."""
    for label, content in calls:
        file.write(json.dumps([label, len(content)]).encode() + b"\n")
        if file.tell() + len(content) > most_bytes:
            break
        file.write(content)
    file.seek(0)


def _read(output: IO[bytes], most_bytes: int, deadline: float) -> bytes:
    """What comes until the output's end, the deadline, or so many bytes."""
    said = bytearray()
    poll = select.poll()
    poll.register(output, select.POLLIN)
    while len(said) < most_bytes and poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        chunk = os.read(output.fileno(), _CHUNK_BYTES)
        if not chunk:
            break
        said += chunk
    return bytes(said)


def _end(child: subprocess.Popen[bytes]) -> None:
    """No child outlives its call, stopped or not: until it is waited for, its number is nobody
    else's."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _parsed(said: bytes) -> list[Answer]:
    """One answer for each whole line; what is no JSON ends them."""
    answers: list[Answer] = []
    with suppress(ValueError):
        for line in said.split(b"\n")[:-1]:
            answers.append(json.loads(line))
    return answers
