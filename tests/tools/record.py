"""Holds two versions of the bot against each other at its edges, whatever became of the modules between them.

    python -m tests.tools.record ROOT OUT_DIR [--jobs 2] [--like OLD_DIR] [--only WORDS]
    python -m tests.tools.record --compare OLD_DIR NEW_DIR [--partial]
    python -m tests.tools.record --stability DIR
    python -m tests.tools.record --show DIR TEST

The first runs a checkout's own tests and writes what the bot asked of GitHub, of the model and of Supabase, what its
web part was asked and answered, what its commands printed, and what its database held; each call adds a run to OUT_DIR.
`--like` takes the tests that OLD_DIR has, by their names; `--only` those with these words, as pytest's `-k`.

Two runs of the same code differ where threads race. So OLD_DIR should hold several: of each stream of a test, what all
of its runs agree on is what a new run is held to, and the strictest of these levels is taken:

    ordered   the same events in the same order
    bag       the same events so many times, in any order
    set       the same events, however often
    loose     the same events but for the ids that the double of GitHub gave, however often
    kinds     the same requests, whatever their bodies and ids
    known     no request that none of its runs made

A test of NEW_DIR is the same if one of its runs agrees in all streams. With `--partial`, tests that it did not
run do not count as missing.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.tools.masks import mask

PLUGINS = Path(__file__).parent / "plugins"
Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """What one run of a test showed: the masked events of each stream."""

    name: str
    path: str
    streams: Mapping[str, Lines]
    without: Sequence[str] = ()
    """Streams that this run could not record."""


def line_of(event: Mapping[str, object]) -> str:
    """An event on one line: first what it is about, without bodies, then all of it."""
    kind = [
        event[key]
        for key in ("ask", "table", "arguments", "status", "exit", "outcome")
        if key in event
    ]
    return f"{' '.join(map(str, kind))}  {json.dumps(event, sort_keys=True, ensure_ascii=False)}"


def kind_of(line: str) -> str:
    return without_ids(line.partition("  {")[0])


def without_ids(line: str) -> str:
    """The double of GitHub counts from 3,000,000,000, in the order in which requests come."""
    return re.sub(r"\b3\d{9}\b", "<id>", line)


LEVELS: Mapping[str, Callable[[Lines], object]] = {
    "ordered": lambda lines: lines,
    "bag": Counter,
    "set": frozenset,
    "loose": lambda lines: frozenset(map(without_ids, lines)),
    "kinds": lambda lines: frozenset(map(kind_of, lines)),
}


KNOWN = "known"


# ---- recording -------------------------------------------------------------------------------------------------------


def record(root: Path, out: Path, jobs: int, like: Path | None, only: str) -> int:
    """Runs the tests once; pytest's exit status."""
    run = out / f"run-{len(runs(out)) + 1}"
    run.mkdir(parents=True)
    (run / "root").write_text(str(root))
    own = {
        "RECORD_ROOT": str(root),
        "RECORD_OUT": str(run),
        "PYTHONPATH": str(PLUGINS),
        "PYTHONHASHSEED": "0",
    }
    options = [
        "-p",
        "record_edges",
        "-p",
        "no:cacheprovider",
        "--hypothesis-seed=0",
        "--dist=worksteal",
        f"-n{jobs}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        if like is not None:
            names = Path(folder) / "names"
            names.write_text(
                json.dumps(
                    sorted({test.name for each in runs(like) for test in read(each).values()})
                )
            )
            own["RECORD_TESTS"] = str(names)
        command = [sys.executable, "-m", "pytest", *options, *(["-k", only] if only else [])]
        return subprocess.run(command, cwd=root, env=os.environ | own, check=False).returncode


def runs(folder: Path) -> list[Path]:
    return sorted(folder.glob("run-*"))


Key = tuple[str, str]
"""A test's name and its file."""


def read(run: Path) -> dict[Key, Test]:
    root = (run / "root").read_text()
    tests = (read_test(path, root) for path in sorted(run.glob("*.jsonl")))
    return {(test.name, test.path): test for test in tests}


OWN_BOOKKEEPING = ("tinygen_inbox", "tinygen_unsent")
"""Tables that only older checkouts have. What they say of a job is not seen outside."""


def read_test(path: Path, root: str) -> Test:
    head, *events = path.read_text().splitlines()
    streams: dict[str, list[str]] = defaultdict(list)
    for line in events:
        event = json.loads(line)
        if event.get("table") in OWN_BOOKKEEPING:
            continue
        stream = event.pop("stream")
        streams[stream].append(mask(line_of(event), root))
    given = json.loads(head)
    without = given.get("without", ())
    kept = {name: tuple(lines) for name, lines in streams.items() if name not in without}
    return Test(given["test"], given["path"], kept, without)


# ---- comparing -------------------------------------------------------------------------------------------------------


def level_of(given: Sequence[Lines]) -> str:
    """The strictest level at which all are the same; else `known`."""
    for name, look in LEVELS.items():
        first, *rest = (look(lines) for lines in given)
        if all(each == first for each in rest):
            return name
    return KNOWN


@dataclass(frozen=True, slots=True)
class Known:
    """A test as all runs of the old code show it, and the level that they agree on in each stream."""

    sample: Test
    levels: Mapping[str, str]
    kinds: Mapping[str, frozenset[str]]
    """All that any run asked, by stream."""

    def differs(self, test: Test) -> list[str]:
        """The streams in which a run of other code does not agree."""
        names = sorted({*self.levels, *test.streams})
        return [name for name in names if not self._agrees(name, test)]

    def _agrees(self, stream: str, test: Test) -> bool:
        level = self.levels.get(stream, "ordered")
        lines = test.streams.get(stream, ())
        if level == KNOWN:
            return self.kinds[stream].issuperset(map(kind_of, lines))
        look = LEVELS[level]
        return look(self.sample.streams.get(stream, ())) == look(lines)


def learn(versions: Iterable[Mapping[Key, Test]]) -> dict[Key, Known]:
    """From several runs of the same code."""
    found: dict[Key, list[Test]] = defaultdict(list)
    for tests in versions:
        for key, test in tests.items():
            found[key].append(test)
    return {key: _known(tests) for key, tests in found.items()}


def _known(tests: Sequence[Test]) -> Known:
    by_stream: dict[str, list[Lines]] = {}
    for stream in sorted({name for test in tests for name in test.streams}):
        by_stream[stream] = [
            test.streams.get(stream, ()) for test in tests if stream not in test.without
        ]
    levels = {stream: level_of(given) for stream, given in by_stream.items()}
    kinds = {
        name: frozenset(kind_of(line) for lines in given for line in lines)
        for name, given in by_stream.items()
    }
    return Known(max(tests, key=lambda test: -len(test.without)), levels, kinds)


def compare(old: Path, new: Path, *, partial: bool = False) -> int:
    """Prints what differs; 1 where something does. `partial`: tests that the new code did not run are left out."""
    candidates: dict[str, dict[str, list[Test]]] = defaultdict(lambda: defaultdict(list))
    for run in runs(new):
        for (name, path), test in read(run).items():
            candidates[name][path].append(test)
    same, missing, different = 0, 0, 0
    for (name, _path), known in sorted(learn(map(read, runs(old))).items()):
        there = candidates[name]
        match = next(
            (
                path
                for path, tests in there.items()
                if any(not known.differs(test) for test in tests)
            ),
            None,
        )
        if match is not None:
            del there[match]
            same += 1
        elif not there:
            missing += not partial
            print("" if partial else f"MISSING  {name} ({known.sample.path})\n", end="")
        else:
            different += 1
            print_difference(known, nearest(known, there))
    beyond = sorted(f"{name} ({path})" for name, paths in candidates.items() for path in paths)
    print(
        f"{same} the same, {different} different, {missing} missing; {len(beyond) - different} new"
    )
    return int(bool(different or missing))


def nearest(known: Known, there: Mapping[str, Sequence[Test]]) -> Test:
    """Of several runs or tests of that name, the one that differs in the fewest streams."""
    return min(
        (test for tests in there.values() for test in tests),
        key=lambda test: len(known.differs(test)),
    )


def print_difference(known: Known, test: Test) -> None:
    streams = known.differs(test)
    print(f"DIFFERS  {test.name} ({test.path}): {', '.join(streams)}")
    for stream in streams:
        level = known.levels.get(stream, "ordered")
        for line in difference(
            level, known.sample.streams.get(stream, ()), test.streams.get(stream, ())
        ):
            print(f"    {stream} {level}: {line}")


def difference(level: str, old: Lines, new: Lines, most: int = 12) -> Iterator[str]:
    """What went and what came. Of two events that are alike, only the parts that are not."""
    if level != "ordered":
        old, new = tuple(sorted(old)), tuple(sorted(new))
    if level == "loose":
        old, new = (tuple(sorted({*map(without_ids, lines)})) for lines in (old, new))
    if level in ("kinds", KNOWN):
        old, new = (tuple(sorted({*map(kind_of, lines)})) for lines in (old, new))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    told = 0
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            continue
        if b - a == d - c:
            pairs = zip(old[a:b], new[c:d], strict=True)
            parts = [part for left, right in pairs for part in inner(left, right)]
        else:
            parts = [
                *(f"- {line[:400]}" for line in old[a:b]),
                *(f"+ {line[:400]}" for line in new[c:d]),
            ]
        yield from parts[: most - told]
        told += len(parts)
    if told > most:
        yield f"... and {told - most} more"


def inner(old: str, new: str) -> Iterator[str]:
    """Where two lines differ, with a little before and after."""
    start = common(old, new)
    end = common(old[start:][::-1], new[start:][::-1])
    head = old[: min(40, start)]
    around = old[max(len(head), start - 60) : start]
    yield f"- {head}…{around}[[{old[start : len(old) - end][:300]}]]"
    yield f"+ {head}…{around}[[{new[start : len(new) - end][:300]}]]"


def common(left: str, right: str) -> int:
    """How many characters both begin with."""
    return next(
        (at for at, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]),
        min(len(left), len(right)),
    )


