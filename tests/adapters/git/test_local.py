"""A local repository: found and read as git would, never written to, and nothing that it names is
run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.adapters.git import LocalGit
from bot.errors import BadRequest, NotFound
from bot.ports import Git
from bot.types.github import Remote
from bot.types.snapshot import Change
from tests.adapters.git_repo import commit, git, make_repo


def test_a_ref_is_whatever_names_a_commit(tmp_path: Path) -> None:
    first = make_repo(tmp_path, {"a": b"1"})
    second = commit(tmp_path, {"a": b"2"})
    git(tmp_path, "tag", "-a", "v1", "-m", "v1", first)
    git(tmp_path, "branch", "old", first)
    local = LocalGit(tmp_path)

    assert [local.resolve(ref) for ref in (None, "main", "HEAD", second, second[:10])] == [
        second
    ] * 5
    assert [local.resolve(ref) for ref in ("old", "v1", "main~1")] == [first] * 3


@pytest.mark.parametrize("ref", ["nope", "--all", "-h", "1" * 40, "a\0b", "main:a", "main^{tree}"])
def test_a_ref_that_names_no_commit_is_not_found(ref: str, tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": b"1"})

    with pytest.raises(NotFound, match="There is no commit"):
        LocalGit(tmp_path).resolve(ref)


def test_an_empty_repository_resolves_to_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")

    assert LocalGit(tmp_path).resolve(None) == ""


def test_a_head_without_commits_beside_other_branches_is_not_found(tmp_path: Path) -> None:
    make_repo(tmp_path, {"a": b"1"})
    git(tmp_path, "symbolic-ref", "HEAD", "refs/heads/gone")

    with pytest.raises(NotFound, match="HEAD"):
        LocalGit(tmp_path).resolve(None)


def break_head(git_dir: Path) -> None:
    (git_dir / "HEAD").unlink()
    (git_dir / "HEAD").mkdir()


def never_answer(git_dir: Path) -> None:
    os.mkfifo(git_dir / "shallow")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "settings": lambda git_dir: (git_dir / "config").write_text("[[["),
    "a format to come": lambda git_dir: (git_dir / "config").write_text(
        "[core]\nrepositoryformatversion = 99\n"
    ),
    "head": break_head,
    "a pipe": never_answer,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_repository_that_git_cannot_read_is_a_bad_request(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    make_repo(tmp_path, {"a": b"1"})
    damage(tmp_path / ".git")

    with pytest.raises(BadRequest, match=r"git cannot read the repository in .*/\.git\. See what"):
        LocalGit(tmp_path, timeout_s=2).resolve(None)


def test_a_repository_that_was_damaged_after_it_was_found_is_a_bad_request(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"a": b"1"})
    (tmp_path / ".git/config").write_text("[[[")

    with pytest.raises(BadRequest, match="git cannot read the repository"):
        LocalGit(tmp_path).snapshot("o/n", sha)


def test_a_directory_named_shallow_is_no_error_of_the_disk(
    tmp_path: Path,
) -> None:
    sha = make_repo(tmp_path, {"a": b"1"})
    (tmp_path / ".git/shallow").mkdir()

    assert [*LocalGit(tmp_path).snapshot("o/n", sha).blobs] == ["a"]


@pytest.mark.parametrize(
    "form", ["tree", "below", "bare", "dot git", "worktree", "separate", "relative", "odd name"]
)
def test_every_form_of_a_git_directory_is_found(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = make_repo(tmp_path / "r", {"d/a": b"1"})
    (tmp_path / "r/d").mkdir()
    git(tmp_path, "clone", "-q", "--bare", "r", "bare.git")
    git(tmp_path / "r", "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    git(
        tmp_path, "clone", "-q", "--no-checkout", "--separate-git-dir", "elsewhere", "r", "separate"
    )
    monkeypatch.chdir(tmp_path)
    forms = {
        "tree": tmp_path / "r",
        "below": tmp_path / "r/d",
        "bare": tmp_path / "bare.git",
        "dot git": tmp_path / "r/.git",
        "worktree": tmp_path / "linked",
        "separate": tmp_path / "separate",
        "relative": Path("r"),
        "odd name": (tmp_path / "r").rename(tmp_path / 'a "new"\nline')
        if form == "odd name"
        else tmp_path,
    }
    local = LocalGit(forms[form])

    assert local.resolve(None) == sha
    assert [*local.snapshot("o/n", sha).blobs] == ["d/a"]


def test_a_clone_that_borrows_its_objects_is_read(tmp_path: Path) -> None:
    sha = make_repo(tmp_path / "r", {"a": b"1"})
    git(tmp_path, "clone", "-q", "--shared", "--no-checkout", "r", 'colons:and "quotes"')
    local = LocalGit(tmp_path / 'colons:and "quotes"')

    snapshot = local.snapshot("o/n", sha)

    assert list(snapshot.read(snapshot.blobs.values())) == [b"1"]


def test_a_directory_that_only_looks_like_a_repository_is_skipped(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"a": b"1"})
    (tmp_path / "d/.git").mkdir(parents=True)

    assert LocalGit(tmp_path / "d").resolve(None) == sha


def test_a_directory_without_git_is_not_found() -> None:
    with pytest.raises(NotFound, match="no git repository"):
        LocalGit(Path("/proc/self")).resolve(None)


def test_a_repository_of_sha_256_names_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")

    with pytest.raises(BadRequest, match="sha256"):
        LocalGit(tmp_path).snapshot("o/n", "1" * 40)


def test_fetching_only_asks_whether_the_commit_is_there(tmp_path: Path) -> None:
    sha = make_repo(tmp_path, {"a": b"1"})
    local: Git = LocalGit(tmp_path)

    local.fetch("o/n", Remote("https://github.com/o/n.git"), sha)
    local.fetch("o/n", Remote("https://github.com/o/n.git"), "")
    with pytest.raises(NotFound, match="o/n has no commit 111111111111"):
        local.fetch("o/n", Remote("https://github.com/o/n.git"), "1" * 40)


WORK = """
import sys
from collections.abc import Callable
from pathlib import Path
from bot.adapters.git import LocalGit
from bot.types.snapshot import Change
local = LocalGit(Path(sys.argv[1]))
sha = local.resolve(None)
patch = local.diff("o/n", sha, {"a": Change("a", b"2\\n")})
print(local.apply("o/n", patch)[1], len(list(local.snapshot("o/n", sha).blobs)))
"""


def test_a_repository_of_somebody_else_is_read_all_the_same(tmp_path: Path) -> None:
    """git refuses it ("dubious ownership") unless `safe.directory` names it."""
    make_repo(tmp_path / "r", {"a": b"1\n"})
    wrapper = tmp_path / "bin/git"
    wrapper.parent.mkdir()
    real = f'PATH="{os.environ["PATH"]}" exec git "$@"'
    wrapper.write_text(f"#!/bin/sh\nexport GIT_TEST_ASSUME_DIFFERENT_OWNER=1\n{real}\n")
    wrapper.chmod(0o755)
    env = {**os.environ, "PATH": f"{wrapper.parent}:{os.environ['PATH']}"}

    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path / "r", env=env, capture_output=True, check=False
    )
    done = subprocess.run(
        [sys.executable, "-c", WORK, tmp_path / "r"], env=env, capture_output=True, check=False
    )

    assert b"dubious ownership" in asked.stderr
    assert (done.stderr, done.returncode) == (b"", 0)


def test_nothing_that_a_repository_names_is_run(tmp_path: Path) -> None:
    attributes = b"* filter=evil diff=evil merge=evil\n"
    sha = make_repo(tmp_path, {"a": b"1\n", ".gitattributes": attributes})
    trap, mark = tmp_path / "trap", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\n")
    trap.chmod(0o755)
    for hook in (
        "pre-commit",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "fsmonitor-watchman",
    ):
        (tmp_path / ".git/hooks").mkdir(exist_ok=True)
        (tmp_path / ".git/hooks" / hook).symlink_to(trap)
    (tmp_path / ".git/info/attributes").write_bytes(attributes)
    for name in (
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.alternateRefsCommand",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "merge.evil.driver",
        "credential.helper",
        "alias.diff-tree",
        "alias.apply",
    ):
        git(tmp_path, "config", name, f"!{trap}" if name.startswith("alias") else str(trap))
    local = LocalGit(tmp_path)

    changes = {"a": Change("a", b"2\n")}
    patch = local.diff("o/n", local.resolve(None), changes)

    assert local.apply("o/n", patch)[0] == changes
    assert [*local.snapshot("o/n", sha).blobs] == [".gitattributes", "a"]
    assert "-1\n+2\n" in patch.text
    assert not mark.exists()


def test_the_settings_of_a_repository_do_not_reach_the_patch(tmp_path: Path) -> None:
    sha = make_repo(tmp_path / "plain", {"a": b"1\r\n", "\u00e9": b"x\n"})
    make_repo(tmp_path / "odd", {"a": b"1\r\n", "\u00e9": b"x\n"})
    for name, value in (
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("core.autocrlf", "true"),
        ("core.quotePath", "false"),
        ("diff.renames", "false"),
        ("color.ui", "always"),
        ("diff.context", "0"),
        ("diff.algorithm", "patience"),
        ("apply.whitespace", "fix"),
    ):
        git(tmp_path / "odd", "config", name, value)
    changes = {
        "a": Change("a", b"2 \r\n"),
        "b": Change("b", b"x\n"),
        "\u00e9": Change("\u00e9", None),
    }

    plain, odd = (LocalGit(tmp_path / name).diff("o/n", sha, changes) for name in ("plain", "odd"))

    assert odd == plain
    assert "rename from" in plain.text


def working_tree(at: Path) -> Path:
    """A repository whose working tree is as its commit."""
    make_repo(at, {"kept": b"1\n", "changed": b"1\n", "staged": b"1\n", ".gitignore": b"*.log\n"})
    git(at, "reset", "--hard", "-q")
    return at


def test_uncommitted_are_what_is_staged_changed_or_new_and_not_ignored(tmp_path: Path) -> None:
    at = working_tree(tmp_path / "r")
    git(at, "worktree", "add", "-q", str(tmp_path / "linked"))
    assert LocalGit(at).count_uncommitted() == 0
    os.utime(at / "kept", (0, 0))  # another time alone is no change
    (at / "changed").write_text("2\n")
    git(at, "rm", "-q", "--cached", "staged")
    (at / "new").mkdir()
    for name in ("a", "b"):
        (at / "new" / name).write_text("1\n")
    (at / "x.log").write_text("1\n")
    (at / "mine").write_text("1\n")
    (at / ".git" / "info").mkdir(exist_ok=True)
    (at / ".git" / "info" / "exclude").write_text("mine\n")
    # `changed`, `staged` (removed and, as a file, new: two lines of `git status`), `new/`
    assert LocalGit(at / "new").count_uncommitted() == 4
    assert LocalGit(tmp_path / "linked").count_uncommitted() == 0
    git(tmp_path, "clone", "-q", "--bare", "r", "bare")
    assert LocalGit(tmp_path / "bare").count_uncommitted() == 0
    git(tmp_path, "clone", "-q", "--no-checkout", "r", "none")
    assert LocalGit(tmp_path / "none").count_uncommitted() == 0


def test_counting_what_is_uncommitted_runs_nothing_and_writes_nothing(tmp_path: Path) -> None:
    at, trace = working_tree(tmp_path / "r"), tmp_path / "trace"
    (at / ".gitattributes").write_text("* filter=evil diff=evil\n")
    (at / "changed").write_text("2\n")
    for name in ("filter.evil.clean", "filter.evil.process", "core.fsmonitor", "diff.evil.command"):
        git(at, "config", name, f"touch {trace}; cat")
    git(at, "config", "core.worktree", "/")
    hook = at / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {trace}\n")
    hook.chmod(0o755)
    before = {path: path.stat().st_mtime_ns for path in (at / ".git").rglob("*")}
    assert LocalGit(at).count_uncommitted() == 2
    assert not trace.exists()
    assert {path: path.stat().st_mtime_ns for path in (at / ".git").rglob("*")} == before
