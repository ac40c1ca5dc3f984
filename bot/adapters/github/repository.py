"""One repository on GitHub: its threads, its branches, its pull requests. Implements
`bot.ports.GitHub`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Literal, TypeVar
from urllib.parse import quote

from bot.adapters.github.actions import fetch_failed_jobs
from bot.adapters.github.attachments import Attachments
from bot.adapters.github.auth import (
    ACTIONS_PERMISSIONS,
    FETCH_PERMISSIONS,
    PUSH_PERMISSIONS,
    THREAD_PERMISSIONS,
    WORKFLOW_PUSH_PERMISSIONS,
    Identity,
)
from bot.adapters.github.client import ApiClient, ApiRequest, Transport
from bot.adapters.github.errors import UnclearOutcome
from bot.adapters.github.graphql import fetch_closing_pulls, fetch_resolved_threads
from bot.adapters.github.push import GitDatabase, Push, too_large, touches_workflows
from bot.adapters.github.schemas import (
    Branch,
    Collaborator,
    CommentPage,
    Comparison,
    Contents,
    CreatedComment,
    Issue,
    IssueComment,
    LineCommentPage,
    PullRequestData,
    PullRequestPage,
    RepositoryInfo,
)
from bot.errors import BadRequest, NotFound, NotPermitted, OutsideError, Unworkable
from bot.types import Permission
from bot.types.github import Comment, FailedJob, LineComment, PullRequest, Remote, Thread
from bot.types.snapshot import Changes

Created = TypeVar("Created")

_CommentKind = Literal["issues", "pulls"]
"""The part of the path: GitHub keeps the comments on lines apart from those of the thread."""

_FIND_AGAIN_S = (2.0, 5.0, 10.0)
_SHA = re.compile(r"[0-9a-fA-F]{40}")
_INVALID_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|//|@\{|^[/-]|[/.]$")
"""https://git-scm.com/docs/git-check-ref-format"""


