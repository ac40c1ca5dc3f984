"""A change to be pushed, and the tree that git itself makes of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bot.types.snapshot import Change
from tests.adapters.github.conftest import InstalledApp

BRANCH = "tinygen/issue-1-abc"
MESSAGE = "Mend it\n\nCo-authored-by: mona <mona@example.com>\n"


def tree_by_git(bare: Path, base: str, changes: Mapping[str, Change], index: Path) -> str:
    """The tree that git makes of the same changes."""
    env = {**os.environ, "GIT_INDEX_FILE": str(index), "GIT_DIR": str(bare)}

    def git(*arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], input=stdin, env=env, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    git("read-tree", base)
    deleted: list[str] = []
    written: list[str] = []
    for change in changes.values():
        if change.content is None:
            deleted.append(f"0 {'0' * 40}\t{change.path}\0")
        else:
            blob = git("hash-object", "-w", "--stdin", stdin=change.content)
            written.append(f"{change.mode} {blob}\t{change.path}\0")
    index_info = "".join([*deleted, *written])
    git("update-index", "-z", "--index-info", stdin=index_info.encode())
    return git("write-tree")


def changed(files: Mapping[str, bytes | None], mode: str = "100644") -> dict[str, Change]:
    return {path: Change(path, content, mode) for path, content in files.items()}


class Pushing:
    """One change, to be pushed once or many times."""

    def __init__(
        self,
        installed: InstalledApp,
        changes: Mapping[str, Change],
        branch: str = BRANCH,
        *,
        create: bool = True,
    ) -> None:
        self.installed, self.changes, self.branch, self.create = installed, changes, branch, create
        self.base = installed.repo.git.branch("main") or ""
        index = installed.double.root / "index"
        self.tree = tree_by_git(installed.repo.git.path, self.base, changes, index)

    def push(self, **more: str) -> str:
        settings = {"message": MESSAGE, "tree_sha": self.tree, **more}
        return self.installed.connect().push(
            self.branch, self.base, self.changes, create=self.create, **settings
        )

    def landed(self, sha: str) -> bool:
        """Whether the branch is exactly that one commit on the base, with git's tree."""
        git = self.installed.repo.git
        shown = git.run("show", "-s", "--format=%T %P", sha).decode().split()
        return git.branch(self.branch) == sha and shown == [self.tree, self.base]
