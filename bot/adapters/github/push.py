"""GitHub's git-data API: pushes commits (blobs, trees, a commit, and a branch at that commit), and
reads a file at a commit.

The API keeps file modes, and GitHub signs the commit if an App makes it without naming an author.
Blobs, trees and commits that nothing points at do no harm, so their requests may be repeated; a
branch is read before it is changed. https://docs.github.com/en/rest/git
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from bot.adapters.github.client import ApiClient, ApiRequest
from bot.adapters.github.schemas import BlobContent, Commit, GitObject, GitRef, Tree, TreeEntry
from bot.errors import BadRequest, BranchMoved, NotFound, OutsideError, Unworkable
from bot.types.snapshot import Change, Changes

_MAX_TREE_ENTRIES = 100
_MAX_TREE_BYTES = 1_000_000
"""GitHub times out on trees of some 200 files or 2.5 MB of content."""
_MAX_INLINE_BYTES = 100_000
"""Longer content travels as a blob, in base64."""
_WORKFLOWS = ".github/workflows/"

_NewEntry = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Push:
    """One commit on top of `base_sha` for `branch`, whose tree is `tree_sha` by git. `create`: the
    branch is new."""

    branch: str
    base_sha: str
    tree_sha: str
    message: str
    create: bool

    def has_made(self, commit: Commit) -> bool:
        """Whether an attempt at this push made the commit."""
        parents = [parent.sha for parent in commit.parents]
        return commit.tree.sha == self.tree_sha and parents == [self.base_sha]


def too_large(path: str, max_bytes: int) -> BadRequest:
    return BadRequest(f"`{path}` is larger than {max_bytes} bytes.", next_step="Make it smaller.")


def touches_workflows(changes: Changes) -> bool:
    return any(path.startswith(_WORKFLOWS) for path in changes)


class GitDatabase:
    """The git objects and the branches of one repository."""

    def __init__(self, api: ApiClient, repo: str) -> None:
        self._api = api
        self._repo = repo
        self._path = f"/repos/{repo}/git"

    def fetch_head(self, branch: str) -> str | None:
        """The branch's sha; None if there is no such branch, "" if the repository has no commit."""
        path = f"{self._path}/ref/heads/{quote(branch)}"
        request = ApiRequest("GET", path, f"read the branch {branch} of {self._repo}")
        try:
            return self._api.read(GitRef, request).object.sha
        except NotFound:
            return None
        except BadRequest as refusal:
            if "repository is empty" in refusal.message.lower():
                return ""
            raise

    def fetch_commit(self, sha: str) -> Commit:
        path = f"{self._path}/commits/{sha}"
        return self._api.read(Commit, ApiRequest("GET", path, f"read commit {sha} of {self._repo}"))

    def fetch_file(self, sha: str, path: str, *, max_bytes: int) -> bytes | None:
        """See `bot.ports.GitHub.file_at`. https://docs.github.com/en/rest/git/trees#get-a-tree"""
        *directories, name = path.split("/")
        tree = sha
        for directory in directories:
            entry = self._fetch_entry(tree, directory)
            if entry is None or entry.mode != "040000":
                return None
            tree = entry.sha
        entry = self._fetch_entry(tree, name)
        if entry is None or entry.mode not in ("100644", "100755"):
            return None
        if (entry.size or 0) > max_bytes:
            raise too_large(path, max_bytes)
        request = ApiRequest(
            "GET", f"{self._path}/blobs/{entry.sha}", f"read {path} in {self._repo}"
        )
        return self._api.read(BlobContent, request).content

    def _fetch_entry(self, tree_sha: str, name: str) -> TreeEntry | None:
        path = f"{self._path}/trees/{tree_sha}"
        request = ApiRequest("GET", path, f"read a directory of {self._repo}")
        try:
            entries = self._api.read(Tree, request).tree
        except NotFound:
            return None
        return next((entry for entry in entries if entry.path == name), None)

    def push(self, push: Push, changes: Changes) -> str:
        """The sha of the commit, made now or by an earlier call. See `bot.ports.GitHub.push`."""
        _check_pushable(push, changes, self._repo)
        head = self.fetch_head(push.branch)
        if head and push.has_made(self.fetch_commit(head)):
            return head
        self._check_head(push, head)
        base_tree = self.fetch_commit(push.base_sha).tree.sha
        tree = self._create_tree(base_tree, changes)
        if tree != push.tree_sha:
            message = (
                f"GitHub made another tree ({tree}) of the change than git did ({push.tree_sha})."
            )
            step = "Ask for the diff instead, and report this as a bug of TinyGen."
            raise OutsideError(message, next_step=step)
        commit = {"message": push.message, "tree": tree, "parents": [push.base_sha]}
        sha = self._create("commits", f"make a commit in {self._repo}", commit)
        return self._set_branch(push, sha)

    def _check_head(self, push: Push, head: str | None) -> None:
        if push.create:
            if head:
                message = (
                    f"The branch {push.branch} of {self._repo} already exists and holds something"
                    " else."
                )
                raise Unworkable(message, next_step="Delete or rename that branch, then ask again.")
        elif head is None:
            message = f"The branch {push.branch} of {self._repo} is gone."
            step = "Restore it, or ask on an issue for a new pull request."
            raise NotFound(message, next_step=step)
        elif head != push.base_sha:
            raise _branch_moved(push)

    def _create_tree(self, base_tree: str, changes: Changes) -> str:
        tree = base_tree
        for group in _order_changes(changes):
            for entries in _split_entries(self._build_entry(change) for change in group):
                purpose = f"write {len(entries)} files to {self._repo}"
                tree = self._create("trees", purpose, {"base_tree": tree, "tree": entries})
        return tree

    def _build_entry(self, change: Change) -> _NewEntry:
        """https://docs.github.com/en/rest/git/trees#create-a-tree"""
        entry: _NewEntry = {"path": change.path, "mode": change.mode, "type": "blob"}
        if change.content is None:
            return {**entry, "sha": None}
        text = _inline_text(change.content)
        if text is not None:
            return {**entry, "content": text}
        blob = {"content": base64.b64encode(change.content).decode(), "encoding": "base64"}
        return {**entry, "sha": self._create("blobs", f"write {change.path} to {self._repo}", blob)}

    def _create(self, kind: str, purpose: str, body: object) -> str:
        """The sha of a new git object."""
        request = ApiRequest("POST", f"{self._path}/{kind}", purpose, json=body)
        return self._api.read(GitObject, request).sha

    def _set_branch(self, push: Push, sha: str) -> str:
        """The commit at which the branch points now. It may be another one than `sha`, made by an
        attempt whose answer was lost."""
        purpose = f"point the branch {push.branch} of {self._repo} at the new commit"
        if push.create:
            ref = {"ref": f"refs/heads/{push.branch}", "sha": sha}
            request = ApiRequest("POST", f"{self._path}/refs", purpose, json=ref)
        else:
            path = f"{self._path}/refs/heads/{quote(push.branch)}"
            request = ApiRequest("PATCH", path, purpose, json={"sha": sha, "force": False})
        try:
            self._api.send(request)
        except BadRequest as refusal:
            head = self.fetch_head(push.branch)
            if head and push.has_made(self.fetch_commit(head)):
                return head
            if not push.create and head != push.base_sha:
                raise _branch_moved(push) from refusal
            above = push.branch.partition("/")[0]
            if push.create and above != push.branch and self.fetch_head(above) is not None:
                message = (
                    f"{self._repo} has a branch {above}, so git allows none named {push.branch}."
                )
                raise Unworkable(message, next_step="Rename that branch.") from refusal
            raise Unworkable(refusal.message, next_step=refusal.next_step) from refusal
        return sha


