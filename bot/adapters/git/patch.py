"""Makes a patch from changed files, and changed files from a patch, in a scratch repository.

The steps are git's plumbing: an index of the base, the changes put into it, its tree, and the
difference of the two trees. A patch is handed out only after `git apply` has made the same tree of
it.

Carries a change over to another commit: git's own three-way merge, on trees, without a checkout.

The caches are shallow, so git could not find out what the two sides have in common. Three commits
of our own say it: the patch's base, and on it, as if side by side, the change and the other
commit's files. https://git-scm.com/docs/git-merge-tree
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bot.adapters.git.diff_output import Diff, Entry, parse_diff
from bot.adapters.git.objects import (
    EMPTY_TREE,
    SUBMODULE,
    c_quoted,
    read_objects,
    scratch,
    write_blob,
    write_object,
)
from bot.adapters.git.process import GitFailed, Runner
from bot.errors import Conflict, Unworkable
from bot.types.snapshot import Change, Changes, Patch

_FILE_MODES = frozenset({"100644", "100755", "120000"})
_NO_OID = "0" * 40
_DIFF = (
    "diff-tree -r -z --raw --numstat -p --binary --full-index -M --no-ext-diff --no-textconv"
    " --no-color --src-prefix=a/ --dst-prefix=b/"
)


def make_patch(runner: Runner, objects: Path, base_sha: str, changes: Changes) -> Patch:
    """The patch from the base, or from nothing where that is "", to the base with `changes`."""
    with scratch(objects) as git_dir:
        base = read_base(runner, git_dir, base_sha)
        shutil.copyfile(git_dir / "index", git_dir / "index.base")
        _put_into_index(runner, git_dir, changes)
        tree = write_tree(runner, git_dir)
        diff = _textual_diff(runner, git_dir, base, tree)
        _check_nothing_else(diff, changes)
        patch = Patch(base_sha, diff.text(), diff.stats())
        (git_dir / "index.base").replace(git_dir / "index")
        _check_reproduces(runner, git_dir, patch, tree)
    return patch


def apply_patch(runner: Runner, objects: Path, patch: Patch) -> tuple[Changes, str]:
    """What the patch makes of its base, renames as a removal and an addition, and the sha of the
    resulting tree."""
    with scratch(objects) as git_dir:
        base = read_base(runner, git_dir, patch.base_sha)
        apply_to_index(runner, git_dir, patch)
        tree = write_tree(runner, git_dir)
        raw = runner.run(git_dir, "diff-tree", "-r", "-z", "--raw", "--no-renames", base, tree)
        return read_changes(runner, git_dir, parse_diff(raw).entries), tree


def read_base(runner: Runner, git_dir: Path, base_sha: str) -> str:
    """The base's name for git, after its tree was read into the index."""
    base = base_sha or EMPTY_TREE
    try:
        runner.run(git_dir, "read-tree", base)
    except GitFailed as error:
        if "invalid path" in error.said:
            message = "The repository holds a path that git refuses, such as one inside `.git`."
            raise Unworkable(
                message, next_step="Remove that path from the repository first."
            ) from error
        raise
    return base


def _put_into_index(runner: Runner, git_dir: Path, changes: Changes) -> None:
    lines = b"".join(_index_line(git_dir, change) for change in changes.values())
    try:
        replace(runner, silent=True).run(git_dir, "update-index", "-z", "--index-info", stdin=lines)
    except GitFailed as error:
        raise _unusable_path() from error


def _index_line(git_dir: Path, change: Change) -> bytes:
    path = _path_bytes(change.path)
    if change.content is None:
        return b"0 %s\t%s\0" % (_NO_OID.encode(), path)
    if change.mode not in _FILE_MODES:
        raise Unworkable(
            f"A file cannot have the mode {change.mode}.", next_step="Leave submodules as they are."
        )
    return b"%s %s\t%s\0" % (
        change.mode.encode(),
        write_blob(git_dir, change.content).encode(),
        path,
    )


def _path_bytes(path: str) -> bytes:
    try:
        encoded = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        encoded = b""
    if not encoded or b"\0" in encoded:
        raise _unusable_path()
    return encoded


def _unusable_path() -> Unworkable:
    return Unworkable(
        "The change has a path that git does not take.", next_step="Ask for other paths."
    )


def write_tree(runner: Runner, git_dir: Path) -> str:
    return runner.run(git_dir, "write-tree").decode().strip()


