"""Runs git: an environment with nothing of the machine's in it, a deadline for every call, and an end of every child.

Input goes through a file, not a pipe, so that writing to git and reading from it can never wait for each other.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from bot.errors import LimitReached, OutsideError, SetupError, TimedOut

# Where git and its helpers are, and how this machine reaches the network; all else of the environment stays outside.
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
_LIMITED = 'ulimit -f "$0" && exec git "$@"'
_ULIMIT_BLOCK_BYTES = 512
_STDERR_TAIL_BYTES = 4000


class GitFailed(OutsideError):
    """git ended with an error. `said` is the end of its stderr: for logs and for telling causes apart, not for show."""

    def __init__(self, command: str, said: str) -> None:
        self.disk_full = "No space left on device" in said
        super().__init__(
            f"git {command} failed: the bot's disk is full." if self.disk_full else f"git {command} failed.",
            next_step="The operator must free disk space." if self.disk_full else "Try again in a few minutes.",
        )
        self.said = said


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs git commands, each bounded by `timeout_s` and, where its output is gathered, by `max_output_bytes`."""

    timeout_s: float = 120.0
    max_output_bytes: int = 64 << 20

    def run(
        self,
        git_dir: Path,
        *arguments: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        keep_open: tuple[int, ...] = (),
        max_file_bytes: int | None = None,
    ) -> bytes:
        """What git wrote to stdout. LimitReached over `max_output_bytes`; otherwise as `stream`."""
        running = self.stream(
            git_dir, *arguments, stdin=stdin, env=env, keep_open=keep_open, max_file_bytes=max_file_bytes
        )
        with running as output:
            gathered = output.read(self.max_output_bytes + 1)
            if len(gathered) > self.max_output_bytes:
                raise LimitReached(
                    f"git {arguments[0]} gave more than {self.max_output_bytes >> 20} MB.",
                    next_step="Ask for a smaller change, or work on a smaller repository.",
                )
        return gathered

    @contextmanager
    def stream(
        self,
        git_dir: Path,
        *arguments: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        keep_open: tuple[int, ...] = (),
        max_file_bytes: int | None = None,
    ) -> Iterator[IO[bytes]]:
        """git's stdout while it runs; left early, git is killed with all that it started.

        `keep_open` are descriptors that git and its children hold while they live. `max_file_bytes` is the most that
        any one file they write may grow to. TimedOut past the deadline; GitFailed where git says so.
        """
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:
            asked.write(stdin)
            asked.seek(0)
            process = subprocess.Popen(
                _command(arguments, max_file_bytes),
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=git_dir,
                env=_environment(git_dir, env or {}),
                start_new_session=True,
                pass_fds=keep_open,
            )
            with _watched(process, arguments[0], self.timeout_s) as output:
                yield output
            if process.returncode:
                raise GitFailed(arguments[0], _tail(said))


def require_git() -> None:
    """SetupError where there is no git, or one that is too old to take a token through its environment (2.31)."""
    try:
        words = subprocess.run(["git", "version"], capture_output=True, check=True, text=True).stdout.split()
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise SetupError("git cannot be run.", next_step="Install git 2.31 or newer.") from error
    if tuple(int(part) for part in words[2].split(".")[:2]) < (2, 31):
        raise SetupError(f"git {words[2]} is too old.", next_step="Install git 2.31 or newer.")


def _command(arguments: tuple[str, ...], max_file_bytes: int | None) -> list[str]:
    if max_file_bytes is None:
        return ["git", *arguments]
    return ["sh", "-c", _LIMITED, str(max_file_bytes // _ULIMIT_BLOCK_BYTES), *arguments]


def _environment(git_dir: Path, extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _INHERITED.split() if name in os.environ}
    return {**kept, **_FIXED, "GIT_DIR": str(git_dir), **extra}


@contextmanager
def _watched(process: subprocess.Popen[bytes], command: str, timeout_s: float) -> Iterator[IO[bytes]]:
    """The process's stdout. The process has ended when this is left, its children too if it was left early."""
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
    return TimedOut(f"git {command} took longer than {timeout_s:g} seconds.", next_step="Try again in a few minutes.")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _tail(said: IO[bytes]) -> str:
    size_bytes = said.seek(0, os.SEEK_END)
    said.seek(max(0, size_bytes - _STDERR_TAIL_BYTES))
    return said.read().decode("utf-8", "replace")
