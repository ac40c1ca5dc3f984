"""Is what the model needs among what it is shown? Real tasks, measured without a model, with plain
BM25 beside.

    python -m tests.benchmarks.context --tasks tasks.jsonl --repositories DIR [--vocabulary DIR]
    [--set lite] ...

A task (one JSON object a line) names `id`, `set`, `source` (the repository whose history holds
`base`), `base`, `lang`, `prompt`, `gold` (the files that the real change touched) and `lines`
(their changed line ranges). DIR holds bare repositories, `owner+name` or `owner+name/repo`. first /
first five: all gold files are among the first 1 / 5 of the ranking; any5: one is; lines@16k: the
mean share of gold files of which every range is shown within 16,000 tokens, counted by tiktoken's
cl100k_base where `--vocabulary` names its cache directory, else estimated.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bot.change.context import choose_context
from bot.change.tokens import estimate_tokens
from bot.types import Excerpt
from bot.types.snapshot import RepositoryPolicy, Snapshot, view_repository
from tests.benchmarks.context_plain import plain_bm25
from tests.benchmarks.context_repositories import open_snapshot

SHOWN_TOKENS = 16_000

CountTokens = Callable[[str], int]
Task = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """Of one task. `worst` and `best` are the ranks of its gold files, 1 the first; `lines` is a
    share."""

    groups: tuple[str, ...]
    worst: int
    best: int
    lines: float
    seconds: float


@dataclass(frozen=True)
class Options:
    repositories: Path
    budget_tokens: int
    vocabulary: str | None
    plain: bool


def measure(task: Task, options: Options) -> list[tuple[str, Outcome]]:
    """The outcome of each way that is compared, by its name."""
    snapshot = open_snapshot(options.repositories, task["source"], task["base"])
    groups = (task["set"], f"{task['set']} .{task['lang']}", f"{task['set']} {_size(snapshot)}")
    count = token_counter(options.vocabulary)
    outcomes = [
        ("this", _outcome(task, groups, count, partial(_chosen, snapshot, task["prompt"], options)))
    ]
    if options.plain:
        outcomes.append(
            ("bm25", _outcome(task, groups, count, partial(plain_bm25, snapshot, task["prompt"])))
        )
    return outcomes


def _chosen(
    snapshot: Snapshot, prompt: str, options: Options
) -> tuple[Sequence[str], Iterable[Excerpt]]:
    context = choose_context(
        view_repository(snapshot, RepositoryPolicy()), prompt, budget_tokens=options.budget_tokens
    )
    return context.ranking, context.shown


def _outcome(
    task: Task,
    groups: tuple[str, ...],
    count: CountTokens,
    choose: Callable[[], tuple[Sequence[str], Iterable[Excerpt]]],
) -> Outcome:
    began = time.perf_counter()
    ranking, shown = choose()
    seconds = time.perf_counter() - began
    place = {path: n for n, path in enumerate(ranking, 1)}
    places = [place.get(path, sys.maxsize) for path in task["gold"]]
    return Outcome(
        groups, max(places), min(places), lines_shown(task["lines"], shown, count), seconds
    )


def lines_shown(
    wanted: dict[str, list[list[int]]], shown: Iterable[Excerpt], count: CountTokens
) -> float:
    """The share of files of which every range is shown before the tokens are spent."""
    left = SHOWN_TOKENS
    seen: dict[str, set[int]] = defaultdict(set)
    for excerpt in shown:
        left -= count(excerpt.text)
        if left < 0:
            break
        seen[excerpt.path].update(range(excerpt.start, excerpt.end + 1))
    covered = sum(
        all(seen[path].issuperset(range(start, end + 1)) for start, end in ranges)
        for path, ranges in wanted.items()
    )
    return covered / len(wanted)


def token_counter(vocabulary: str | None) -> CountTokens:
    if vocabulary is None:
        return estimate_tokens
    os.environ["TIKTOKEN_CACHE_DIR"] = vocabulary
    import tiktoken  # type: ignore[import-not-found, unused-ignore]

    encoding = tiktoken.get_encoding("cl100k_base")
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def _size(snapshot: Snapshot) -> str:
    count = len(snapshot.blobs)
    return (
        "under 500 files"
        if count < 500
        else "under 5,000 files"
        if count < 5_000
        else "5,000 files and more"
    )


def table(outcomes: Iterable[tuple[str, Outcome]]) -> Iterator[str]:
    grouped: dict[str, dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for name, outcome in outcomes:
        for group in outcome.groups:
            grouped[group][name].append(outcome)
    yield (
        f"{'':30} {'':5} {'tasks':>5} {'first':>6} {'five':>6} {'any5':>6} {'lines':>6}"
        f" {'seconds':>8}"
    )
    for group in sorted(grouped):
        for name, found in grouped[group].items():
            yield f"{group:30} {name:5} {len(found):5} {_figures(found)}"


def _figures(found: list[Outcome]) -> str:
    shares = (
        sum(each.worst <= 1 for each in found),
        sum(each.worst <= 5 for each in found),
        sum(each.best <= 5 for each in found),
        sum(each.lines for each in found),
    )
    percents = " ".join(f"{100 * share / len(found):6.1f}" for share in shares)
    return f"{percents} {sum(each.seconds for each in found) / len(found):8.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--vocabulary")
    parser.add_argument("--budget", type=int, default=SHOWN_TOKENS)
    parser.add_argument("--set", dest="only")
    parser.add_argument("--every", type=int, default=1, help="take one task of so many")
    parser.add_argument("--without-plain", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    tasks = [json.loads(line) for line in given.tasks.read_text().splitlines()]
    tasks = [task for task in tasks if given.only in (None, task["set"])][:: given.every]
    options = Options(given.repositories, given.budget, given.vocabulary, not given.without_plain)
    with ProcessPoolExecutor(given.processes) as pool:
        measured = [
            outcome
            for outcomes in pool.map(partial(measure, options=options), tasks)
            for outcome in outcomes
        ]
    print("\n".join(table(measured)))


if __name__ == "__main__":
    main()
