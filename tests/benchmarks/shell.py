"""How long a person waits for the shell: its start, a repository's settings, and the words about a
model's server that is away; each beside the start of Python alone, in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import ROOT

Row = tuple[str, str, str]
DEAD = "http://127.0.0.1:9/v1"
UNKNOWN = "http://no-such-host.invalid/v1"


def run(rounds: int = 5) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "repository"
        author = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "init", "-q", repository], check=True)
        first = ("git", "-C", repository, *author, "commit", "-q", "--allow-empty", "-m", "First")
        subprocess.run(first, check=True)
        commands = {
            "python": ["-c", "pass"],
            "version": ["-m", "bot", "--version"],
            "check": ["-m", "bot", "check", str(repository)],
            "dead": ["-m", "bot", "run", str(repository), "Louder."],
            "unknown": ["-m", "bot", "run", str(repository), "Louder."],
        }
        urls = {"dead": DEAD, "unknown": UNKNOWN}
        took: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, words in commands.items():
                took[name].append(_seconds(words, folder, urls.get(name, DEAD)))
    median_s = {name: statistics.median(each) for name, each in took.items()}

    def row(what: str, name: str, target: str = "") -> Row:
        ratio = median_s[name] / median_s["python"]
        return (
            f"{what}, median (of Python's own start)",
            f"{median_s[name]:.2f} s ({ratio:.0f} x)",
            target,
        )

    return [
        row("`--version`", "version"),
        row("`check` of a repository", "check"),
        row("`run`, where nothing listens at OPENAI_BASE_URL, to its error", "dead", "3 s"),
        row("`run`, where its name is unknown, to its error", "unknown", "3 s"),
    ]


def _seconds(arguments: list[str], home: str, model_url: str) -> float:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "OPENAI_API_KEY": "sk-benchmark-0123456789",
        "OPENAI_BASE_URL": model_url,
        "TINYGEN_DATA_DIR": f"{home}/data",
    }
    began = time.monotonic()
    subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, check=False
    )
    return time.monotonic() - began
