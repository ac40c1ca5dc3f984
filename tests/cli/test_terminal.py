"""`run` on a terminal: one live line, which is gone at the end; and Ctrl-C ends every command without a
word."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.cli.repository.progress import LiveProgress
from bot.cli.serve import StopSignal
from bot.types import Reply, ShownFile
from tests import ROOT
from tests.adapters.git_repo import make_repo
from tests.cli.shell import isolated_call, read_terminal
from tests.doubles.edit_blocks import block
from tests.doubles.model import ModelDouble, hang
from tests.doubles.server import free_port

GREET = {"greet.py": b"def greet(name):\n    return name\n"}
LOUDER = block("greet.py", "    return name", "    return name.upper()")
CURSOR_SHOWN, LINE_CLEARED = b"\x1b[?25h", b"\x1b[1A\x1b[2K"


def on_own_terminal(
    call: dict[str, Any], type_in: Callable[[bytes], bytes] = lambda _seen: b""
) -> tuple[int, bytes]:
    """The exit status of a command whose terminal this is, and all that it wrote there. `type_in` is
    asked for keys with what was written so far; what it returns first is typed, once."""
    child, terminal = pty.fork()
    if not child:
        os.chdir(call["cwd"])
        os.execve(call["args"][0], call["args"], call["env"])
    seen, typed = b"", b""
    with os.fdopen(terminal, "rb", buffering=0):
        while more := read_terminal(terminal):
            seen += more
            keys = b"" if typed else type_in(seen)
            if keys:
                os.write(terminal, keys)
                typed = keys
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen


@pytest.mark.slow
def test_a_live_line_gives_way_to_the_diff_and_a_summary(tmp_path: Path) -> None:
    make_repo(tmp_path / "r", GREET)
    with ModelDouble([LOUDER, "[CONFIDENT]"]) as model:
        call = isolated_call(
            tmp_path, "run", "r", "greet louder", OPENAI_BASE_URL=model.url, TERM="xterm"
        )
        status, seen = on_own_terminal(call)
    live, _, after = seen.partition(CURSOR_SHOWN)
    assert status == 0
    assert b"writing the change" in live
    assert after.strip().startswith(LINE_CLEARED)
    assert b"\x1b[32m+    return name.upper()\x1b[0m" in after
    assert re.fullmatch(
        rb"1 file changed, \+1 -1: \d+ s, 1 file shown, 2 calls, [\d,]+ tokens in, [\d,]+ out",
        after.splitlines()[-1],
    )


def test_the_line_counts_seconds_files_and_tokens() -> None:
    clock = iter([10.0, 10.5, 21.0])
    progress = LiveProgress(lambda: next(clock))
    progress.asking("generate")
    progress.shown([ShownFile("[red]a", 1, 2, ""), ShownFile("[red]a", 4, 5, "")])
    progress.shown([ShownFile("b", 1, 2, "")])
    progress.replied("generate", Reply("", "stop", "m", 1_200, 34, 1.0))
    progress.asking("reflect")
    assert progress.render().plain[1:] == " reviewing: 11 s, 2 files shown, 1,234 tokens"


@pytest.mark.slow
def test_ctrl_c_in_a_call_ends_it_quietly(tmp_path: Path) -> None:
    make_repo(tmp_path / "r", GREET)
    with ModelDouble([hang(60)]) as model:
        call = isolated_call(
            tmp_path, "run", "r", "greet louder", OPENAI_BASE_URL=model.url, TERM="xterm"
        )
        status, seen = on_own_terminal(call, lambda _seen: b"\x03" if model.requests else b"")
    assert status == 130
    assert seen.strip().endswith(LINE_CLEARED)
    assert b"Traceback" not in seen


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_of_serve_quietly(tmp_path: Path) -> None:
    call = isolated_call(
        tmp_path,
        "serve",
        GITHUB_WEBHOOK_SECRET="0123456789abcdef" * 2,
        TINYGEN_PORT=str(free_port()),
        TINYGEN_START_CHECK="false",
        TERM="xterm",
    )
    status, seen = on_own_terminal(call, lambda seen: b"\x03" if b"worker started" in seen else b"")
    assert status == 130
    after = seen.partition(b"^C")[2].splitlines()
    assert [line for line in after if b"worker stopped" not in line] == []


def test_a_signal_that_another_thread_gets_ends_the_wait() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    release = threading.Event()
    threading.Thread(target=release.wait, args=(10,), daemon=True).start()
    stop = StopSignal()
    signal.pthread_sigmask(signal.SIG_BLOCK, before)
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        assert stop.wait(10)
        assert stop.status == 130
    finally:
        release.set()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)


def test_ctrl_c_while_modules_are_imported_is_quiet(tmp_path: Path) -> None:
    planted = tmp_path / "structlog.py"
    planted.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    call = isolated_call(tmp_path, "jobs", "list", PYTHONPATH=f"{tmp_path}:{ROOT}")
    done = subprocess.run(**call, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.parametrize("arguments", ["--help", "context r greet --json"])
def test_a_reader_that_has_gone_ends_it_quietly(tmp_path: Path, arguments: str) -> None:
    make_repo(tmp_path / "r", GREET)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        **isolated_call(tmp_path, *arguments.split()),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
