"""What a review costs beside the model: the checks of a change and what stands elsewhere about it,
against choosing the context for the same task; and how much a review's request has, against the
diff alone."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bot.adapters.git.local import LocalGit
from bot.app import build_parsers
from bot.change.checks import find_problems
from bot.change.context import choose_context
from bot.change.review.diff import widen_diff
from bot.change.review.elsewhere import describe_elsewhere
from bot.change.tokens import estimate_tokens
from bot.types.snapshot import Change, Changes, RepositoryPolicy, RepositoryView, view_repository
from tests.benchmarks.context_cost import PROMPT, make_repository

Row = tuple[str, str, str]
_RUNS = 5


def run() -> Iterator[Row]:
    for name, count in (("3,500 files", 3_500), ("27,000 files", 27_000)):
        with tempfile.TemporaryDirectory() as directory:
            repo = Path(directory, "repo")
            make_repository(repo, count)
            git = LocalGit(repo, index_cache_dir=Path(directory, "index"))
            sha = git.resolve("main")
            view = view_repository(git.snapshot("", sha), RepositoryPolicy())
            changes = _change(view)
            patch = git.diff("", sha, changes)
            parsers = build_parsers()
            diff = widen_diff(patch, changes, budget_tokens=24_000)
            choosing_s = _median_s(partial(choose_context, view, PROMPT, budget_tokens=24_000))
            checking_s = _median_s(partial(find_problems, view, changes, parsers))
            looking_s = _median_s(partial(describe_elsewhere, view, changes, diff))
            elsewhere = describe_elsewhere(view, changes, diff)
        shown = estimate_tokens(diff.text) + estimate_tokens(elsewhere)
        yield (
            f"review, {name}: checks; what stands elsewhere, of choosing the context",
            f"{checking_s / choosing_s:.1f}; {looking_s / choosing_s:.1f} ({choosing_s:.2f} s)",
            "",
        )
        yield (
            f"review, {name}: what is shown of the change, of its diff",
            f"{shown / estimate_tokens(patch.text):.1f} ({shown} tokens)",
            "3",
        )


def _change(view: RepositoryView) -> Changes:
    """One function takes an argument more, and another one is renamed."""
    paths = [path for path in view.blobs if path.endswith(".py")][:2]
    contents = view.read([view.blobs[path] for path in paths])
    changes = {}
    for path, content, edit in zip(paths, contents, (_add_argument, _rename), strict=True):
        changes[path] = Change(path, edit(content))
    return changes


def _add_argument(content: bytes) -> bytes:
    return content.replace(b"(", b"(more, ", 1)


def _rename(content: bytes) -> bytes:
    return content.replace(b"def ", b"def new_", 1)


def _median_s(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
