"""What TinyGen reads of GitHub's JSON, and nothing more: a field that GitHub adds or drops elsewhere breaks nothing.

https://docs.github.com/en/rest
"""

from __future__ import annotations

import base64
from typing import Literal

from pydantic import BaseModel, RootModel

from bot.core.types import PERMISSIONS, Permission
from bot.ports import Comment, LineComment, PullRequest, Thread


class User(BaseModel):
    login: str
    type: str = "User"


GHOST = User(login="ghost")
"""Whom GitHub shows where an account is gone: the field is null there."""


_KEPT_CHARS = 20_000
_KEPT_HUNK_CHARS = 8_000


class AppRef(BaseModel):
    id: int


class Issue(BaseModel):
    number: int
    title: str
    body: str | None = None
    user: User | None = None
    state: Literal["open", "closed"]
    locked: bool = False
    pull_request: object | None = None

    def thread(self) -> Thread:
        return Thread(
            number=self.number,
            title=self.title,
            body=self.body or "",
            author=(self.user or GHOST).login,
            is_pull=self.pull_request is not None,
            state=self.state,
            locked=self.locked,
        )


class IssueComment(BaseModel):
    id: int
    body: str | None = None
    user: User | None = None
    created_at: str
    updated_at: str
    performed_via_github_app: AppRef | None = None

    def comment(self, *, by_this_app: bool) -> Comment:
        """Others' long bodies are cut: an issue may have 2,500 comments, all of them in memory at once."""
        author, body = self.user or GHOST, self.body or ""
        return Comment(
            id=self.id,
            body=body if by_this_app else body[:_KEPT_CHARS],
            author=author.login,
            author_is_bot=author.type == "Bot",
            by_this_app=by_this_app,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class CommentPage(RootModel[list[IssueComment]]):
    pass


class _Author(User):
    id: int | None = None


_GHOST = _Author(login=GHOST.login)


class ReviewComment(BaseModel):
    """https://docs.github.com/en/rest/pulls/comments"""

    id: int
    pull_request_review_id: int | None = None
    body: str = ""
    user: _Author | None = None
    created_at: str
    updated_at: str
    in_reply_to_id: int | None = None
    path: str
    diff_hunk: str = ""
    line: int | None = None
    start_line: int | None = None
    side: str = "RIGHT"
    commit_id: str = ""

    def line_comment(self) -> LineComment:
        author = self.user or _GHOST
        return LineComment(
            id=self.id,
            thread_id=self.in_reply_to_id or self.id,
            review_id=self.pull_request_review_id,
            body=self.body[:_KEPT_CHARS],
            author=author.login,
            author_id=author.id,
            author_is_bot=author.type == "Bot",
            created_at=self.created_at,
            updated_at=self.updated_at,
            path=self.path,
            hunk=self.diff_hunk[-_KEPT_HUNK_CHARS:],
            line=self.line,
            start_line=self.start_line,
            side=self.side,
            commit_sha=self.commit_id,
        )


class LineCommentPage(RootModel[list[ReviewComment]]):
    pass


class Created(BaseModel):
    id: int


class Collaborator(BaseModel):
    """`role_name` may be an organization's own role; `permission` then says which of the old four it rests on."""

    permission: str
    role_name: str = ""

    def level(self) -> Permission:
        named = (known for name in (self.role_name, self.permission) for known in PERMISSIONS if known == name)
        return next(named, "none")


class RepositoryFacts(BaseModel):
    default_branch: str


class Comparison(BaseModel):
    """https://docs.github.com/en/rest/commits/commits#compare-two-commits"""

    status: str


class ContentFile(BaseModel):
    """`content` is empty where the file is larger than 1 MB."""

    type: str
    size: int
    content: str = ""

    def decoded(self) -> bytes:
        return base64.b64decode(self.content)


class Contents(RootModel[ContentFile | list[object]]):
    """A file, or what a directory lists."""


class GitObject(BaseModel):
    sha: str


class Ref(BaseModel):
    object: GitObject


class Commit(BaseModel):
    sha: str
    tree: GitObject
    parents: list[GitObject]


class _RepoName(BaseModel):
    full_name: str


class _Side(BaseModel):
    ref: str
    sha: str
    repo: _RepoName | None = None


class Pull(BaseModel):
    number: int
    html_url: str
    state: Literal["open", "closed"]
    head: _Side
    base: _Side

    def pull_request(self) -> PullRequest:
        return PullRequest(
            number=self.number,
            url=self.html_url,
            state=self.state,
            head_ref=self.head.ref,
            head_sha=self.head.sha,
            head_repo=self.head.repo.full_name if self.head.repo else None,
            base_ref=self.base.ref,
        )


class PullPage(RootModel[list[Pull]]):
    pass


class Installation(BaseModel):
    id: int
    permissions: dict[str, str] = {}


class App(BaseModel):
    id: int
    slug: str
    name: str = ""
    permissions: dict[str, str] = {}
    events: list[str] = []
    installations_count: int | None = None


class Hook(BaseModel):
    url: str = ""
    content_type: str = ""
    insecure_ssl: str | int = "0"
