"""Everything but the model: from a comment to its finished comment, with a model that answers at
once.

The unit is what git alone takes for the same: `git fetch --depth=1` of the commit over HTTP, and a
`git diff` of two trees. Memory is what the web part and the worker hold together after the jobs
(PSS, so that shared pages count once).
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.doubles.github import GitHubDouble
from tests.doubles.github.repository import Repository
from tests.doubles.model import Messages, ModelDouble
from tests.stage import Stage

FILES = 150
JOBS = 20
REPO = "octocat/medium"
_WORDS = (
    "parse",
    "render",
    "token",
    "stream",
    "buffer",
    "index",
    "cache",
    "query",
    "route",
    "header",
    "value",
    "field",
)


def run() -> list[tuple[str, str, str]]:
    """(figure, value, target) rows."""
    with (
        tempfile.TemporaryDirectory(prefix="tinygen-bench-") as folder,
        ModelDouble(reply, piece=4096) as model,
        Stage(Path(folder), model.url) as stage,
    ):
        repo = stage.github.add_repository(
            REPO, files=sample(FILES), permissions={"octocat": "admin"}
        )
        other = stage.github.add_repository(
            "octocat/other", files=sample(1), permissions={"octocat": "admin"}
        )
        stage.github.install(stage.app, "octocat")
        # What is measured cold is the repository's cache, not the process.
        time_job(stage, other, "octocat")
        git_s = _git_alone(stage.github, repo, Path(folder))
        seconds = [time_job(stage, repo, "octocat") for _ in range(JOBS)]
        memory = {part: _pss_mb(stage.pids(part)) for part in ("web", "worker")}
    warm = median(seconds[1:])
    total_mb = memory["web"] + memory["worker"]
    return [
        _row(f"comment to finished comment, {FILES} files, cold", seconds[0], git_s, "under 1.5 s"),
        _row(f"the same, warm (median of {JOBS - 1})", warm, git_s, "under 0.8 s"),
        _row("git alone: fetch --depth=1 and diff (median of 5)", git_s, git_s, ""),
        (f"memory of web and worker after {JOBS} jobs", f"{total_mb:.0f} MB", "under 300 MB"),
    ]


def _row(figure: str, seconds: float, git_s: float, target: str) -> tuple[str, str, str]:
    return figure, f"{seconds:.2f} s, {seconds / git_s:.1f} x git", target


def sample(count: int) -> dict[str, bytes]:
    """A made-up package of `count` modules, about 6 KB each, always the same."""
    chance = random.Random(7)
    files = {}
    for number in range(count):
        names = [
            f"{chance.choice(_WORDS)}_{chance.choice(_WORDS)}_{number}_{each}" for each in range(25)
        ]
        body = "\n\n".join(
            f'def {name}(value: int) -> int:\n    """Work on {chance.choice(_WORDS)} and'
            f' {chance.choice(_WORDS)}."""\n    total = value * {chance.randrange(99)}\n    for'
            " step in range(value):\n        total += step\n    return total"
            for name in names
        )
        files[f"package/{_WORDS[number % len(_WORDS)]}/module_{number}.py"] = (
            f'"""Module {number}."""\n\n\n{body}\n'.encode()
        )
    files["package/greeting.py"] = b'def greeting(name):\n    return "Hello " + name\n'
    return files


def reply(messages: Messages) -> str:
    if any("[REVISION NEEDED]" in str(message["content"]) for message in messages):
        return "[CONFIDENT] It does."
    edit = (
        '<<<<<<< SEARCH\n    return "Hello " + name\n=======\n    return f"Hello, {name}!"\n>>>>>>>'
        " REPLACE"
    )
    return f"Greet with a comma\n\npackage/greeting.py\n```python\n{edit}\n```\n"


def time_job(stage: Stage, repo: Repository, who: str, *, within_s: float = 60.0) -> float:
    """The seconds from a command to its finished comment."""
    issue = repo.open_issue(
        who, "The greeting lacks its comma", "See `greeting` in package/greeting.py."
    )
    began = time.perf_counter()
    repo.comment(issue.number, who, "/tinygen please fix it")
    stage.finished(repo.full_name, issue.number, within_s=within_s)
    return time.perf_counter() - began


def _git_alone(github: GitHubDouble, repo: Repository, folder: Path) -> float:
    """Median seconds of a fetch into an empty repository and a diff of its tree with the empty
    one's parent."""
    token = github.add_token("octocat")
    url = f"{github.url}/{REPO}.git".replace("://", f"://x-access-token:{token}@")
    seconds = []
    for number in range(5):
        bare = str(folder / f"alone-{number}.git")
        subprocess.run(["git", "init", "--quiet", "--bare", bare], check=True)
        began = time.perf_counter()
        subprocess.run(
            ["git", "-C", bare, "fetch", "--quiet", "--depth=1", url, "main:main"], check=True
        )
        subprocess.run(
            ["git", "-C", bare, "diff", "--stat", "main:package", "main"],
            check=True,
            capture_output=True,
        )
        seconds.append(time.perf_counter() - began)
    return median(seconds)


def _pss_mb(pids: list[int]) -> float:
    """Proportional set size. https://docs.kernel.org/filesystems/proc.html"""
    total_kb = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total_kb += int(line.split()[1])
    return total_kb / 1024


if __name__ == "__main__":
    for figure, value, target in run():
        print(f"{figure:60} {value:>22} {target}")
