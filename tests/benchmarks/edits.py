"""Replies made from real commits, read and applied: is the commit's exact tree what comes out?

`python -m tests.benchmarks.edits DIR ... [--commits N]`, DIR being git directories (bare or not).
Every commit is said in four forms, clean and with each kind of dirt; a result is exact, refused
(with a message for the model), or wrong.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from bot.change.edits import apply_edits, read_reply
from bot.types.snapshot import Blob, RepositoryPolicy, Snapshot, view_repository
from tests import ROOT
from tests.benchmarks.edits_dirt import CLEAN, DIRTS
from tests.benchmarks.edits_replies import FORMS, FileChange, Form, reply

Row = tuple[str, str, str]
"""What, measured, target."""
Outcome = Literal["exact", "refused", "wrong"]

MAX_FILES, MAX_CHARS = 20, 300_000
"""Commits that are larger are no task for one reply."""


@dataclass(frozen=True)
class Commit:
    name: str
    base: Snapshot
    changes: tuple[FileChange, ...]


def run(commits: int = 40) -> list[Row]:
    """On this repository's own history."""
    tally = measure([ROOT], commits)
    clean = sum((tally[form, CLEAN.name] for form in FORMS), Counter())
    dirty = sum((count for (_, name), count in tally.items() if name != CLEAN.name), Counter())
    return [
        (
            "edits, clean replies whose commit's exact tree comes out",
            _share(clean, "exact"),
            "100.0 %",
        ),
        (
            "edits, dirty replies whose commit's exact tree comes out",
            _share(dirty, "exact"),
            ">= 97 %",
        ),
        ("edits, replies that gave another tree", str(clean["wrong"] + dirty["wrong"]), "0"),
    ]


def measure(
    repos: Sequence[Path], commits: int, *, show: int = 0
) -> dict[tuple[Form, str], Counter[Outcome]]:
    tally: dict[tuple[Form, str], Counter[Outcome]] = defaultdict(Counter)
    for commit in (commit for repo in repos for commit in read_commits(repo, commits)):
        for form in FORMS:
            for dirt in (CLEAN, *DIRTS):
                if form not in dirt.forms:
                    continue
                text = reply(form, dirt, commit.changes, random.Random(commit.name))
                if text is None:
                    continue
                found = outcome(commit, text)
                tally[form, dirt.name][found] += 1
                if found != "exact" and show > 0:
                    show -= 1
                    print(f"{found}: {commit.name} {form} {dirt.name}", file=sys.stderr)
    return tally


def outcome(commit: Commit, text: str) -> Outcome:
    parts = read_reply(text, known=commit.base.blobs)
    applied = apply_edits(view_repository(commit.base, RepositoryPolicy()), {}, parts.edits)
    if applied.rejected or parts.problems or not parts.edits:
        return "refused"
    got = {path: change.content for path, change in applied.changes.items()}
    wanted = {
        change.path: None if change.new is None else _bytes(change.new) for change in commit.changes
    }
    return "exact" if got == wanted else "wrong"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def read_commits(repo: Path, count: int) -> Iterator[Commit]:
    """The newest `count` commits without merges that change text alone, spread over the last five
    times as many."""
    shas = (
        _git(repo, "log", "--no-merges", "--format=%H", f"--max-count={count * 5}").decode().split()
    )
    found = 0
    for sha in shas:
        if found == count:
            return
        try:
            commit = _commit(repo, sha)
        except subprocess.CalledProcessError:
            continue  # a mirror may lack its largest blobs
        if commit:
            found += 1
            yield commit


