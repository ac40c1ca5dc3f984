"""Makes a patch from changed files and changed files from a patch, and merges a patch into another
commit.

All of it is git's plumbing in a scratch repository: an index of the base, the changes put into it,
the tree of the index, and the difference of two trees. A patch is returned only after `git apply`
has made the same tree from it.
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
    write_object,
)
from bot.adapters.git.process import GitFailed, Runner
from bot.errors import Conflict, Unworkable
from bot.types.snapshot import Change, Changes, Patch

_FILE_MODES = frozenset({"100644", "100755", "120000"})
_NO_OID = b"0" * 40
_DIFF = (
    "diff-tree -r -z --raw --numstat -p --binary --full-index -M --no-ext-diff --no-textconv"
    " --no-color --src-prefix=a/ --dst-prefix=b/"
)
_READ_DIFF = (
    "diff-tree -r -p --full-index -M --no-ext-diff --no-textconv --no-color"
    " --src-prefix=a/ --dst-prefix=b/"
)
_SMALL_FILES = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.bigFileThreshold",
    "GIT_CONFIG_VALUE_0": "1m",
}
"""Of larger files git says only that they differ."""
_RAW_DIFF = "diff-tree -r -z --raw --no-renames"
_MERGE = "merge-tree --write-tree -z --name-only --no-messages"
_IDENTITY = b"TinyGen <tinygen> 0 +0000"
_MAX_LISTED_CONFLICTS = 10
_MAX_SHOWN_CONFLICTS = 3
_MAX_CONFLICT_BYTES = 1_000_000
_MAX_CONFLICT_LINES = 60
_MAX_CONFLICT_LINE_CHARS = 200
_MARKER = re.compile(r"(?:<{7}|>{7}) [0-9a-f]{40}\r?")
"""Of a merge of commits that have no names."""
_MAX_LISTED_REASONS = 3


def make_patch(runner: Runner, objects: Path, base_sha: str, changes: Changes) -> Patch:
    """The patch that makes `changes` at the base, or in an empty repository if `base_sha` is ""."""
    with scratch(objects) as git_dir:
        base = _read_base(runner, git_dir, base_sha)
        shutil.copyfile(git_dir / "index", git_dir / "index.base")
        _put_into_index(runner, git_dir, changes)
        tree = _write_tree(runner, git_dir)
        diff = _diff_as_text(runner, git_dir, base, tree)
        _check_no_other_path(diff, changes)
        patch = Patch(base_sha, diff.text(), diff.stats())
        (git_dir / "index.base").replace(git_dir / "index")
        _check_reproduces(runner, git_dir, patch, tree)
    return patch


def read_difference(
    runner: Runner,
    git_dir: Path,
    commits: tuple[str, str],
    *,
    hidden: Iterable[str],
    max_chars: int,
) -> str:
    """The difference of two commits as text, for reading: without the `hidden` paths, and at most
    `max_chars` of it. git compares the trees, and reads only files that differ, up to a size."""
    paths = [f":(top,exclude,literal){path}" for path in hidden]
    command = (*_READ_DIFF.split(), *commits, "--", ".", *paths)
    runner = replace(runner, environment=_SMALL_FILES)
    with runner.stream(git_dir, *command) as output:
        text = output.read(4 * max_chars).decode("utf-8", "replace")[:max_chars]
        while output.read(1 << 16):  # git ends only when all of it is read
            pass
    return text


def apply_patch(runner: Runner, objects: Path, patch: Patch) -> tuple[Changes, str]:
    """The changes that the patch makes at its base, and the sha of the resulting tree. A rename is
    a removal and an addition."""
    with scratch(objects) as git_dir:
        base = _read_base(runner, git_dir, patch.base_sha)
        _apply_to_index(runner, git_dir, patch)
        tree = _write_tree(runner, git_dir)
        return _read_changes(runner, git_dir, base, tree), tree


def merge_patch(runner: Runner, objects: Path, patch: Patch, onto_sha: str) -> Changes:
    """The changes that the patch makes at `onto_sha`, by git's three-way merge of trees, without a
    checkout. Conflict names the files.

    The cache is shallow, so git cannot find the merge base. Three commits of our own show it: the
    patch's base, and with it as their parent the changed files and the files of `onto_sha`.
    https://git-scm.com/docs/git-merge-tree
    """
    with scratch(objects) as git_dir:
        base = _write_commit(git_dir, _resolve_tree(runner, git_dir, patch.base_sha))
        _read_base(runner, git_dir, patch.base_sha)
        _apply_to_index(runner, git_dir, patch)
        onto = _write_commit(git_dir, _resolve_tree(runner, git_dir, onto_sha), base)
        changed = _write_commit(git_dir, _write_tree(runner, git_dir), base)
        merge = replace(runner, accepted=(0, 1))  # 1: there are conflicts
        output = merge.run(git_dir, *_MERGE.split(), onto, changed).decode("utf-8", "replace")
        tree, *conflicts = output.split("\0")[:-1]
        if conflicts:
            paths = list(dict.fromkeys(conflicts))
            raise _conflict(paths, _show_conflicts(runner, git_dir, tree, paths))
        return _read_changes(runner, git_dir, onto_sha, tree)


def _read_base(runner: Runner, git_dir: Path, base_sha: str) -> str:
    """Reads the base's tree into the index. Returns the base's name for git."""
    base = base_sha or EMPTY_TREE
    try:
        runner.run(git_dir, "read-tree", base)
    except GitFailed as error:
        if "invalid path" not in error.stderr:
            raise
        raise Unworkable(
            "The repository holds a path that git refuses, such as one inside `.git`.",
            next_step="Remove that path from the repository first.",
        ) from error
    return base


def _put_into_index(runner: Runner, git_dir: Path, changes: Changes) -> None:
    lines = b"".join(_index_line(git_dir, change) for change in changes.values())
    strict = replace(runner, stderr_is_failure=True)
    try:
        strict.run(git_dir, "update-index", "-z", "--index-info", stdin=lines)
    except GitFailed as error:
        raise _unusable_path() from error


def _index_line(git_dir: Path, change: Change) -> bytes:
    """A line for `git update-index --index-info`; mode 0 removes the path."""
    path = _encode_path(change.path)
    if change.content is None:
        return b"0 %s\t%s\0" % (_NO_OID, path)
    if change.mode not in _FILE_MODES:
        raise Unworkable(
            f"A file cannot have the mode {change.mode}.", next_step="Leave submodules as they are."
        )
    oid = write_object(git_dir, "blob", change.content)
    return b"%s %s\t%s\0" % (change.mode.encode(), oid.encode(), path)


def _encode_path(path: str) -> bytes:
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


def _write_tree(runner: Runner, git_dir: Path) -> str:
    """The id of the index's tree."""
    return runner.run(git_dir, "write-tree").decode().strip()