class Repository:
    """Usable from any thread."""

    def __init__(
        self,
        repo: str,
        url: str,
        transport: Transport,
        identity: Identity,
        *,
        repository_id: int | None = None,
    ) -> None:
        """`url` is where git fetches. `repository_id` tells which repository is meant, if another
        has got its name."""
        self._repo = repo
        self._repository_id = repository_id
        self._url = url
        self._transport = transport
        self._identity = identity
        self._api = ApiClient(transport, identity.credentials(THREAD_PERMISSIONS))
        self._path = f"/repos/{repo}"

    def thread(self, number: int) -> Thread:
        path = f"{self._path}/issues/{number}"
        request = ApiRequest("GET", path, f"read {self._repo}#{number}")
        return self._api.read(Issue, request).thread()

    def comments(self, number: int) -> tuple[Comment, ...]:
        return tuple(
            comment.comment(by_this_app=self._identity.is_author(comment))
            for comment in self._fetch_comments(number, "issues")
        )

    def line_comments(self, number: int) -> tuple[LineComment, ...]:
        request = self._comments_request(number, "pulls")
        pages = self._api.read_pages(LineCommentPage, request)
        return tuple(comment.line_comment() for page in pages for comment in page.root)

    def resolved_threads(self, number: int) -> frozenset[int]:
        return fetch_resolved_threads(self._api, self._repo, number)

    def closing_pulls(self, number: int) -> tuple[str, ...]:
        return fetch_closing_pulls(self._api, self._repo, number)

    def attachment(self, url: str, number: int, *, max_bytes: int) -> bytes:
        server_url = self._url.removesuffix(f"/{self._repo}.git")
        token = self._identity.credentials(FETCH_PERMISSIONS).token()
        attachments = Attachments(self._transport, self._api, self._repo, server_url)
        return attachments.fetch(url, number, token, max_bytes=max_bytes)

    def permission(self, login: str) -> Permission:
        """A person's level; "none" too for a login that GitHub does not know."""
        path = f"{self._path}/collaborators/{quote(login, safe='')}/permission"
        request = ApiRequest("GET", path, f"read what {login} may do in {self._repo}")
        try:
            return self._api.read(Collaborator, request).level()
        except NotFound:
            return "none"

    def failed_jobs(self, run_id: int) -> tuple[FailedJob, ...]:
        api = ApiClient(self._transport, self._identity.credentials(ACTIONS_PERMISSIONS))
        return fetch_failed_jobs(self._transport, api, self._repo, run_id)

    def file(self, path: str, *, max_bytes: int) -> bytes | None:
        """https://docs.github.com/en/rest/repos/contents#get-repository-content"""
        request = ApiRequest(
            "GET",
            f"{self._path}/contents/{quote(path)}",
            f"read {path} in {self._repo}",
        )
        try:
            found = self._api.read(Contents, request).root
        except NotFound:
            return None
        if isinstance(found, list) or found.type != "file":
            return None
        if max(found.size, len(found.content)) > max_bytes:
            raise too_large(path, max_bytes)
        return found.content

    def file_at(self, sha: str, path: str, *, max_bytes: int) -> bytes | None:
        """Part by part, since the request above would follow links."""
        return GitDatabase(self._api, self._repo).fetch_file(sha, path, max_bytes=max_bytes)

    def in_history(self, sha: str, branch: str | None = None) -> bool:
        branch = branch or self._fetch_default_branch()
        request = ApiRequest(
            "GET",
            f"{self._path}/compare/{quote(branch)}...{sha}",
            f"see whether {sha[:12]} is in {branch} of {self._repo}",
            params={"per_page": "1"},
        )
        try:
            return self._api.read(Comparison, request).status in ("identical", "behind")
        except NotFound:
            return False

    def react(
        self,
        comment_id: int,
        content: Literal["eyes", "rocket", "confused"],
        *,
        on_line: bool = False,
    ) -> None:
        """GitHub keeps one reaction of a kind per author."""
        path = f"{self._path}/{_comment_kind(on_line)}/comments/{comment_id}/reactions"
        purpose = f"react to a comment in {self._repo}"
        with suppress(NotFound):
            self._api.send(ApiRequest("POST", path, purpose, json={"content": content}))

    def post_comment(
        self, number: int, body: str, *, marker: str, reply_to: int | None = None
    ) -> int:
        """Always looks for the comment first, since a process that died may have posted it."""
        if reply_to is None:
            path = f"{self._path}/issues/{number}/comments"
        else:
            path = f"{self._path}/pulls/{number}/comments/{reply_to}/replies"
        purpose = f"comment on {self._repo}#{number}"
        request = ApiRequest("POST", path, purpose, json={"body": body}, idempotent=False)
        kind = _comment_kind(reply_to is not None)
        return self._find_or_create(
            find=lambda: self._find_own_comment(number, marker, kind),
            create=lambda: self._api.read(CreatedComment, request).id,
        )

    def edit_comment(self, comment_id: int, body: str, *, on_line: bool = False) -> None:
        path = f"{self._path}/{_comment_kind(on_line)}/comments/{comment_id}"
        purpose = f"edit its comment in {self._repo}"
        self._api.send(ApiRequest("PATCH", path, purpose, json={"body": body}))

    def _find_own_comment(self, number: int, marker: str, kind: _CommentKind) -> int | None:
        for comment in self._fetch_comments(number, kind, newest_first=True):
            first_lines = (comment.body or "").split("\n", 2)[:2]
            is_marked = any(line.startswith(marker) for line in first_lines)
            if is_marked and self._identity.is_author(comment):
                return comment.id
        return None

    def _fetch_comments(
        self, number: int, kind: _CommentKind, *, newest_first: bool = False
    ) -> Iterator[IssueComment]:
        """`newest_first` is the order of the pages; a page itself is always oldest first."""
        request = self._comments_request(number, kind)
        for page in self._api.read_pages(CommentPage, request, newest_first=newest_first):
            yield from page.root

    def _comments_request(self, number: int, kind: _CommentKind) -> ApiRequest:
        path = f"{self._path}/{kind}/{number}/comments"
        return ApiRequest("GET", path, f"read the comments of {self._repo}#{number}")

    def resolve(self, ref: str | None) -> tuple[str, str]:
        if ref and _SHA.fullmatch(ref):
            sha = ref.lower()
            return sha, self._check_commit(sha)
        branch = (ref or self._fetch_default_branch()).removeprefix("refs/heads/")
        head = None
        if not _INVALID_BRANCH.search(branch):
            head = GitDatabase(self._api, self._repo).fetch_head(branch)
        if head is None:
            message = f"{self._repo} has no branch {branch!r}."
            step = "Name an existing branch, or none for the default one."
            if not ref:
                message = f"The default branch of {self._repo}, {branch!r}, cannot be read."
                step = "Set its default branch to an existing one, or name a branch."
            raise NotFound(message, next_step=step)
        return branch, head

    def _fetch_default_branch(self) -> str:
        request = ApiRequest("GET", self._path, f"read {self._repo}")
        info = self._api.read(RepositoryInfo, request)
        if self._repository_id not in (None, info.id):
            message = f"{self._repo} is the name of another repository by now."
            raise NotFound(message, next_step="Ask again where the repository is now.")
        return info.default_branch

    def _check_commit(self, sha: str) -> str:
        try:
            return GitDatabase(self._api, self._repo).fetch_commit(sha).sha
        except BadRequest as refusal:
            message = f"{self._repo} has no commit {sha}."
            raise NotFound(message, next_step="Name a commit that was pushed.") from refusal

    def remote(self) -> Remote:
        return Remote(self._url, self._identity.credentials(FETCH_PERMISSIONS).token())

    def may_write_workflows(self) -> bool:
        return self._identity.may_write_workflows()

    def why_not_push(self, branch: str) -> str:
        """A ruleset counts as protection too:
        https://docs.github.com/en/rest/branches/branches#get-a-branch"""
        if branch == self._fetch_default_branch():
            return "is the default branch"
        path = f"{self._path}/branches/{quote(branch, safe='')}"
        request = ApiRequest("GET", path, f"read the branch {branch} of {self._repo}")
        try:
            return "is protected" if self._api.read(Branch, request).protected else ""
        except NotFound:
            return ""  # the push says that it is gone

    def push(
        self,
        branch: str,
        base_sha: str,
        changes: Changes,
        *,
        message: str,
        tree_sha: str,
        create: bool,
    ) -> str:
        permissions = PUSH_PERMISSIONS
        if touches_workflows(changes):
            permissions = WORKFLOW_PUSH_PERMISSIONS
            if not self.may_write_workflows():
                raise NotPermitted(
                    f"The App may not change .github/workflows/ in {self._repo}.",
                    next_step="Give it the workflows permission, or apply that diff by hand.",
                )
        api = ApiClient(self._transport, self._identity.credentials(permissions))
        push = Push(branch, base_sha, tree_sha, message, create)
        return GitDatabase(api, self._repo).push(push, changes)

    def pull(self, number: int) -> PullRequest:
        path = f"{self._path}/pulls/{number}"
        request = ApiRequest("GET", path, f"read pull request {self._repo}#{number}")
        return self._api.read(PullRequestData, request).pull_request()

    def open_pull(
        self, branch: str, base: str, *, title: str, body: str, draft: bool
    ) -> PullRequest:
        payload = {"title": title, "body": body, "head": branch, "base": base, "draft": draft}
        return self._find_or_create(
            find=lambda: self._find_pull(branch),
            create=lambda: self._create_pull(payload),
        )

    def _find_pull(self, branch: str) -> PullRequest | None:
        """The newest pull request of the branch, an open one first. The result is checked, since
        GitHub ignores a `head` that it does not understand, and lists all."""
        owner = self._repo.partition("/")[0]
        request = ApiRequest(
            "GET",
            f"{self._path}/pulls",
            f"list the pull requests of {self._repo}",
            params={"head": f"{owner}:{branch}", "state": "all"},
        )
        found: list[PullRequest] = []
        for page in self._api.read_pages(PullRequestPage, request):
            for data in page.root:
                pull = data.pull_request()
                if pull.head_ref == branch and pull.is_within(self._repo):
                    found.append(pull)
        return min(found, key=lambda pull: (pull.state != "open", -pull.number), default=None)

    def _create_pull(self, payload: dict[str, object]) -> PullRequest:
        request = ApiRequest(
            "POST",
            f"{self._path}/pulls",
            f"open a pull request in {self._repo}",
            json=payload,
            idempotent=False,
        )
        try:
            return self._api.read(PullRequestData, request).pull_request()
        except BadRequest as refusal:
            # Private repositories of a free plan have no drafts.
            if payload["draft"] and "draft" in refusal.message.lower():
                return self._create_pull({**payload, "draft": False})
            if "already exists" in refusal.message:
                found = self._find_pull(str(payload["head"]))
                if found is not None:
                    return found
            raise Unworkable(refusal.message, next_step=refusal.next_step) from refusal

    def edit_pull(
        self, number: int, *, body: str | None = None, state: Literal["closed"] | None = None
    ) -> None:
        given = {name: value for name, value in (("body", body), ("state", state)) if value}
        path = f"{self._path}/pulls/{number}"
        request = ApiRequest("PATCH", path, f"edit pull request {self._repo}#{number}", json=given)
        self._api.send(request)

    def has_open_pull(self, branch: str) -> bool:
        owner = self._repo.partition("/")[0]
        for params in ({"head": f"{owner}:{branch}"}, {"base": branch}):
            purpose = f"list the pull requests of {branch} in {self._repo}"
            request = ApiRequest("GET", f"{self._path}/pulls", purpose, params=params)
            for page in self._api.read_pages(PullRequestPage, request):
                # GitHub ignores a parameter that it does not understand, and lists all.
                if any(branch in (pull.head.ref, pull.base.ref) for pull in page.root):
                    return True
        return False

    def delete_branch(self, branch: str) -> None:
        """https://docs.github.com/en/rest/git/refs#delete-a-reference"""
        api = ApiClient(self._transport, self._identity.credentials(PUSH_PERMISSIONS))
        path = f"{self._path}/git/refs/heads/{quote(branch)}"
        purpose = f"delete the branch {branch} of {self._repo}"
        try:
            api.send(ApiRequest("DELETE", path, purpose))
        except (NotFound, BadRequest):  # GitHub answers 422 where there is no such reference
            if GitDatabase(api, self._repo).fetch_head(branch) is not None:
                raise

    def label(self, number: int, labels: Sequence[str]) -> None:
        if not labels:
            return
        path = f"{self._path}/issues/{number}/labels"
        purpose = f"label {self._repo}#{number}"
        self._api.send(ApiRequest("POST", path, purpose, json={"labels": list(labels)}))

    def request_reviews(self, number: int, reviewers: Sequence[str]) -> None:
        if not reviewers:
            return
        path = f"{self._path}/pulls/{number}/requested_reviewers"
        purpose = f"ask for reviews of {self._repo}#{number}"
        payload = {
            "reviewers": [name for name in reviewers if "/" not in name],
            "team_reviewers": [name.partition("/")[2] for name in reviewers if "/" in name],
        }
        self._api.send(ApiRequest("POST", path, purpose, json=payload))

    def _find_or_create(
        self, *, find: Callable[[], Created | None], create: Callable[[], Created]
    ) -> Created:
        """What `find` returns, else what `create` makes. After a lost answer it looks again before
        it creates again: GitHub may have acted before it failed."""
        for pause_s in (*_FIND_AGAIN_S, None):
            found = find()
            if found is not None:
                return found
            try:
                return create()
            except UnclearOutcome as unclear:
                if pause_s is None:
                    raise OutsideError(unclear.message, next_step=unclear.next_step) from unclear
                self._api.sleep(pause_s)
        raise AssertionError("the last pause is None")


def _comment_kind(on_line: bool) -> _CommentKind:
    return "pulls" if on_line else "issues"