def _commit(repo: Path, sha: str) -> Commit | None:
    raw = (
        _git(
            repo, "diff-tree", "-r", "-z", "--no-renames", "--no-commit-id", "--root", "--raw", sha
        )
        .decode()
        .split("\0")
    )
    entries = [(head[1:].split(), path) for head, path in zip(raw[::2], raw[1::2], strict=False)]
    if (
        not entries
        or len(entries) > MAX_FILES
        or not all(_is_plain(modes[0], modes[1]) for modes, _ in entries)
    ):
        return None
    changes = [_change(repo, sha, path, modes[2], modes[3]) for modes, path in entries]
    told = [change for change in changes if change is not None]
    if (
        len(told) < len(changes)
        or sum(len((c.old or "") + (c.new or "")) for c in told) > MAX_CHARS
    ):
        return None
    return Commit(f"{repo.parent.name}/{sha[:10]}", _snapshot(repo, sha), tuple(told))


def _is_plain(old: str, new: str) -> bool:
    """Files that stay what they are: edits say nothing about modes."""
    return (old == new and old in ("100644", "100755")) or (old, new) in (
        ("000000", "100644"),
        ("100644", "000000"),
    )


def _change(repo: Path, sha: str, path: str, old: str, new: str) -> FileChange | None:
    before, after = (
        None if set(oid) == {"0"} else _git(repo, "cat-file", "blob", oid) for oid in (old, new)
    )
    if any(content is not None and b"\0" in content for content in (before, after)):
        return None
    diff = _git(
        repo,
        "diff-tree",
        "-p",
        "--no-renames",
        "--no-commit-id",
        "--root",
        sha,
        "--",
        f":(literal){path}",
    )
    return FileChange(path, _text(before), _text(after), _text(diff) or "")


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "surrogateescape")


def _snapshot(repo: Path, sha: str) -> Snapshot:
    parent = _git(repo, "rev-list", "--parents", "--max-count=1", sha).decode().split()[1:]
    listing = (
        _git(repo, "ls-tree", "-r", "-z", "-l", parent[0]).decode("utf-8", "surrogateescape")
        if parent
        else ""
    )
    blobs = {}
    for line in listing.split("\0")[:-1]:
        facts, path = line.split("\t", 1)
        mode, _, oid, size = facts.split()
        blobs[path] = Blob(path, mode, oid, int(size) if size.isdigit() else 0)

    @cache
    def content(oid: str) -> bytes:
        return _git(repo, "cat-file", "blob", oid)

    def read(wanted: Iterable[Blob]) -> Iterator[bytes]:
        return (content(blob.oid) for blob in wanted)

    return Snapshot(parent[0] if parent else "", blobs, read)


def _git(repo: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", str(repo), *words], check=True, capture_output=True).stdout


def _share(count: Counter[Outcome], outcome: Outcome) -> str:
    return f"{100 * count[outcome] / max(1, count.total()):.1f} %"


def _print(tally: dict[tuple[Form, str], Counter[Outcome]]) -> None:
    print(f"{'dirt':45} {'form':9} {'replies':>7} {'exact':>8} {'refused':>8} {'wrong':>6}")
    names = dict.fromkeys(name for _, name in tally)
    for name, form in ((name, form) for name in names for form in FORMS if (form, name) in tally):
        count = tally[form, name]
        exact = _share(count, "exact")
        print(
            f"{name:45} {form:9} {count.total():7} {exact:>8} {count['refused']:8}"
            f" {count['wrong']:6}"
        )
    for form in FORMS:
        dirty = sum(
            (
                count
                for (other, name), count in tally.items()
                if other == form and name != CLEAN.name
            ),
            Counter(),
        )
        exact = _share(dirty, "exact")
        print(
            f"{'all dirt':45} {form:9} {dirty.total():7} {exact:>8} {dirty['refused']:8}"
            f" {dirty['wrong']:6}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repos", nargs="*", type=Path, default=[ROOT])
    parser.add_argument("--commits", type=int, default=50, help="of each repository")
    parser.add_argument(
        "--show", type=int, default=0, help="name so many replies that were not exact"
    )
    options = parser.parse_args()
    _print(measure(options.repos, options.commits, show=options.show))


if __name__ == "__main__":
    main()