def _resolve_tree(runner: Runner, git_dir: Path, sha: str) -> str:
    """The id of the commit's tree."""
    return runner.run(git_dir, "rev-parse", "--verify", f"{sha}^{{tree}}").decode().strip()


def _write_commit(git_dir: Path, tree: str, *parents: str) -> str:
    """The sha of a new commit with that tree."""
    header = f"tree {tree}\n" + "".join(f"parent {parent}\n" for parent in parents)
    people = b"author %s\ncommitter %s\n\n\n" % (_IDENTITY, _IDENTITY)
    return write_object(git_dir, "commit", header.encode() + people)


def _diff_as_text(runner: Runner, git_dir: Path, base: str, tree: str) -> Diff:
    """The difference as UTF-8 text. Parts that are not text are in git's ASCII form of a binary
    patch.

    That form is asked for by path, through attributes. These do not work for symlinks and very long
    paths; if one of those is not text, the whole patch takes the binary form.
    """

    def diff() -> Diff:
        return parse_diff(runner.run(git_dir, *_DIFF.split(), base, tree))

    found = diff()
    paths = found.non_text_paths()
    if paths:
        attributes = b"".join(_binary_attribute(path) for path in sorted(paths))
        (git_dir / "info/attributes").write_bytes(attributes)
        found = diff()
    if found.non_text_paths():
        with (git_dir / "config").open("a") as config:
            config.write('[diff "default"]\n\tbinary = true\n')
        found = diff()
    return found


def _binary_attribute(path: bytes) -> bytes:
    """A line of git's attributes. The pattern is a glob, and its leading slash anchors it.
    https://git-scm.com/docs/gitattributes"""
    pattern = re.sub(rb"([*?\[\\])", rb"\\\1", path)
    return c_quoted(b"/" + pattern) + b" -diff\n"


def _check_no_other_path(diff: Diff, changes: Changes) -> None:
    """Refuses a change of which git made more: a new file replaces a directory of the same name
    without a word, and also a file that has the name of one of its own directories."""
    touched = set()
    for entry in diff.entries:
        touched |= {entry.old_path, entry.path}
    if touched - {_encode_path(path) for path in changes}:
        raise Unworkable(
            "The change has a file in the place of a directory, or the other way round.",
            next_step="Delete what is in the way, or ask for another path.",
        )