# ---- what is unstable ------------------------------------------------------------------------------------------------


def stability(folder: Path) -> int:
    """Prints at which levels the runs of one version agree, and each that is not the strictest."""
    counts: Counter[tuple[str, str]] = Counter()
    told: list[str] = []
    versions = [read(run) for run in runs(folder)]
    for key, known in sorted(learn(versions).items()):
        for stream, level in known.levels.items():
            counts[stream, level] += 1
            if level != "ordered":
                told.append(f"{level:<8}{stream:<9}{key[0]} ({key[1]})")
                there = [version[key] for version in versions if key in version]
                seen = [
                    test.streams.get(stream, ()) for test in there if stream not in test.without
                ]
                other = next(lines for lines in seen if lines != seen[0])
                told += [f"        {line}" for line in difference("bag", seen[0], other, 4)]
    print("\n".join(told))
    for (stream, level), count in sorted(counts.items()):
        print(f"{stream:<10}{level:<9}{count:>6}")
    return 0


def show(folder: Path, words: str) -> int:
    """Prints the masked events of the tests whose name holds these words."""
    for run in runs(folder)[:1]:
        for test in read(run).values():
            if re.search(re.escape(words), test.name):
                print(f"== {test.name} ({test.path})")
                for stream, lines in test.streams.items():
                    print("\n".join(f"{stream}: {line}" for line in lines))
    return 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--compare", nargs=2, type=Path)
    parser.add_argument("--partial", action="store_true")
    parser.add_argument("--stability", type=Path)
    parser.add_argument("--show", nargs=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--like", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    if options.compare:
        return compare(*options.compare, partial=options.partial)
    if options.stability:
        return stability(options.stability)
    if options.show:
        return show(Path(options.show[0]), options.show[1])
    if len(options.folders) != 2:
        parser.error("wants ROOT and OUT_DIR")
    root, out = (folder.resolve() for folder in options.folders)
    return record(root, out, options.jobs, options.like, options.only)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
