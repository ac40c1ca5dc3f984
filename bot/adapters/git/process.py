"""Runs git: an environment with nothing of the machine's in it, a deadline for every call, and an
end of every child.

Input goes through a file, not a pipe, so that writing to git and reading from it can never wait for
each other.

A lock that one holder among all threads and processes of this machine has.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from bot.errors import LimitReached, OutsideError, SetupError, TimedOut

# Where git and its helpers are, and how this machine reaches the network; all else of the
# environment stays outside.
_INHERITED = (
    "PATH TMPDIR http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY"
    " SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE GIT_SSL_CAINFO"
)
# https://git-scm.com/docs/git#_environment_variables
_FIXED = {
    "LC_ALL": "C",
    "HOME": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}
# Deaf to the signal, git says "File too large" instead of dying without a word.
_LIMITED = 'trap "" XFSZ && ulimit -f "$0" && exec git "$@"'
_ULIMIT_BLOCK_BYTES = 512
_CHUNK_BYTES = 1 << 16
_STDERR_TAIL_BYTES = 4000


class GitFailed(OutsideError):
    """git ended with an error. `said` is the end of its stderr: for telling causes apart, not for
    show."""

    def __init__(self, command: str, said: str) -> None:
        super().__init__(f"git {command} failed.", next_step="Try again in a few minutes.")
        self.said = said


class DiskFull(OutsideError):
    def __init__(self) -> None:
        super().__init__("The bot's disk is full.", next_step="The operator must free space on it.")


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs git. `dataclasses.replace` makes one with other limits."""

    timeout_s: float = 120.0
    """For one command, from its start to its end."""
    max_output_bytes: int = 64 << 20
    """Of a command whose output is gathered."""
    max_file_bytes: int | None = None
    """The most that any one file which git writes may grow to."""
    accepted: tuple[int, ...] = (0,)
    """The exit statuses that are no failure."""
    silent: bool = False
    """Whether a word on stderr is a failure: git only warns of some things that it leaves out."""
    keep_open: tuple[int, ...] = ()
    """Descriptors that git and its children hold while they live."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run(self, git_dir: Path, *arguments: str, stdin: bytes = b"") -> bytes:
        """What git wrote to stdout. LimitReached over `max_output_bytes`; otherwise as `stream`."""
        gathered = bytearray()
        with self.stream(git_dir, *arguments, stdin=stdin) as output:
            while chunk := output.read(_CHUNK_BYTES):
                gathered += chunk
                if len(gathered) > self.max_output_bytes:
                    raise LimitReached(
                        f"git {arguments[0]} gave more than {self.max_output_bytes >> 20} MB.",
                        next_step="Ask for a smaller change, or work on a smaller repository.",
                    )
        return bytes(gathered)

    @contextmanager
    def stream(self, git_dir: Path, *arguments: str, stdin: bytes = b"") -> Iterator[IO[bytes]]:
        """git's stdout while it runs; left early, git is killed with all that it started.

        TimedOut past the deadline, GitFailed or DiskFull where git fails, SetupError where there is
        no git.
        """
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:
            asked.write(stdin)
            asked.seek(0)
            process = self._start(git_dir, arguments, asked, said)
            with _watched(process, arguments[0], self.timeout_s) as output:
                yield output
            words = _tail(said)
            if process.returncode not in self.accepted or (self.silent and words):
                raise (
                    DiskFull
                    if "No space left on device" in words
                    else GitFailed(arguments[0], words)
                )

    def _start(
        self, git_dir: Path, arguments: tuple[str, ...], asked: IO[bytes], said: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in _INHERITED.split() if name in os.environ}
        try:
            return subprocess.Popen(
                self._command(arguments),
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd="/",
                env={**kept, **_FIXED, "GIT_DIR": str(git_dir.absolute()), **self.environment},
                start_new_session=True,
                pass_fds=self.keep_open,
            )
        except FileNotFoundError as error:
            raise SetupError(
                "git cannot be run.", next_step="Install git 2.38 or newer."
            ) from error

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        if self.max_file_bytes is None:
            return ["git", *arguments]
        return ["sh", "-c", _LIMITED, str(self.max_file_bytes // _ULIMIT_BLOCK_BYTES), *arguments]


@contextmanager
def _watched(
    process: subprocess.Popen[bytes], command: str, timeout_s: float
) -> Iterator[IO[bytes]]:
    """The process's stdout. The process has ended when this is left, its children too if it was
    left early."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _kill_group(process)

    watchdog = threading.Timer(timeout_s, expire)
    watchdog.daemon = True
    watchdog.start()
    output = cast(IO[bytes], process.stdout)
    try:
        yield output
        process.wait()
    except GitFailed as error:
        if not expired.is_set():
            raise
        raise _timed_out(command, timeout_s) from error
    finally:
        watchdog.cancel()
        watchdog.join()
        if process.returncode is None:
            _kill_group(process)
        output.close()
        process.wait()
    if expired.is_set():
        raise _timed_out(command, timeout_s)


def _timed_out(command: str, timeout_s: float) -> TimedOut:
    return TimedOut(
        f"git {command} took longer than {timeout_s:g} seconds.",
        next_step="Try again in a few minutes.",
    )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _tail(said: IO[bytes]) -> str:
    size_bytes = said.seek(0, os.SEEK_END)
    said.seek(max(0, size_bytes - _STDERR_TAIL_BYTES))
    return said.read().decode("utf-8", "replace")


_POLL_S = 0.02


@contextmanager
def locked(path: Path, timeout_s: float, wait: Callable[[float], None]) -> Iterator[int]:
    """The lock's descriptor while it is held; TimedOut where others hold it for longer than
    `timeout_s`.

    It is free again when the last process that has the descriptor open is gone. So a git that was
    given it, and that outlives its killed worker, keeps the next worker waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with path.open("ab") as file:
        while not _take(file.fileno()):
            if time.monotonic() > deadline:
                raise TimedOut(
                    "Another job is fetching this repository.",
                    next_step="Try again in a few minutes.",
                )
            wait(_POLL_S)
        yield file.fileno()


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
