"""Calls a pure function in a child process with limits on time, memory and output.

A repository may hold files that keep a parser busy for minutes, and a parser that runs inside the
worker blocks the worker's interpreter: 5 KB of `%w(%w(` made tree-sitter's Rust grammar take ten
seconds and 800 MB, and 400 KB of `import a.a.a…` kept Python's own parser busy for over a minute.
Only the child is lost then, and the answers of the calls that it did not return from.
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
    """Each one continues after the call from which the one before did not return."""
    cpu_s: int = 5
    """Of one child."""
    memory_bytes: int = 1 << 30
    """The address space of one child."""
    input_bytes: int = 64 << 20
    """To one child."""
    output_bytes: int = 1 << 20
    """Of one child."""


DEFAULT = Limits()


class Bounded(Generic[Answer]):
    """Calls `function` for several inputs, one after another, in as few children as possible.

    The function must be pure and return what JSON can hold. It must be at the top level of a module
    that imports nothing of ours.
    """

    def __init__(self, function: Callable[[str, bytes], Answer], limits: Limits = DEFAULT) -> None:
        self._module_path = str(sys.modules[function.__module__].__file__)
        self._function_name = function.__name__
        self._limits = limits

    def __call__(self, calls: Sequence[tuple[str, bytes]]) -> list[Answer | None]:
        """The answers in order; None for a call that did not return, and for calls for which there
        was no time left."""
        deadline = time.monotonic() + self._limits.wall_s
        answers: list[Answer | None] = []
        lost_count = 0
        while len(answers) < len(calls):
            if lost_count >= self._limits.children or time.monotonic() >= deadline:
                break
            answers += self._run_child(calls[len(answers) :], deadline)
            if len(answers) < len(calls):
                answers.append(None)
                lost_count += 1
        missing_count = len(calls) - len(answers)
        if lost_count + missing_count:
            _log.warning(
                "bounded calls did not come back",
                function=self._function_name,
                calls=lost_count + missing_count,
            )
        return answers + [None] * missing_count

    def _run_child(self, calls: Sequence[tuple[str, bytes]], deadline: float) -> list[Answer]:
        """The answers until the child's end or the deadline. The input goes through a file, so that
        neither side waits for the other to read."""
        limits = self._limits
        command = [sys.executable, "-I", "-B", str(_CHILD), self._module_path, self._function_name]
        command += [str(limits.cpu_s), str(limits.memory_bytes)]
        with tempfile.TemporaryFile() as calls_file:
            _write_calls(calls_file, calls, limits.input_bytes)
            try:
                child = subprocess.Popen(
                    command,
                    stdin=calls_file,
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
                written = _read_until(output, limits.output_bytes, deadline)
            finally:
                _kill(child)
        return _parse_answers(written)[: len(calls)]


def _write_calls(file: IO[bytes], calls: Sequence[tuple[str, bytes]], max_bytes: int) -> None:
    """In the form that `child.py` reads. A call that would exceed `max_bytes` ends the file."""
    for label, content in calls:
        file.write(json.dumps([label, len(content)]).encode() + b"\n")
        if file.tell() + len(content) > max_bytes:
            break
        file.write(content)
    file.seek(0)


def _read_until(output: IO[bytes], max_bytes: int, deadline: float) -> bytes:
    """The output until its end, the deadline, or at least `max_bytes`."""
    collected = bytearray()
    poll = select.poll()
    poll.register(output, select.POLLIN)
    while len(collected) < max_bytes:
        left_s = max(0.0, deadline - time.monotonic())
        if not poll.poll(left_s * 1000):
            break
        chunk = os.read(output.fileno(), _CHUNK_BYTES)
        if not chunk:
            break
        collected += chunk
    return bytes(collected)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and all that it started. Nobody else can have its process id before `wait`."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _parse_answers(output: bytes) -> list[Answer]:
    """One answer for each complete line, up to the first that is not JSON."""
    answers: list[Answer] = []
    with suppress(ValueError):
        for line in output.split(b"\n")[:-1]:
            answers.append(json.loads(line))
    return answers
