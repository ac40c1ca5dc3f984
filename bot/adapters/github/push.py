"""Commits by GitHub's git-data API: blobs, trees, a commit, a branch that points at it.

It keeps file modes, and GitHub signs a commit that an App makes so without naming an author. Blobs,
trees and commits that nothing points at are harmless, so those calls may be repeated; a branch is
looked at before it is touched. https://docs.github.com/en/rest/git
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from bot.adapters.github.calls import Call, Calls
from bot.adapters.github.shapes import Branch, Commit, GitObject
from bot.errors import BadRequest, BranchMoved, NotFound, OutsideError, Unworkable
from bot.types.snapshot import Change, Changes

Entry = dict[str, str | None]

_CHUNK_ENTRIES = 100
_CHUNK_BYTES = 1_000_000
"""GitHub itself times out on trees of some 200 files or 2.5 MB of content."""
_INLINE_BYTES = 100_000
_WORKFLOWS = ".github/workflows/"


@dataclass(frozen=True, slots=True)
class Push:
    """One commit on `base_sha` for `branch`, whose tree git says is `tree_sha`. `create`: the
    branch is new."""

    branch: str
    base_sha: str
    tree_sha: str
    message: str
    create: bool

    def made(self, commit: Commit) -> bool:
        """Whether this very push made the commit, in whatever attempt."""
        return commit.tree.sha == self.tree_sha and [parent.sha for parent in commit.parents] == [
            self.base_sha
        ]


def touches_workflows(changes: Changes) -> bool:
    return any(path.startswith(_WORKFLOWS) for path in changes)


class GitData:
    """The git database and the branches of one repository."""

    def __init__(self, calls: Calls, repo: str) -> None:
        self._calls = calls
        self._repo = repo
        self._at = f"/repos/{repo}/git"

    def head(self, branch: str) -> str | None:
        """The branch's sha; None where there is no such branch, "" where the repository has no
        commit at all."""
        call = Call(
            "GET",
            f"{self._at}/ref/heads/{quote(branch)}",
            f"read the branch {branch} of {self._repo}",
        )
        try:
            return self._calls.read(Branch, call).object.sha
        except NotFound:
            return None
        except BadRequest as refusal:
            if "repository is empty" in refusal.message.lower():
                return ""
            raise

    def commit(self, sha: str) -> Commit:
        return self._calls.read(
            Commit, Call("GET", f"{self._at}/commits/{sha}", f"read commit {sha} of {self._repo}")
        )

    def push(self, push: Push, changes: Changes) -> str:
        """The sha of the commit, made now or by an earlier call. See `bot.ports.GitHub.push`."""
        _check_pushable(push, changes, self._repo)
        head = self.head(push.branch)
        if head and push.made(self.commit(head)):
            return head
        self._check_place(push, head)
        tree = self._tree(self.commit(push.base_sha).tree.sha, changes)
        if tree != push.tree_sha:
            message = (
                f"GitHub made another tree ({tree}) of the change than git did ({push.tree_sha})."
            )
            raise OutsideError(
                message, next_step="Ask for the diff instead, and report this as a bug of TinyGen."
            )
        made = {"message": push.message, "tree": tree, "parents": [push.base_sha]}
        commit = self._post("commits", f"make a commit in {self._repo}", made).sha
        return self._point(push, commit)

    def _check_place(self, push: Push, head: str | None) -> None:
        if push.create and head:
            message = (
                f"The branch {push.branch} of {self._repo} already exists and holds something else."
            )
            raise Unworkable(message, next_step="Delete or rename that branch, then ask again.")
        if not push.create and head is None:
            message = f"The branch {push.branch} of {self._repo} is gone."
            raise NotFound(
                message, next_step="Restore it, or ask on an issue for a new pull request."
            )
        if not push.create and head != push.base_sha:
            raise _moved(push)

    def _tree(self, base_tree: str, changes: Changes) -> str:
        for group in _groups(changes):
            for chunk in _chunks(self._entry(change) for change in group):
                entries = {"base_tree": base_tree, "tree": chunk}
                base_tree = self._post(
                    "trees", f"write {len(chunk)} files to {self._repo}", entries
                ).sha
        return base_tree

    def _entry(self, change: Change) -> Entry:
        """https://docs.github.com/en/rest/git/trees#create-a-tree: content travels as text, other
        bytes as a blob."""
        entry: Entry = {"path": change.path, "mode": change.mode, "type": "blob"}
        if change.content is None:
            return {**entry, "sha": None}
        text = _inline_text(change.content)
        if text is not None:
            return {**entry, "content": text}
        encoded = {"content": base64.b64encode(change.content).decode(), "encoding": "base64"}
        return {
            **entry,
            "sha": self._post("blobs", f"write {change.path} to {self._repo}", encoded).sha,
        }

    def _post(self, kind: str, doing: str, json: object) -> GitObject:
        return self._calls.read(GitObject, Call("POST", f"{self._at}/{kind}", doing, json=json))

    def _point(self, push: Push, commit: str) -> str:
        """The commit at which the branch points now: an attempt whose answer was lost may have made
        another one."""
        doing = f"point the branch {push.branch} of {self._repo} at the new commit"
        create = Call(
            "POST",
            f"{self._at}/refs",
            doing,
            json={"ref": f"refs/heads/{push.branch}", "sha": commit},
        )
        path = f"{self._at}/refs/heads/{quote(push.branch)}"
        forward = Call("PATCH", path, doing, json={"sha": commit, "force": False})
        try:
            self._calls.send(create if push.create else forward)
        except BadRequest as refusal:
            head = self.head(push.branch)
            if head and push.made(self.commit(head)):
                return head
            if not push.create and head != push.base_sha:
                raise _moved(push) from refusal
            raise Unworkable(refusal.message, next_step=refusal.next_step) from refusal
        return commit


def _moved(push: Push) -> BranchMoved:
    message = f"The branch {push.branch} moved while TinyGen worked on {push.base_sha[:12]}."
    return BranchMoved(
        message,
        next_step="Ask again (`/tinygen retry`): the work then starts from the newer commit.",
    )


def _check_pushable(push: Push, changes: Changes, repo: str) -> None:
    if not push.base_sha:
        message = (
            f"{repo} has no commit yet, so there is nothing that a pull request could be made"
            " against."
        )
        raise Unworkable(
            message, next_step="Push a first commit (a README is enough), then ask again."
        )
    for path in changes:
        if _utf8(path) is None:
            message = f"The path {path!a} is not UTF-8, and GitHub's API takes no other."
            raise Unworkable(
                message, next_step="Ask for the diff (`--diff`) and apply it with git."
            )


def _utf8(path: str) -> bytes | None:
    try:
        return path.encode()
    except UnicodeEncodeError:
        return None


def _inline_text(content: bytes) -> str | None:
    if len(content) > _INLINE_BYTES or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _groups(changes: Changes) -> list[list[Change]]:
    """The changes, so that no group asks for two things at one place: what makes room for a file
    that becomes a directory, or the other way round, goes first. Deletions go last, lest a tree on
    the way be empty."""
    gone = {path for path, change in changes.items() if change.content is None}
    written = changes.keys() - gone
    above_gone = {above for path in gone for above in _above(path)}
    blocked = {path for path in written if path in above_gone or not gone.isdisjoint(_above(path))}
    above_blocked = {above for path in blocked for above in _above(path)}
    room = {path for path in gone if path in above_blocked or not blocked.isdisjoint(_above(path))}
    first, then = (written - blocked, room), (blocked, gone - room)
    ordered = [
        [changes[path] for part in parts for path in sorted(part)] for parts in (first, then)
    ]
    return ordered if blocked else [ordered[0] + ordered[1]]


def _above(path: str) -> list[str]:
    """The directories that the path is in."""
    return [path[:at] for at, sign in enumerate(path) if sign == "/"]


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    size_bytes = 0
    for entry in entries:
        weight = len((entry.get("content") or "").encode())
        if chunk and (len(chunk) == _CHUNK_ENTRIES or size_bytes + weight > _CHUNK_BYTES):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(entry)
        size_bytes += weight
    if chunk:
        yield chunk
