"""One repository on GitHub: its threads, its branches, its pull requests. Implements
`bot.ports.GitHub`.

Runs of a repository's checks: which of their jobs failed, and the ends of those logs.

https://docs.github.com/en/rest/actions/workflow-jobs
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, Field

from bot.adapters.github.app import Access
from bot.adapters.github.attachments import Attachments
from bot.adapters.github.auth import CHECKS, PUSH, PUSH_WORKFLOWS, READ, TALK
from bot.adapters.github.calls import Call, Calls, Server
from bot.adapters.github.errors import UnclearOutcome
from bot.adapters.github.push import GitData, Push, touches_workflows
from bot.adapters.github.review_threads import resolved_threads
from bot.adapters.github.shapes import (
    PAGE_ITEMS,
    Collaborator,
    CommentPage,
    Comparison,
    Contents,
    Created,
    Id,
    Issue,
    LineCommentPage,
    Name,
    Pull,
    PullPage,
    RepositoryFacts,
    Title,
)
from bot.errors import AskerError, BadRequest, NotFound, NotPermitted, OutsideError, Unworkable
from bot.ports import Comment, FailedJob, LineComment, PullRequest, Remote, Thread
from bot.types import Permission
from bot.types.snapshot import Changes

_LOG_BYTES = 64 * 1024
_MOST = 3


class _Step(BaseModel):
    name: Title
    conclusion: Name | None = None


class _Job(BaseModel):
    id: Id
    name: Title
    conclusion: Name | None = None
    steps: list[_Step] = []


class _Jobs(BaseModel):
    jobs: Annotated[list[_Job], Field(max_length=PAGE_ITEMS)]


def failed_jobs(server: Server, calls: Calls, repo: str, run_id: int) -> tuple[FailedJob, ...]:
    """See `bot.ports.GitHub.failed_jobs`; the first three."""
    path, doing = (
        f"/repos/{repo}/actions/runs/{run_id}/jobs",
        f"read which jobs of a check failed in {repo}",
    )
    jobs = calls.read(
        _Jobs, Call("GET", path, doing, params={"filter": "latest", "per_page": 100})
    ).jobs
    failed = [job for job in jobs if job.conclusion == "failure"][:_MOST]
    return tuple(
        FailedJob(job.name, _failed_step(job), _log(server, calls, repo, job.id)) for job in failed
    )


def _failed_step(job: _Job) -> str:
    return next((step.name for step in job.steps if step.conclusion == "failure"), "a step")


def _log(server: Server, calls: Calls, repo: str, job_id: int) -> str:
    """GitHub leads to where it keeps the log, or says that it keeps it no longer."""
    doing = f"read the log of a check in {repo}"
    call = Call("GET", f"/repos/{repo}/actions/jobs/{job_id}/logs", doing, leads_elsewhere=True)
    try:
        response = calls.send(call)
    except AskerError:
        return ""
    content = response.content
    if response.has_redirect_location:
        content = server.tail(response.headers["Location"], doing, max_bytes=_LOG_BYTES)
    return content[-_LOG_BYTES:].decode("utf-8", "replace")


Found = TypeVar("Found")

Kind = Literal["issues", "pulls"]

_LOOK_AGAIN_S = (2.0, 5.0, 10.0)
_SHA = re.compile(r"[0-9a-fA-F]{40}")
_NO_BRANCH_NAME = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|//|@\{|^[/-]|[/.]$")
"""https://git-scm.com/docs/git-check-ref-format"""


def _kind(on_line: bool) -> Kind:
    """GitHub keeps the comments on lines apart."""
    return "pulls" if on_line else "issues"