def _branch_moved(push: Push) -> BranchMoved:
    message = f"The branch {push.branch} moved while TinyGen worked on {push.base_sha[:12]}."
    step = "Ask again: the work then starts from the newer commit."
    return BranchMoved(message, next_step=step)


def _check_pushable(push: Push, changes: Changes, repo: str) -> None:
    if not push.base_sha:
        message = (
            f"{repo} has no commit yet, so there is nothing that a pull request could be made"
            " against."
        )
        step = "Push a first commit (a README is enough), then ask again."
        raise Unworkable(message, next_step=step)
    for path in changes:
        try:
            path.encode()
        except UnicodeEncodeError:
            message = f"The path {path!a} is not UTF-8, and GitHub's API takes no other."
            step = "Ask for the diff (`--diff`) and apply it with git."
            raise Unworkable(message, next_step=step) from None


def _inline_text(content: bytes) -> str | None:
    """The content as text; None if the API cannot carry it so."""
    if len(content) > _MAX_INLINE_BYTES or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _order_changes(changes: Changes) -> list[list[Change]]:
    """The changes in one or two groups, to be written one after the other.

    A file may become a directory, or a directory a file. Then the deletions that make room for it
    are in the first group and the new file in the second, since one tree cannot ask for both. The
    other deletions are at the end, since no tree on the way may be empty.
    """
    deleted = {path for path, change in changes.items() if change.content is None}
    written = changes.keys() - deleted
    blocked = _conflicting(written, deleted)
    in_the_way = _conflicting(deleted, blocked)
    first = [*sorted(written - blocked), *sorted(in_the_way)]
    second = [*sorted(blocked), *sorted(deleted - in_the_way)]
    groups = [first, second] if blocked else [first + second]
    return [[changes[path] for path in group] for group in groups]


def _conflicting(paths: set[str], others: set[str]) -> set[str]:
    """Those of the paths that are a directory above one of the others, or a file below one."""
    directories = {directory for path in others for directory in _directories(path)}
    above = paths & directories
    below = {path for path in paths if not others.isdisjoint(_directories(path))}
    return above | below


def _directories(path: str) -> list[str]:
    """The directories that the path is in."""
    return [path[:index] for index, char in enumerate(path) if char == "/"]


def _split_entries(entries: Iterable[_NewEntry]) -> Iterator[list[_NewEntry]]:
    chunk: list[_NewEntry] = []
    chunk_bytes = 0
    for entry in entries:
        size_bytes = len((entry.get("content") or "").encode())
        is_full = len(chunk) == _MAX_TREE_ENTRIES or chunk_bytes + size_bytes > _MAX_TREE_BYTES
        if chunk and is_full:
            yield chunk
            chunk, chunk_bytes = [], 0
        chunk.append(entry)
        chunk_bytes += size_bytes
    if chunk:
        yield chunk
