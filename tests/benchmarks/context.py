"""Is what the model needs among what it is shown at first, and in how many tokens? Real tasks,
measured without a model, with plain BM25 beside.

    python -m tests.benchmarks.context --tasks tasks.jsonl --repositories DIR [--vocabulary DIR]
    [--set lite] ...

A task (one JSON object a line) names `id`, `set`, `source` (the repository whose history holds
`base`), `base`, `lang`, `prompt`, `gold` (the files that the real change touched) and `lines`
(their changed line ranges); the commit that is the fix is the child of `base` that touches these
files. DIR holds bare repositories, `owner+name` or `owner+name/repo`; their indexes are kept in
`--indexes`, if it is given.

- first, five: all gold files are among the first 1 / 5 of the ranking; any5: one is
- lines: the mean share of gold files of which every range is shown; @8k: within the first 8,000
  tokens of what is shown
- map: all gold files are shown, or named in the map
- tests, notes: of the fixes that changed tests or a changelog, the share of those of which a changed
  test file, the changelog is shown
- tokens: the median of the whole first request, counted by tiktoken's cl100k_base where
  `--vocabulary` names its cache directory, else estimated
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from bot.adapters.git.index_cache import SqliteIndexCache
from bot.change.context import choose_context
from bot.change.context.paths import classify_path
from bot.change.prompts import generation_prompt
from bot.change.tokens import estimate_tokens
from bot.cli.repository import mapped_files
from bot.types import Excerpt, Task
from bot.types.snapshot import RepositoryPolicy, RepositoryView, Snapshot, view_repository
from tests.benchmarks.context_plain import plain_bm25
from tests.benchmarks.context_repositories import find_repository, open_snapshot

NEAR_TOKENS = 8_000
NOTES = ("changelog", "changes", "history", "news")

CountTokens = Callable[[str], int]
Given = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """Of one task. `worst` and `best` are the ranks of its gold files, 1 the first; `lines` and
    `near` are shares; None where the fix has no such file."""

    groups: tuple[str, ...]
    worst: int
    best: int
    lines: float
    near: float
    in_map: bool | None
    tests: bool | None
    notes: bool | None
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Options:
    repositories: Path
    indexes: Path | None
    budget_tokens: int
    vocabulary: str | None
    plain: bool


@dataclass(frozen=True)
class Chosen:
    """`mapped` are the paths in the map, None if there is none; `text` is the whole first
    request."""

    ranking: Sequence[str]
    shown: Sequence[Excerpt]
    mapped: Sequence[str] | None
    text: str


def measure(given: Given, options: Options) -> list[tuple[str, Outcome]]:
    """The outcome of each way that is compared, by its name."""
    snapshot = open_snapshot(options.repositories, given["source"], given["base"])
    view = view_repository(snapshot, RepositoryPolicy())
    if options.indexes:
        name = given["source"].replace("/", "+")
        view = replace(view, index_cache=SqliteIndexCache(options.indexes / f"{name}.sqlite"))
    fix = _find_fix(find_repository(options.repositories, given["source"]), given)
    groups = (given["set"], f"{given['set']} .{given['lang']}", f"{given['set']} {_size(view)}")
    count = token_counter(options.vocabulary)
    ways: dict[str, Callable[[], Chosen]] = {"this": partial(_choose, view, given, options)}
    if options.plain:
        ways["bm25"] = partial(_choose_plainly, snapshot, given)
    return [(name, _outcome(given, groups, count, fix, way)) for name, way in ways.items()]


def _choose(view: RepositoryView, given: Given, options: Options) -> Chosen:
    context = choose_context(view, given["prompt"], budget_tokens=options.budget_tokens)
    prompt = generation_prompt(Task(given["source"], given["prompt"]), context)
    text = "\n".join(message.text for message in prompt.messages)
    return Chosen(context.ranking, context.shown, mapped_files(context, view), text)


def _choose_plainly(snapshot: Snapshot, given: Given) -> Chosen:
    ranking, shown = plain_bm25(snapshot, given["prompt"])
    excerpts = list(shown)
    return Chosen(ranking, excerpts, None, "".join(each.text for each in excerpts))


def _outcome(
    given: Given,
    groups: tuple[str, ...],
    count: CountTokens,
    fix: frozenset[str],
    choose: Callable[[], Chosen],
) -> Outcome:
    began = time.perf_counter()
    chosen = choose()
    seconds = time.perf_counter() - began
    place = {path: n for n, path in enumerate(chosen.ranking, 1)}
    places = [place.get(path, sys.maxsize) for path in given["gold"]]
    shown = {each.path for each in chosen.shown}
    tests = {path for path in fix if classify_path(path) == "test"}
    notes = {path for path in fix if path.rpartition("/")[2].lower().partition(".")[0] in NOTES}
    return Outcome(
        groups,
        max(places),
        min(places),
        lines_shown(given["lines"], chosen.shown, count, sys.maxsize),
        lines_shown(given["lines"], chosen.shown, count, NEAR_TOKENS),
        None if chosen.mapped is None else shown.union(chosen.mapped) >= set(given["gold"]),
        bool(tests & shown) if tests else None,
        bool(notes & shown) if notes else None,
        count(chosen.text),
        seconds,
    )


def lines_shown(
    wanted: dict[str, list[list[int]]],
    shown: Iterable[Excerpt],
    count: CountTokens,
    limit_tokens: int,
) -> float:
    """The share of files of which every range is shown before the tokens are spent."""
    seen: dict[str, set[int]] = defaultdict(set)
    for excerpt in shown:
        limit_tokens -= count(excerpt.text)
        if limit_tokens < 0:
            break
        seen[excerpt.path].update(range(excerpt.start, excerpt.end + 1))
    covered = sum(
        all(seen[path].issuperset(range(start, end + 1)) for start, end in ranges)
        for path, ranges in wanted.items()
    )
    return covered / len(wanted)


def _find_fix(repository: Path, given: Given) -> frozenset[str]:
    """The files that existed and that the fix changed; none if the fix is not in the
    repository."""
    fixes = [given["fix"]] if "fix" in given else _children(repository).get(given["base"], [])
    for fix in fixes:
        changed = _git(
            repository, "diff", "--name-only", "--no-renames", "--diff-filter=M", given["base"], fix
        )
        paths = frozenset(changed.splitlines())
        if paths.issuperset(given["gold"]):
            return paths
    return frozenset()


@cache
def _children(repository: Path) -> dict[str, list[str]]:
    children: dict[str, list[str]] = defaultdict(list)
    for line in _git(repository, "log", "--all", "--no-merges", "--format=%H %P").splitlines():
        child, *parents = line.split()
        for parent in parents:
            children[parent].append(child)
    return children


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    return output.decode("utf-8", "replace")


def token_counter(vocabulary: str | None) -> CountTokens:
    if vocabulary is None:
        return estimate_tokens
    os.environ["TIKTOKEN_CACHE_DIR"] = vocabulary
    import tiktoken  # type: ignore[import-not-found, unused-ignore]

    encoding = tiktoken.get_encoding("cl100k_base")
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def _size(view: RepositoryView) -> str:
    count = len(view.blobs)
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
    names = ("tasks", "first", "five", "any5", "lines", "@8k", "map", "tests", "notes", "tokens")
    yield f"{'':30} {'':5}" + "".join(f" {name:>6}" for name in (*names, "s"))
    for group in sorted(grouped):
        for name, found in grouped[group].items():
            yield f"{group:30} {name:5} {len(found):6} {_figures(found)}"


def _figures(found: list[Outcome]) -> str:
    columns: tuple[list[float | None], ...] = (
        [each.worst <= 1 for each in found],
        [each.worst <= 5 for each in found],
        [each.best <= 5 for each in found],
        [each.lines for each in found],
        [each.near for each in found],
        [each.in_map for each in found],
        [each.tests for each in found],
        [each.notes for each in found],
    )
    tokens = statistics.median(each.tokens for each in found)
    seconds = statistics.mean(each.seconds for each in found)
    return f"{' '.join(map(_percent, columns))} {tokens:6.0f} {seconds:6.2f}"


def _percent(column: list[float | None]) -> str:
    known = [each for each in column if each is not None]
    return f"{100 * sum(known) / len(known):6.1f}" if known else f"{'-':>6}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--indexes", type=Path)
    parser.add_argument("--vocabulary")
    parser.add_argument("--budget", type=int, default=24_000)
    parser.add_argument("--set", dest="only")
    parser.add_argument("--every", type=int, default=1, help="take one task of so many")
    parser.add_argument("--without-plain", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    tasks = [json.loads(line) for line in given.tasks.read_text().splitlines()]
    tasks = [task for task in tasks if given.only in (None, task["set"])][:: given.every]
    options = Options(
        given.repositories, given.indexes, given.budget, given.vocabulary, not given.without_plain
    )
    with ProcessPoolExecutor(given.processes) as pool:
        measured = [
            outcome
            for outcomes in pool.map(partial(measure, options=options), tasks)
            for outcome in outcomes
        ]
    print("\n".join(table(measured)))


if __name__ == "__main__":
    main()