class Repository:
    """Usable from any thread."""

    def __init__(
        self,
        repo: str,
        url: str,
        server: Server,
        access: Access,
        *,
        repository_id: int | None = None,
    ) -> None:
        """`repository_id`: which one is meant, should another have its name by now."""
        self._repo = repo
        self._repository_id = repository_id
        self._url = url
        self._server = server
        self._access = access
        self._calls = Calls(server, access.credentials(TALK))
        self._at = f"/repos/{repo}"

    def thread(self, number: int) -> Thread:
        return self._calls.read(
            Issue, Call("GET", f"{self._at}/issues/{number}", f"read {self._named(number)}")
        ).thread()

    def comments(self, number: int) -> tuple[Comment, ...]:
        pages = self._calls.pages(CommentPage, self._comments(number))
        return tuple(
            c.comment(by_this_app=self._access.wrote(c)) for page in pages for c in page.root
        )

    def permission(self, login: str) -> Permission:
        """A person's level; "none" also for who GitHub does not know here."""
        path = f"{self._at}/collaborators/{quote(login, safe='')}/permission"
        try:
            return self._calls.read(
                Collaborator, Call("GET", path, f"read what {login} may do in {self._repo}")
            ).level()
        except NotFound:
            return "none"

    def file(self, path: str, *, max_bytes: int, ref: str | None = None) -> bytes | None:
        """https://docs.github.com/en/rest/repos/contents#get-repository-content"""
        params = {"ref": ref} if ref else {}
        call = Call(
            "GET",
            f"{self._at}/contents/{quote(path)}",
            f"read {path} in {self._repo}",
            params=params,
        )
        try:
            found = self._calls.read(Contents, call).root
        except NotFound:
            return None
        if isinstance(found, list) or found.type != "file":
            return None
        if max(found.size, len(found.content)) > max_bytes:
            raise BadRequest(
                f"`{path}` is larger than {max_bytes} bytes.", next_step="Make it smaller."
            )
        return found.content

    def in_history(self, sha: str, branch: str | None = None) -> bool:
        branch = branch or self._default_branch()
        path = f"{self._at}/compare/{quote(branch)}...{sha}"
        call = Call(
            "GET",
            path,
            f"see whether {sha[:12]} is in {branch} of {self._repo}",
            params={"per_page": "1"},
        )
        try:
            return self._calls.read(Comparison, call).status in ("identical", "behind")
        except NotFound:
            return False

    def line_comments(self, number: int) -> tuple[LineComment, ...]:
        pages = self._calls.pages(LineCommentPage, self._comments(number, "pulls"))
        return tuple(comment.line_comment() for page in pages for comment in page.root)

    def resolved_threads(self, number: int) -> frozenset[int]:
        return resolved_threads(self._calls, self._repo, number)

    def attachment(self, url: str, number: int, *, max_bytes: int) -> bytes:
        site = self._url.removesuffix(f"/{self._repo}.git")
        token = self._access.credentials(READ).token()
        return Attachments(self._server, self._calls, self._repo, site).fetch(
            url, number, token, max_bytes=max_bytes
        )

    def failed_jobs(self, run_id: int) -> tuple[FailedJob, ...]:
        return failed_jobs(
            self._server, Calls(self._server, self._access.credentials(CHECKS)), self._repo, run_id
        )

    def react(
        self,
        comment_id: int,
        content: Literal["eyes", "rocket", "confused"],
        *,
        on_line: bool = False,
    ) -> None:
        """GitHub keeps one reaction of a kind per author."""
        path = f"{self._at}/{_kind(on_line)}/comments/{comment_id}/reactions"
        call = Call("POST", path, f"react to a comment in {self._repo}", json={"content": content})
        with suppress(NotFound):
            self._calls.send(call)

    def post_comment(
        self, number: int, body: str, *, marker: str, reply_to: int | None = None
    ) -> int:
        """Always looks first: a process that died may have posted it, and nothing here would
        know."""
        path, doing = f"{self._at}/issues/{number}/comments", f"comment on {self._named(number)}"
        if reply_to is not None:
            path = f"{self._at}/pulls/{number}/comments/{reply_to}/replies"
        call = Call("POST", path, doing, json={"body": body}, repeatable=False)
        return self._once(
            look=lambda: self._own_comment(number, marker, _kind(reply_to is not None)),
            create=lambda: self._calls.read(Created, call).id,
        )

    def edit_comment(self, comment_id: int, body: str, *, on_line: bool = False) -> None:
        path = f"{self._at}/{_kind(on_line)}/comments/{comment_id}"
        self._calls.send(
            Call("PATCH", path, f"edit its comment in {self._repo}", json={"body": body})
        )

    def _own_comment(self, number: int, marker: str, kind: Kind) -> int | None:
        for page in self._calls.pages(CommentPage, self._comments(number, kind), newest_first=True):
            for comment in page.root:
                first_lines = (comment.body or "").split("\n", 2)[:2]
                if any(line.startswith(marker) for line in first_lines) and self._access.wrote(
                    comment
                ):
                    return comment.id
        return None

    def _comments(self, number: int, kind: Kind = "issues") -> Call:
        return Call(
            "GET",
            f"{self._at}/{kind}/{number}/comments",
            f"read the comments of {self._named(number)}",
        )

    def _named(self, number: int) -> str:
        return f"{self._repo}#{number}"

    def resolve(self, ref: str | None) -> tuple[str, str]:
        if ref and _SHA.fullmatch(ref):
            return ref.lower(), self._known_commit(ref.lower())
        branch = (ref or self._default_branch()).removeprefix("refs/heads/")
        head = (
            None
            if _NO_BRANCH_NAME.search(branch)
            else GitData(self._calls, self._repo).head(branch)
        )
        if head is None and not ref:
            head = ""  # an empty repository has a default branch by name only
        if head is None:
            message = f"{self._repo} has no branch {branch!r}."
            raise NotFound(
                message, next_step="Name an existing branch, or none for the default one."
            )
        return branch, head

    def _default_branch(self) -> str:
        facts = self._calls.read(RepositoryFacts, Call("GET", self._at, f"read {self._repo}"))
        if self._repository_id not in (None, facts.id):
            message = f"{self._repo} is the name of another repository by now."
            raise NotFound(message, next_step="Ask again where the repository is now.")
        return facts.default_branch

    def _known_commit(self, sha: str) -> str:
        try:
            return GitData(self._calls, self._repo).commit(sha).sha
        except BadRequest as refusal:
            raise NotFound(
                f"{self._repo} has no commit {sha}.", next_step="Name a commit that was pushed."
            ) from refusal

    def remote(self) -> Remote:
        return Remote(self._url, self._access.credentials(READ).token())

    def may_write_workflows(self) -> bool:
        return self._access.may_write_workflows()

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
        calls = Calls(self._server, self._access.credentials(PUSH))
        if touches_workflows(changes):
            if not self.may_write_workflows():
                refusal = f"The App may not change .github/workflows/ in {self._repo}."
                raise NotPermitted(
                    refusal,
                    next_step="Give it the workflows permission, or apply that diff by hand.",
                )
            calls = Calls(self._server, self._access.credentials(PUSH_WORKFLOWS))
        push = Push(branch, base_sha, tree_sha, message, create)
        return GitData(calls, self._repo).push(push, changes)

    def pull(self, number: int) -> PullRequest:
        call = Call("GET", f"{self._at}/pulls/{number}", f"read pull request {self._named(number)}")
        return self._calls.read(Pull, call).pull_request()

    def open_pull(
        self, branch: str, base: str, *, title: str, body: str, draft: bool
    ) -> PullRequest:
        wanted = {"title": title, "body": body, "head": branch, "base": base, "draft": draft}
        return self._once(
            look=lambda: self._pull_of(branch), create=lambda: self._create_pull(wanted)
        )

    def label(self, number: int, labels: Sequence[str]) -> None:
        if labels:
            path = f"{self._at}/issues/{number}/labels"
            self._calls.send(
                Call("POST", path, f"label {self._named(number)}", json={"labels": list(labels)})
            )

    def request_reviews(self, number: int, reviewers: Sequence[str]) -> None:
        if reviewers:
            wanted = {
                "reviewers": [name for name in reviewers if "/" not in name],
                "team_reviewers": [name.partition("/")[2] for name in reviewers if "/" in name],
            }
            path = f"{self._at}/pulls/{number}/requested_reviewers"
            self._calls.send(
                Call("POST", path, f"ask for reviews of {self._named(number)}", json=wanted)
            )

    def _pull_of(self, branch: str) -> PullRequest | None:
        """GitHub ignores a `head` that it does not understand and lists all: what comes back is
        checked."""
        owner = self._repo.partition("/")[0]
        params = {"head": f"{owner}:{branch}", "state": "all"}
        call = Call(
            "GET", f"{self._at}/pulls", f"list the pull requests of {self._repo}", params=params
        )
        pulls = (
            pull.pull_request() for page in self._calls.pages(PullPage, call) for pull in page.root
        )
        ours = [p for p in pulls if p.head_ref == branch and p.is_within(self._repo)]
        return min(ours, key=lambda pull: (pull.state != "open", -pull.number), default=None)

    def _create_pull(self, wanted: dict[str, object]) -> PullRequest:
        doing = f"open a pull request in {self._repo}"
        call = Call("POST", f"{self._at}/pulls", doing, json=wanted, repeatable=False)
        try:
            return self._calls.read(Pull, call).pull_request()
        except BadRequest as refusal:
            # drafts are no part of a free plan's private repositories
            if wanted["draft"] and "draft" in refusal.message.lower():
                return self._create_pull({**wanted, "draft": False})
            found = (
                self._pull_of(str(wanted["head"])) if "already exists" in refusal.message else None
            )
            if found is not None:
                return found
            raise Unworkable(refusal.message, next_step=refusal.next_step) from refusal

    def _once(self, *, look: Callable[[], Found | None], create: Callable[[], Found]) -> Found:
        """What `look` finds, else what `create` makes. After an answer that was lost it looks
        again, never creates blindly: GitHub may have acted before it failed."""
        for pause_s in (*_LOOK_AGAIN_S, None):
            if (found := look()) is not None:
                return found
            try:
                return create()
            except UnclearOutcome as lost:
                if pause_s is None:
                    raise OutsideError(lost.message, next_step=lost.next_step) from lost
                self._calls.pause(pause_s)
        raise AssertionError("the last pause is None")
