"""Merging a change into another commit: the result must be that of `git merge` in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.git import LocalGit
from bot.errors import Conflict
from bot.types.snapshot import Change, Patch
from tests.adapters.git_repo import changes_of, commit, git, make_repo

LINES = b"".join(b"line %d\n" % number for number in range(40))
BASE = {"a.txt": LINES, "b.bin": b"\0\1\2", "d/e.txt": b"here\n"}


def patch_on(repo: Path, base: str, *changes: Change) -> Patch:
    return LocalGit(repo).diff("o/r", base, changes_of(*changes))


def edited(number: int, words: bytes = b"changed\n") -> bytes:
    return LINES.replace(b"line %d\n" % number, words)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    make_repo(tmp_path / "repo", {})
    return tmp_path / "repo"


MERGES: dict[str, tuple[Change, dict[str, bytes | None]]] = {
    "another file": (Change("a.txt", edited(1)), {"new.txt": b"x\n"}),
    "another place of the file": (Change("a.txt", edited(1)), {"a.txt": edited(30)}),
    "the file was moved": (Change("a.txt", edited(1)), {"a.txt": None, "moved.txt": LINES}),
    "an odd name": (Change('q"\n\u4e2d', b"1\n"), {"a.txt": edited(2)}),
    "a deletion": (Change("d/e.txt", None), {"a.txt": edited(2)}),
    "a binary file": (Change("b.bin", b"\0\3"), {"a.txt": edited(2)}),
    "a mode": (Change("a.txt", LINES, "100755"), {"a.txt": edited(2)}),
}


@pytest.mark.parametrize("case", MERGES)
def test_what_git_merges_is_merged_to_the_same_tree(repo: Path, tmp_path: Path, case: str) -> None:
    change, since = MERGES[case]
    base = commit(repo, BASE)
    patch = patch_on(repo, base, change)
    onto = commit(
        repo, {path: content for path, content in {**BASE, **since}.items() if content is not None}
    )
    rebased = LocalGit(repo).rebase("o/r", patch, onto)
    _changes, tree = LocalGit(repo).apply("o/r", rebased)
    assert rebased.base_sha == onto
    assert tree == merged_in_a_checkout(repo, tmp_path / "checkout", patch, onto)


@pytest.mark.parametrize(
    ("change", "since"),
    [
        (Change("a.txt", edited(1)), {"a.txt": edited(1, b"theirs\n")}),
        (Change("a.txt", edited(1)), {"a.txt": None}),
        (Change("b.bin", b"\0\3"), {"b.bin": b"\0\4"}),
        (Change("new", b"1\n"), {"new": b"2\n"}),
    ],
)
def test_the_files_that_conflict_are_named(
    repo: Path, change: Change, since: dict[str, bytes | None]
) -> None:
    base = commit(repo, BASE)
    patch = patch_on(repo, base, change)
    onto = commit(
        repo, {path: content for path, content in {**BASE, **since}.items() if content is not None}
    )
    with pytest.raises(Conflict, match=change.path):
        LocalGit(repo).rebase("o/r", patch, onto)


def test_the_lines_that_conflict_are_shown_without_those_around_them(repo: Path) -> None:
    base = commit(repo, BASE)
    patch = patch_on(repo, base, Change("a.txt", edited(1, b"ours \xff\n")))
    onto = commit(repo, {**BASE, "a.txt": edited(1, b"theirs\n")})
    with pytest.raises(Conflict) as conflict:
        LocalGit(repo).rebase("o/r", patch, onto)
    assert conflict.value.details.split("\n") == [
        "a.txt:",
        "<<<<<<< the branch now",
        "theirs",
        "=======",
        "ours \ufffd",
        ">>>>>>> the change",
    ]


def test_only_so_many_conflicting_lines_are_shown(repo: Path) -> None:
    base = commit(repo, BASE)
    patch = patch_on(repo, base, Change("a.txt", edited(1, b"ours\n" * 1_000)))
    onto = commit(repo, {**BASE, "a.txt": edited(1, b"theirs" * 1_000 + b"\n")})
    with pytest.raises(Conflict) as conflict:
        LocalGit(repo).rebase("o/r", patch, onto)
    lines = conflict.value.details.split("\n")
    assert len(lines) == 61
    assert max(map(len, lines)) == 200


def test_a_change_that_the_commit_already_has_gives_an_empty_patch(repo: Path) -> None:
    base = commit(repo, BASE)
    patch = patch_on(repo, base, Change("a.txt", edited(1)))
    onto = commit(repo, {**BASE, "a.txt": edited(1)})
    assert LocalGit(repo).rebase("o/r", patch, onto).text == ""


def merged_in_a_checkout(repo: Path, checkout: Path, patch: Patch, onto: str) -> str:
    git(repo, "clone", "-q", str(repo), str(checkout))
    git(checkout, "checkout", "-q", "--detach", patch.base_sha)
    git(checkout, "apply", "--index", "-", stdin=patch.text.encode())
    git(checkout, "commit", "-q", "-m", "change")
    git(checkout, "merge", "-q", "-m", "merge", onto)
    return git(checkout, "rev-parse", "HEAD^{tree}").decode().strip()