def _check_reproduces(runner: Runner, git_dir: Path, patch: Patch, tree: str) -> None:
    _apply_to_index(runner, git_dir, patch)
    if _write_tree(runner, git_dir) != tree:
        raise Unworkable(
            "The patch of this change does not give the same files again, so it is not delivered.",
            next_step="Ask for the change in other words, and report this.",
        )


def _apply_to_index(runner: Runner, git_dir: Path, patch: Patch) -> None:
    if not patch.text:
        return
    try:
        text = patch.text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Unworkable("The patch is not text.", next_step="Ask for the change anew.") from error
    try:
        runner.run(git_dir, "apply", "--cached", "--whitespace=nowarn", stdin=text)
    except GitFailed as error:
        base = patch.base_sha[:12] or "an empty repository"
        raise Unworkable(
            f"The patch does not apply at {base}: {_list_reasons(error.stderr)}",
            next_step="Ask for the change anew, so that it is made from the present files.",
        ) from error


def _list_reasons(stderr: str) -> str:
    """The first of git's complaints. They name paths and lines of the repository, but quote no
    content, so they may be shown."""
    complaints = re.findall(r"^(?:error|fatal): (.*)$", stderr, re.MULTILINE)
    return "; ".join(complaints[:_MAX_LISTED_REASONS]) or "git gave no reason"


def _read_changes(runner: Runner, git_dir: Path, base: str, tree: str) -> Changes:
    """All that differs from `base` in `tree`."""
    entries = parse_diff(runner.run(git_dir, *_RAW_DIFF.split(), base, tree)).entries
    contents = _read_contents(runner, git_dir, entries)
    changes = {}
    for entry in entries:
        path = entry.path.decode("utf-8", "surrogateescape")
        if entry in contents:
            changes[path] = Change(path, contents[entry], entry.new_mode)
        else:
            changes[path] = Change(path, None)
    return changes


def _read_contents(runner: Runner, git_dir: Path, entries: Iterable[Entry]) -> dict[Entry, bytes]:
    """The contents of the entries that were not deleted."""
    kept = [entry for entry in entries if entry.status != "D"]
    if any(entry.new_mode == SUBMODULE for entry in kept):
        raise Unworkable("The patch changes a submodule.", next_step="Change submodules by hand.")
    oids = [entry.new_oid for entry in kept]
    return dict(zip(kept, read_objects(runner, git_dir, oids), strict=True))


def _show_conflicts(runner: Runner, git_dir: Path, tree: str, paths: list[str]) -> str:
    """The conflicting lines of the first files, as the merge marked them in its tree. A file that
    one side deleted has none."""
    listed = runner.run(git_dir, "ls-tree", "-z", "-l", tree, "--", *paths[:_MAX_SHOWN_CONFLICTS])
    shown: list[str] = []
    for entry in listed.split(b"\0")[:-1]:
        details, _, path = entry.partition(b"\t")
        _mode, kind, oid, size = details.split()
        if kind == b"blob" and int(size) <= _MAX_CONFLICT_BYTES:
            content = next(read_objects(runner, git_dir, [oid.decode()]))
            lines = _marked_lines(content.decode("utf-8", "replace"))
            if lines:
                shown += [f"{path.decode('utf-8', 'replace')}:", *lines]
    if len(shown) > _MAX_CONFLICT_LINES:
        shown = [*shown[:_MAX_CONFLICT_LINES], "…"]
    return "\n".join(line[:_MAX_CONFLICT_LINE_CHARS] for line in shown)


def _marked_lines(content: str) -> list[str]:
    """The lines from each `<<<<<<<` to its `>>>>>>>`, with words in place of the merge's commits."""
    lines: list[str] = []
    is_inside = False
    for line in content.split("\n"):
        if _MARKER.fullmatch(line) and line[0] == "<":
            is_inside = True
            lines.append("<<<<<<< the branch now")
        elif is_inside and _MARKER.fullmatch(line):
            is_inside = False
            lines.append(">>>>>>> the change")
        elif is_inside:
            lines.append(line)
    return lines


def _conflict(paths: list[str], details: str) -> Conflict:
    listed = ", ".join(paths[:_MAX_LISTED_CONFLICTS])
    more_count = len(paths) - _MAX_LISTED_CONFLICTS
    more = f" and {more_count} more" if more_count > 0 else ""
    return Conflict(
        f"The branch has changed since, and the change no longer goes with it in: {listed}{more}.",
        next_step="Ask again: the change is then made anew, from the present files.",
        details=details,
    )
