"""Carries a change over to another commit: git's own three-way merge, on trees, without a checkout.

The caches are shallow, so git could not find out what the two sides have in common. Three commits of our own say it:
the patch's base, and on it, as if side by side, the change and the other commit's files.
https://git-scm.com/docs/git-merge-tree
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bot.adapters.git.bare import scratch, write_object
from bot.adapters.git.output import parse_diff
from bot.adapters.git.patch import apply_to_index, read_base, read_changes, write_tree
from bot.adapters.git.process import Runner
from bot.core.tree import Changes, Patch
from bot.errors import Conflict

_MERGE = "merge-tree --write-tree -z --name-only --no-messages"
_SOMEBODY = b"TinyGen <tinygen> 0 +0000"
_NAMED = 10


def merged_changes(runner: Runner, objects: Path, patch: Patch, onto_sha: str) -> Changes:
    """What differs from `onto_sha` once the patch's change is merged into it. Conflict names the files."""
    with scratch(objects) as git_dir:
        base = _commit(git_dir, _tree(runner, git_dir, patch.base_sha))
        read_base(runner, git_dir, patch.base_sha)
        apply_to_index(runner, git_dir, patch)
        ours = _commit(git_dir, _tree(runner, git_dir, onto_sha), base)
        theirs = _commit(git_dir, write_tree(runner, git_dir), base)
        merge = replace(runner, accepted=(0, 1))
        tree, *conflicts = merge.run(git_dir, *_MERGE.split(), ours, theirs).decode("utf-8", "replace").split("\0")[:-1]
        if conflicts:
            raise _conflict(list(dict.fromkeys(conflicts)))
        raw = runner.run(git_dir, "diff-tree", "-r", "-z", "--raw", "--no-renames", onto_sha, tree)
        return read_changes(runner, git_dir, parse_diff(raw).entries)


def _tree(runner: Runner, git_dir: Path, sha: str) -> str:
    return runner.run(git_dir, "rev-parse", "--verify", f"{sha}^{{tree}}").decode().strip()


def _commit(git_dir: Path, tree: str, *parents: str) -> str:
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    people = b"author %s\ncommitter %s\n\n\n" % (_SOMEBODY, _SOMEBODY)
    return write_object(git_dir, "commit", "\n".join(lines).encode() + b"\n" + people)


def _conflict(paths: list[str]) -> Conflict:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return Conflict(
        f"The branch has changed since, and the change no longer goes with it in: {', '.join(paths[:_NAMED])}{more}.",
        next_step="`/tinygen retry` makes the change anew, from the present files.",
    )
