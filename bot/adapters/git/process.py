"""Runs the git command line: with an environment of our own, a deadline for every command, and no
process left behind.

git's input goes through a temporary file instead of a pipe, so that writing to git and reading from
it cannot wait for each other.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from bot.errors import LimitReached, OutsideError, SetupError, TimedOut

# The only variables that git gets from our environment: where git and its helpers are, and how this
# machine reaches the network.
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
    # Each of git's threads would reserve an arena of 64 MB of its own.
    "MALLOC_ARENA_MAX": "2",
}
# With SIGXFSZ ignored, git reports "File too large" instead of dying without a message.
# A limit that cannot be set is stricter already.
_LIMITED = (
    'trap "" XFSZ; ulimit -f "$0" 2>/dev/null; ulimit -v "$1" 2>/dev/null; shift; exec git "$@"'
)
_ULIMIT_BLOCK_BYTES = 512
_ULIMIT_MEMORY_BYTES = 1024
_CHUNK_BYTES = 1 << 16
_NO_MEMORY = re.compile(r"[Oo]ut of memory|[Cc]annot allocate memory|mmap failed")
_STDERR_TAIL_BYTES = 4000


class GitFailed(OutsideError):
    """git ended with an error. `stderr` is the end of what it printed: for telling causes apart,
    not to be shown."""

    def __init__(self, command: str, stderr: str) -> None:
        super().__init__(f"git {command} failed.", next_step="Try again in a few minutes.")
        self.stderr = stderr


class DiskFull(OutsideError):
    def __init__(self) -> None:
        super().__init__("The bot's disk is full.", next_step="The operator must free space on it.")


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs git. `dataclasses.replace` makes one with other limits."""

    timeout_s: float = 120.0
    """For one command, from its start to its end."""
    max_output_bytes: int = 64 << 20
    """Of a command whose output `run` collects."""
    max_file_bytes: int | None = None
    """The largest size of any one file that git writes."""
    max_memory_bytes: int = 4 << 30
    """Of the addresses of each of git's processes, with the packs that it maps: a few kilobytes of a
    repository can ask for any amount."""
    accepted: tuple[int, ...] = (0,)
    """The exit statuses that are no failure."""
    stderr_is_failure: bool = False
    """Whether any output on stderr is a failure: git skips some bad input with only a warning."""
    inherited_fds: tuple[int, ...] = ()
    """File descriptors that stay open in git and its children."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run(self, git_dir: Path, *arguments: str, stdin: bytes = b"") -> bytes:
        """git's stdout. Raises LimitReached over `max_output_bytes`, and what `stream` raises."""
        collected = bytearray()
        with self.stream(git_dir, *arguments, stdin=stdin) as output:
            while chunk := output.read(_CHUNK_BYTES):
                collected += chunk
                if len(collected) > self.max_output_bytes:
                    raise LimitReached(
                        f"git {arguments[0]} gave more than {self.max_output_bytes >> 20} MB.",
                        next_step="Ask for a smaller change, or work on a smaller repository.",
                    )
        return bytes(collected)

    @contextmanager
    def stream(self, git_dir: Path, *arguments: str, stdin: bytes = b"") -> Iterator[IO[bytes]]:
        """git's stdout while git runs. The caller reads it to its end; if it raises instead, git and
        its children are killed.

        Raises TimedOut after `timeout_s`, GitFailed or DiskFull if git fails, and SetupError if git
        is not installed.
        """
        with tempfile.TemporaryFile() as stdin_file, tempfile.TemporaryFile() as stderr_file:
            stdin_file.write(stdin)
            stdin_file.seek(0)
            process = self._start(git_dir, arguments, stdin_file, stderr_file)
            with _ended_in_time(process, arguments[0], self.timeout_s) as output:
                yield output
            stderr = _read_tail(stderr_file)
        is_failure = process.returncode not in self.accepted
        if self.stderr_is_failure and stderr:
            is_failure = True
        if is_failure and "No space left on device" in stderr:
            raise DiskFull
        if is_failure and _NO_MEMORY.search(stderr):
            raise LimitReached(
                f"git {arguments[0]} needs more than {self.max_memory_bytes >> 20} MB of memory.",
                next_step="Ask for a smaller change, or work on a smaller repository.",
            )
        if process.returncode < 0:  # killed from outside: no sign of damage
            raise OutsideError(
                f"git {arguments[0]} was killed.", next_step="Try again in a few minutes."
            )
        if is_failure:
            raise GitFailed(arguments[0], stderr)

    def _start(
        self,
        git_dir: Path,
        arguments: tuple[str, ...],
        stdin_file: IO[bytes],
        stderr_file: IO[bytes],
    ) -> subprocess.Popen[bytes]:
        file_size = "unlimited"
        if self.max_file_bytes is not None:
            file_size = str(self.max_file_bytes // _ULIMIT_BLOCK_BYTES)
        memory = str(self.max_memory_bytes // _ULIMIT_MEMORY_BYTES)
        command = ["sh", "-c", _LIMITED, file_size, memory, *arguments]
        environment = {name: os.environ[name] for name in _INHERITED.split() if name in os.environ}
        environment.update(_FIXED)
        environment["GIT_DIR"] = str(git_dir.absolute())
        environment.update(self.environment)
        if shutil.which("git", path=environment.get("PATH")) is None:
            raise SetupError("git cannot be run.", next_step="Install git 2.38 or newer.")
        return subprocess.Popen(
            command,
            stdin=stdin_file,
            stdout=subprocess.PIPE,
            stderr=stderr_file,
            cwd="/",
            env=environment,
            start_new_session=True,
            pass_fds=self.inherited_fds,
        )


@contextmanager
def _ended_in_time(
    process: subprocess.Popen[bytes], command: str, timeout_s: float
) -> Iterator[IO[bytes]]:
    """The process's stdout. On exit the process has ended; if it was killed, at the deadline or
    because the caller left early, its children have ended too. Raises TimedOut at the deadline."""
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
    except GitFailed as error:  # the caller found the output cut off: perhaps by our own kill
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


def _read_tail(file: IO[bytes]) -> str:
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(max(0, size_bytes - _STDERR_TAIL_BYTES))
    return file.read().decode("utf-8", "replace")
