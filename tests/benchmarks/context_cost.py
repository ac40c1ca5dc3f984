"""What choosing the context costs: a repository seen for the first time, after one commit more, and
once again.

The repositories are made here, of random words in files of forty lines, and asked through
`python -m bot context --json`; plain BM25 (bm25s) over the same files stands beside.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests import ROOT
from tests.benchmarks.context_plain import plain_bm25
from tests.benchmarks.context_repositories import read_snapshot

Row = tuple[str, str, str]
"""What, measured, target."""

SIZES = (
    ("150 files", 150, "", ""),
    ("3,500 files", 3_500, "1.5 s", "0.25 s"),
    ("27,000 files", 27_000, "6 s, 300 MB", "0.7 s"),
)
PROMPT = "Let the parser of queries keep the order of its headers, and say which one was wrong"


def run() -> Iterator[Row]:
    """Takes about a minute."""
    for name, count, cold_target, warm_target in SIZES:
        with tempfile.TemporaryDirectory() as directory:
            repo, data = Path(directory, "repo"), Path(directory, "data")
            make_repository(repo, count)
            cold = _context(repo, data)
            _commit(repo, [("src/more.py", _file(random.Random(0)))], parent=True)
            after, again = _context(repo, data), _context(repo, data)
            plain = _measure(["tests.benchmarks.context_cost", str(repo)], {})
        yield f"context, {name}: first time", _told(cold), cold_target
        yield f"context, {name}: after one commit", _told(after), warm_target
        yield f"context, {name}: the same again", _told(again), ""
        yield f"context, {name}: plain BM25", _told(plain), ""


def _told(cost: tuple[float, int]) -> str:
    return f"{cost[0]:.2f} s, {cost[1]} MB"


def _context(repo: Path, data: Path) -> tuple[float, int]:
    return _measure(
        ["bot", "context", str(repo), PROMPT, "--json"], {"TINYGEN_DATA_DIR": str(data)}
    )


def _measure(module: list[str], settings: dict[str, str]) -> tuple[float, int]:
    """The seconds that the process says it took, and the most memory it had, in MB."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **settings},
            stdout=output,
        )
        _pid, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"{module[0]} ended with {child.returncode}")
        output.seek(0)
        return json.load(output)["seconds"], usage.ru_maxrss >> 10


def make_repository(repo: Path, count: int) -> None:
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(repo)], check=True)
    chance = random.Random(count)
    _commit(
        repo,
        ((f"src/part{number // 100}/module{number}.py", _file(chance)) for number in range(count)),
    )


def _commit(repo: Path, files: Iterable[tuple[str, str]], *, parent: bool = False) -> None:
    """Streamed: what this process holds would count as its children's memory."""
    command = ["git", "-C", str(repo), "fast-import", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as git:
        assert git.stdin
        git.stdin.write("commit refs/heads/main\ncommitter A <a@example.com> 0 +0000\ndata 0\n")
        git.stdin.write("from refs/heads/main^0\n" if parent else "")
        for path, content in files:
            git.stdin.write(f"M 100644 inline {path}\ndata {len(content)}\n{content}\n")
    if git.returncode:
        raise RuntimeError("git could not make the repository")


_WORDS = [
    f"{first}{second}"
    for first in (
        "parse",
        "read",
        "write",
        "query",
        "header",
        "order",
        "wrong",
        "keep",
        "merge",
        "split",
        "token",
        "node",
    )
    for second in (
        "",
        "_all",
        "_one",
        "Name",
        "Value",
        "List",
        "s",
        "er",
        "_at",
        "Map",
        "_of",
        "Id",
        "Key",
        "0",
        "1",
        "2",
    )
]


def _file(chance: random.Random) -> str:
    lines = []
    for _ in range(4):
        lines.append(
            f"def {chance.choice(_WORDS)}_{chance.randrange(300)}({chance.choice(_WORDS)}):\n"
        )
        lines += [
            f"    {' '.join(chance.choices(_WORDS, k=4))} = {chance.randrange(1_000)}\n"
            for _ in range(9)
        ]
    return "".join(lines)


def main() -> None:
    """Plain BM25 over a repository, timed as `python -m bot context` is."""
    snapshot = read_snapshot(Path(sys.argv[1]), "HEAD")
    began = time.perf_counter()
    ranking, _shown = plain_bm25(snapshot, PROMPT)
    print(json.dumps({"ranking": list(ranking), "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
