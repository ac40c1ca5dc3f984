"""Feeds the readers of what strangers and models write with made-up bytes, guided by coverage.

    python -m tests.fuzz [READER ...] [--seconds N]

`make fuzz` gives each reader five minutes. Needs atheris (requirements-fuzz.txt). The inputs that
reached something new stay in `.fuzz/READER` and are where the next run begins; the first run begins
with the samples. An input that fails is written beside them as `crash-…`, and the exit status is 1:
mend what it shows, and keep it as a test.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests import ROOT

CORPUS = ROOT / ".fuzz"
NAMES = (
    "reply",
    "edits",
    "command",
    "markdown",
    "settings",
    "completion",
    "delivery",
    "characters",
    "signs",
    "log",
)
MAX_INPUT_BYTES = 4_096
MAX_INPUT_S = 10
MAX_MEMORY_MB = 2_048
SHOWN_LINES = 40
SEEDS = {
    "command": "On Tue, 3 Nov 2026, Mona <m@x.test> wrote:\n\n<br>\n/tinygen --pr --base=main fix\n",
    "markdown": "[a](b 'c') <!-- d -->\n```\n`e`\n```\n<img src='f'> ![g](h)\n",
    "delivery": '\0{"action": "created", "comment": {"id": 7, "body": "/tinygen x"}}',
    "characters": "a\u200b \u2764\ufe0f \u0430dmin \U000e0041\U0001f468\u200d\U0001f469",
    "signs": '{"scripts": {"a": "b"}}{"dependencies": {"c": "1"}}',
    "log": "2026-11-22T10:00:01.0Z FAILED\n##[error]ENOTFOUND 0x1f\n",
    "settings": "mode: pr\nprotected: ['src/**']\ncontext: {exclude: ['*.pem']}\nmodel: m\n",
    "completion": 'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n',
}
"""Where the corpora of the other readers begin."""


def prepare(name: str) -> None:
    """Makes the corpus; its beginning are the samples, for what reads replies."""
    from tests.change.edits.odd_replies import cases

    folder = CORPUS / name
    if folder.exists():
        return
    folder.mkdir(parents=True)
    if name in SEEDS:
        (folder / "seed").write_text(SEEDS[name])
    for case in cases() if name in ("reply", "edits") else ():
        (folder / f"sample-{case.name}").write_text(case.reply, errors="surrogateescape")


def fuzz(name: str, seconds: int) -> None:
    """Does not return: atheris ends the process. The readers are imported here, so that they are
    instrumented."""
    import atheris

    with atheris.instrument_imports(include=["bot"]):
        from tests.fuzz.readers import READERS
    folder = CORPUS / name
    options = [
        f"-max_total_time={seconds}", f"-timeout={MAX_INPUT_S}", f"-rss_limit_mb={MAX_MEMORY_MB}",
        f"-max_len={MAX_INPUT_BYTES}", f"-artifact_prefix={folder}/", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(folder)], READERS[name])
    atheris.Fuzz()


def run(name: str, seconds: int) -> bool:
    """Fuzzes one reader in a process of its own; False if it failed."""
    command = [sys.executable, "-m", "tests.fuzz", name, "--here", "--seconds", str(seconds)]
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
        print("\n".join(lines[-SHOWN_LINES:]), file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=300, help="for each")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    chosen = given.readers or NAMES
    if unknown := set(chosen).difference(NAMES):
        parser.error(f"no such reader: {', '.join(sorted(unknown))}")
    if given.here:
        fuzz(chosen[0], given.seconds)
    for name in chosen:
        prepare(name)
    failed = [name for name in chosen if not run(name, given.seconds)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
