"""What the newest commits touched: their messages and paths, for which git needs commits and trees, but no file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bot.adapters.git.process import Runner
from bot.core.tree import PastCommit

MAX_COMMITS = 300
_LOG = f"log -z -n{MAX_COMMITS} --no-merges --no-renames --name-only --format=%x00%P%x00%B%x00 --end-of-options".split()


def read_history(runner: Runner, git_dir: Path, sha: str) -> tuple[PastCommit, ...]:
    """The newest commits up to `sha`, newest first. One without a parent here is left out: it seems to touch every
    file. GitFailed where a commit or tree is missing."""
    log = runner.run(git_dir, *_LOG, sha)
    return tuple(_past_commits(log.decode("utf-8", "surrogateescape").split("\0")))


def _past_commits(words: list[str]) -> Iterator[PastCommit]:
    """Each commit as: nothing, its parents, its message, nothing, its paths."""
    at = 0
    while at + 4 < len(words):
        parents, message = words[at + 1], words[at + 2]
        end = words.index("", at + 4)
        if parents:
            yield PastCommit(message, tuple(path.lstrip("\n") for path in words[at + 4 : end]))
        at = end