def _textual_diff(runner: Runner, git_dir: Path, base: str, tree: str) -> Diff:
    """The difference as UTF-8 text; what is not text is in git's own ASCII form of a binary patch.

    That form is asked for by path, through attributes; these reach neither symlinks nor very long
    paths, for which the whole patch takes it.
    """

    def diff() -> Diff:
        return parse_diff(runner.run(git_dir, *_DIFF.split(), base, tree))

    found = diff()
    if untextual := found.untextual():
        (git_dir / "info/attributes").write_bytes(
            b"".join(map(_binary_attribute, sorted(untextual)))
        )
        found = diff()
    if found.untextual():
        with (git_dir / "config").open("a") as config:
            config.write('[diff "default"]\n\tbinary = true\n')
        found = diff()
    return found


def _binary_attribute(path: bytes) -> bytes:
    """https://git-scm.com/docs/gitattributes: a pattern is a glob, anchored by its leading
    slash."""
    return c_quoted(b"/" + re.sub(rb"([*?\[\\])", rb"\\\1", path)) + b" -diff\n"


def _check_nothing_else(diff: Diff, changes: Changes) -> None:
    """git lets a new file take the place of a directory, and of a file that is in the way of its
    own directory."""
    touched = {path for entry in diff.entries for path in (entry.old_path, entry.path)}
    if not touched <= {_path_bytes(path) for path in changes}:
        raise Unworkable(
            "The change has a file in the place of a directory, or the other way round.",
            next_step="Delete what is in the way, or ask for another path.",
        )


def _check_reproduces(runner: Runner, git_dir: Path, patch: Patch, tree: str) -> None:
    apply_to_index(runner, git_dir, patch)
    if write_tree(runner, git_dir) != tree:
        raise Unworkable(
            "The patch of this change does not give the same files again, so it is not delivered.",
            next_step="Ask for the change in other words, and report this.",
        )


def apply_to_index(runner: Runner, git_dir: Path, patch: Patch) -> None:
    """Applies the patch to the index."""
    if not patch.text:
        return
    try:
        runner.run(git_dir, "apply", "--cached", "--whitespace=nowarn", stdin=_patch_bytes(patch))
    except GitFailed as error:
        raise Unworkable(
            f"The patch does not apply at {patch.base_sha[:12] or 'an empty repository'}:"
            f" {_reasons(error.said)}",
            next_step="Ask for the change anew, so that it is made from the present files.",
        ) from error


def _patch_bytes(patch: Patch) -> bytes:
    try:
        return patch.text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Unworkable("The patch is not text.", next_step="Ask for the change anew.") from error


def _reasons(said: str) -> str:
    """The first of git's complaints: they name paths and lines of the repository, and quote
    nothing."""
    complaints = re.findall(r"^(?:error|fatal): (.*)$", said, re.MULTILINE)
    return "; ".join(complaints[:3]) or "git gave no reason"


def read_changes(runner: Runner, git_dir: Path, entries: Iterable[Entry]) -> Changes:
    kept = [entry for entry in entries if entry.status != "D"]
    if any(entry.new_mode == SUBMODULE for entry in kept):
        raise Unworkable("The patch changes a submodule.", next_step="Change submodules by hand.")
    contents = dict(
        zip(kept, read_objects(runner, git_dir, [entry.new_oid for entry in kept]), strict=True)
    )
    changes = {}
    for entry in entries:
        path = entry.path.decode("utf-8", "surrogateescape")
        changes[path] = (
            Change(path, contents[entry], entry.new_mode)
            if entry in contents
            else Change(path, None)
        )
    return changes


_MERGE = "merge-tree --write-tree -z --name-only --no-messages"
_SOMEBODY = b"TinyGen <tinygen> 0 +0000"
_NAMED = 10


def merged_changes(runner: Runner, objects: Path, patch: Patch, onto_sha: str) -> Changes:
    """What differs from `onto_sha` once the patch's change is merged into it. Conflict names the
    files."""
    with scratch(objects) as git_dir:
        base = _commit(git_dir, _tree(runner, git_dir, patch.base_sha))
        read_base(runner, git_dir, patch.base_sha)
        apply_to_index(runner, git_dir, patch)
        ours = _commit(git_dir, _tree(runner, git_dir, onto_sha), base)
        theirs = _commit(git_dir, write_tree(runner, git_dir), base)
        merge = replace(runner, accepted=(0, 1))
        tree, *conflicts = (
            merge.run(git_dir, *_MERGE.split(), ours, theirs)
            .decode("utf-8", "replace")
            .split("\0")[:-1]
        )
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
        "The branch has changed since, and the change no longer goes with it in:"
        f" {', '.join(paths[:_NAMED])}{more}.",
        next_step="`/tinygen retry` makes the change anew, from the present files.",
    )
