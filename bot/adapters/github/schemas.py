"""The parts of GitHub's JSON that TinyGen reads, and no others: a field that GitHub adds or drops
elsewhere breaks nothing.

Each number and text has a limit, far above what GitHub sends, so that it fits the database, a
comment and a prompt. Text that people write is cut at its limit. A name cannot be cut, so one that
is too long makes the whole answer invalid.

https://docs.github.com/en/rest
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Base64Bytes, BaseModel, Field, RootModel

from bot.types import PERMISSIONS, Permission
from bot.types.github import GHOST, Comment, LineComment, PullRequest, Thread

PAGE_ITEMS = 100
"""The number of items that a page is asked for, and the most that it may hold."""

_MAX_COMMENT_CHARS = 20_000
"""An issue may have 2,500 comments, all of them in memory at once."""
_MAX_HUNK_CHARS = 8_000

Id = Annotated[int, Field(ge=0, le=2**63 - 1)]
Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""Of an issue or a line: GitHub's own type for them."""
Name = Annotated[str, Field(max_length=200)]
Ref = Annotated[str, Field(max_length=1_000)]
Sha = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{40}$")]
Url = Annotated[str, Field(max_length=2_000)]
Title = Annotated[str, AfterValidator(lambda text: text[:1_000])]
Body = Annotated[str, AfterValidator(lambda text: text[:300_000])]
PermissionLevels = Annotated[dict[Name, Name], Field(max_length=500)]
"""By the permission's name."""


class User(BaseModel):
    login: Name
    type: Name = "User"


class ReviewAuthor(User):
    id: Id | None = None


_DELETED = ReviewAuthor(login=GHOST)
"""GitHub shows this user in place of a deleted account; in its JSON the user is null."""


class AppRef(BaseModel):
    id: Id


class Issue(BaseModel):
    number: Number
    title: Title
    body: Body | None = None
    user: User | None = None
    state: Literal["open", "closed"]

    def thread(self) -> Thread:
        return Thread(self.title, self.body or "", (self.user or _DELETED).login)


class IssueComment(BaseModel):
    id: Id
    body: Body | None = None
    user: User | None = None
    created_at: Name
    updated_at: Name
    performed_via_github_app: AppRef | None = None

    def comment(self, *, by_this_app: bool) -> Comment:
        """Long bodies are cut, but not those of this App."""
        author = self.user or _DELETED
        body = self.body or ""
        return Comment(
            id=self.id,
            body=body if by_this_app else body[:_MAX_COMMENT_CHARS],
            author=author.login,
            author_is_bot=author.type == "Bot",
            by_this_app=by_this_app,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class CommentPage(RootModel[Annotated[list[IssueComment], Field(max_length=PAGE_ITEMS)]]):
    pass


class ReviewComment(BaseModel):
    """https://docs.github.com/en/rest/pulls/comments"""

    id: Id
    pull_request_review_id: Id | None = None
    body: Body = ""
    user: ReviewAuthor | None = None
    created_at: Name
    updated_at: Name
    in_reply_to_id: Id | None = None
    path: Annotated[str, Field(max_length=4_096)]
    diff_hunk: str = ""
    line: Number | None = None
    start_line: Number | None = None
    side: Name = "RIGHT"
    commit_id: Sha | Literal[""] = ""

    def line_comment(self) -> LineComment:
        author = self.user or _DELETED
        return LineComment(
            id=self.id,
            thread_id=self.in_reply_to_id or self.id,
            review_id=self.pull_request_review_id,
            body=self.body[:_MAX_COMMENT_CHARS],
            author=author.login,
            author_id=author.id,
            author_is_bot=author.type == "Bot",
            created_at=self.created_at,
            updated_at=self.updated_at,
            path=self.path,
            hunk=self.diff_hunk[-_MAX_HUNK_CHARS:],
            line=self.line,
            start_line=self.start_line,
            side=self.side,
            commit_sha=self.commit_id,
        )


class LineCommentPage(RootModel[Annotated[list[ReviewComment], Field(max_length=PAGE_ITEMS)]]):
    pass


class CreatedComment(BaseModel):
    id: Id


class Collaborator(BaseModel):
    """`role_name` may be an organization's own role; `permission` is then the built-in role on
    which it is based."""

    permission: Name
    role_name: Name = ""

    def level(self) -> Permission:
        for name in (self.role_name, self.permission):
            for known in PERMISSIONS:
                if known == name:
                    return known
        return "none"


class RepositoryInfo(BaseModel):
    id: Id
    default_branch: Ref


class Comparison(BaseModel):
    """https://docs.github.com/en/rest/commits/commits#compare-two-commits"""

    status: str


class ContentFile(BaseModel):
    """`content` is empty if the file is larger than 1 MB."""

    type: Name
    size: Id
    content: Base64Bytes = b""


class Contents(RootModel[ContentFile | list[object]]):
    """A file, or the list of a directory."""


class GitObject(BaseModel):
    sha: Sha


class GitRef(BaseModel):
    object: GitObject


class BlobContent(BaseModel):
    content: Base64Bytes


class TreeEntry(BaseModel):
    path: str
    mode: Name
    sha: Sha
    size: Id | None = None


class Tree(BaseModel):
    tree: list[TreeEntry]


class Branch(BaseModel):
    protected: bool = False


class Commit(BaseModel):
    sha: Sha
    tree: GitObject
    parents: list[GitObject]


class _Repository(BaseModel):
    full_name: Name


class _PullRequestBranch(BaseModel):
    ref: Ref
    sha: Sha
    repo: _Repository | None = None


class PullRequestData(BaseModel):
    number: Number
    html_url: Url
    state: Literal["open", "closed"]
    head: _PullRequestBranch
    base: _PullRequestBranch

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


class PullRequestPage(RootModel[Annotated[list[PullRequestData], Field(max_length=PAGE_ITEMS)]]):
    pass


class Installation(BaseModel):
    id: Id
    html_url: Url = ""
    permissions: PermissionLevels = {}
    suspended_at: Name | None = None


class InstallationPage(RootModel[Annotated[list[Installation], Field(max_length=PAGE_ITEMS)]]):
    pass


class RepositoryCount(BaseModel):
    total_count: Id


class App(BaseModel):
    id: Id
    slug: Name
    name: Name = ""
    html_url: Url = ""
    permissions: PermissionLevels = {}
    events: Annotated[list[Name], Field(max_length=500)] = []
    installations_count: Id | None = None


class HookConfig(BaseModel):
    url: Url = ""
    content_type: Name = ""
    insecure_ssl: Name | Id = "0"
