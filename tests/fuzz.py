"""Feeds the readers of what strangers and models write with made-up bytes, guided by coverage.

    python -m tests.fuzz [READER ...] [--seconds N]

`make fuzz` gives each reader five minutes. Needs atheris (requirements-fuzz.txt). The inputs that
reached something new stay in `.fuzz/READER` and are where the next run begins; the first run begins
with the samples. An input that fails is written beside them as `crash-…`, and the exit status is 1:
mend what it shows, and keep it as a test.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from tests import ROOT

CORPUS = ROOT / ".fuzz"
MAX_INPUT_BYTES = 4_096
MAX_INPUT_S = 10
MAX_MEMORY_MB = 2_048
OPTIONS = ("-print_final_stats=1", "-close_fd_mask=0")

Reader = Callable[[bytes], None]


def readers() -> dict[str, Reader]:
    """Each raises if what it reads breaks a promise. Imported here, so that they are instrumented."""
    from bot.adapters.model.errors import ErrorAnswer
    from bot.adapters.model.response import read_completion
    from bot.change.context.requests import answer_requests
    from bot.change.edits import apply_edits, find_problems, read_reply
    from bot.errors import TinyGenError
    from bot.thread.commands import parse_command
    from bot.thread.markdown import neutralize, visible_text
    from bot.thread.settings import read_settings
    from bot.types.text import split_keeping_ends
    from tests.change.edits.odd_replies import outcomes
    from tests.change.snapshots import view_of

    files = {path: (text or "").encode() for path, text in outcomes()["files"].items()}

    def text_of(data: bytes) -> str:
        return data.decode("utf-8", "surrogateescape")

    def reply(data: bytes) -> None:
        text = text_of(data)
        view = view_of(files)
        parsed = read_reply(text, known=files)
        assert parsed == read_reply(text, known=files)
        assert parsed.edits or parsed.requests or parsed.problems or parsed.prose
        result = apply_edits(view, {}, parsed.edits)
        done = [edit for edit in parsed.edits if edit.action != "quote"]
        assert len(result.applied) <= len(done) <= len(result.applied) + len(result.rejected)
        find_problems(view, result.changes)
        answer_requests(view, result.changes, parsed.requests, budget_tokens=1_000)

    def edits(data: bytes) -> None:
        """The first half is the file, the other a reply to it."""
        content, text = data[: len(data) // 2], text_of(data[len(data) // 2 :])
        view = view_of({"src/calc.py": content, "b.md": content})
        parsed = read_reply(text, known=view.blobs)
        first = apply_edits(view, {}, parsed.edits)
        again = apply_edits(view, first.changes, parsed.edits, seen={})
        assert all(
            change.content != content or not change.content
            for change in first.changes.values()
            if change.path in view.blobs
        )
        assert len(again.applied) + len(again.rejected) >= len(first.applied)

    def command(data: bytes) -> None:
        parse_command(text_of(data))

    def markdown(data: bytes) -> None:
        text = text_of(data)
        assert len(visible_text(text)) <= len(text) + 100_000
        neutralize(text)
        assert "".join(split_keeping_ends(text)) == text

    def settings(data: bytes) -> None:
        read_settings(data)

    def completion(data: bytes) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 64):
                yield data[start : start + 64]

        with suppress(ErrorAnswer, TinyGenError):
            read = asyncio.run(read_completion(chunks(), usage_wait_s=0.1))
            read.text.encode()

    return {each.__name__: each for each in (reply, edits, command, markdown, settings, completion)}


NAMES = ("reply", "edits", "command", "markdown", "settings", "completion")


def prepare(name: str) -> None:
    """Makes the corpus; the samples are its beginning where the reader takes replies."""
    from tests.change.edits.odd_replies import cases

    folder = CORPUS / name
    if folder.exists():
        return
    folder.mkdir(parents=True)
    for case in cases() if name in ("reply", "edits") else ():
        (folder / f"sample-{case.name}").write_text(case.reply, errors="surrogateescape")


def fuzz(name: str, seconds: int) -> None:
    """Does not return: atheris ends the process."""
    import atheris

    folder = CORPUS / name
    with atheris.instrument_imports(include=["bot"]):
        reader = readers()[name]
    arguments = [
        f"-max_total_time={seconds}", f"-timeout={MAX_INPUT_S}", f"-rss_limit_mb={MAX_MEMORY_MB}",
        f"-max_len={MAX_INPUT_BYTES}", f"-artifact_prefix={folder}/", *OPTIONS, str(folder),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *arguments], reader)
    atheris.Fuzz()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("readers", nargs="*", choices=[*NAMES, []], help="all of them by default")
    parser.add_argument("--seconds", type=int, default=300, help="for each")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        fuzz(given.readers[0], given.seconds)
    status = 0
    for name in given.readers or NAMES:
        prepare(name)
        command = [
            sys.executable,
            "-m",
            "tests.fuzz",
            name,
            "--here",
            "--seconds",
            str(given.seconds),
        ]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        lines = done.stdout.splitlines()
        facts = [line for line in lines if line.startswith(("stat::number_of_exec", "stat::peak"))]
        print(f"{name}: {'failed' if done.returncode else 'no failure'}", *facts, flush=True)
        if done.returncode:
            print("\n".join(lines[-40:]), file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
