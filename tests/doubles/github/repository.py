"""A repository of the double, and what people do in it.

The REST routes call the same methods as tests do, so an App's comment and a person's make the same
events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.doubles.github import payloads, payloads_actions, payloads_pulls
from tests.doubles.github.git import Bare
from tests.doubles.github.state import (
    ROLES,
    App,
    Comment,
    Issue,
    Json,
    Pull,
    Reaction,
    Role,
    User,
    WorkflowRun,
    World,
)


@dataclass(eq=False)
class Repository:
    """`permissions` are roles by login; the owner is always admin. Everyone may read what is not
    private.

    Tests act while the App's requests are answered, so what may grow meanwhile is copied before it
    is gone through.
    """

    world: World
    id: int
    owner: User
    name: str
    git: Bare
    private: bool
    default_branch: str
    created_at: str
    permissions: dict[str, Role] = field(default_factory=dict)
    parent: Repository | None = None
    archived: bool = False
    protected: set[str] = field(default_factory=set)
    """The names of protected branches."""
    has_issues: bool = True
    has_drafts: bool = True
    """False where the account's plan has no draft pull requests."""
    issues: dict[int, Issue] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    signed: set[str] = field(default_factory=set)
    """The commits that GitHub signed: an App's, made without a named author."""
    runs: dict[int, WorkflowRun] = field(default_factory=dict)
    diffs: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    """What was compared before; commits do not change."""

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    def role(self, user: User) -> Role:
        if user is self.owner:
            return "admin"
        given = self.permissions.get(user.login, "none")
        return given if given != "none" or self.private else "read"

    def may(self, user: User, role: Role) -> bool:
        return ROLES.index(self.role(user)) >= ROLES.index(role)

    def thread(self, number: int) -> tuple[Comment, ...]:
        """The comments of an issue or pull request, oldest first, without those on the diff."""
        return tuple(
            c for c in list(self.comments.values()) if c.number == number and c.path is None
        )

    @property
    def pulls(self) -> tuple[Issue, ...]:
        return tuple(issue for issue in list(self.issues.values()) if issue.pull)

    def open_issue(
        self, author: str | User, title: str, body: str | None = "", *, via: App | None = None
    ) -> Issue:
        issue = self._add_issue(author, title, body, via)
        self._tell("issues", "opened", issue.author, issue=payloads.issue(self, issue))
        return issue

    def open_pull(
        self,
        author: str | User,
        title: str,
        *,
        head: str,
        base: str | None = None,
        body: str | None = "",
        draft: bool = False,
        via: App | None = None,
    ) -> Issue:
        """`head` is a branch of this repository, or `login:branch` of a fork."""
        source, branch = self.source(head)
        sha = source.git.branch(branch)
        assert sha is not None, f"{source.full_name} has no branch {branch}"
        issue = self._add_issue(author, title, body, via)
        issue.pull = Pull(source, source.owner, branch, sha, base or self.default_branch, draft)
        self.head(issue)
        self._tell(
            "pull_request",
            "opened",
            issue.author,
            number=issue.number,
            pull_request=payloads_pulls.pull(self, issue),
        )
        return issue

    def source(self, head: str) -> tuple[Repository, str]:
        """The repository and branch that a pull request's `head` names; KeyError where there is no
        such fork."""
        login, _, branch = head.rpartition(":")
        if login.lower() in ("", self.owner.login.lower()):
            return self, branch
        forks = {
            r.owner.login.lower(): r for r in self.world.repositories.values() if r.parent is self
        }
        return forks[login.lower()], branch

    def head(self, issue: Issue) -> str:
        """The pull request's head sha as of now, kept as `refs/pull/<n>/head`, as GitHub keeps
        it."""
        pull = issue.pull
        assert pull is not None
        now = (
            pull.head_repo.git.branch(pull.head_ref)
            if pull.head_repo and issue.state == "open"
            else None
        )
        pull.head_sha = now or pull.head_sha
        kept = f"refs/pull/{issue.number}/head"
        if self.git.sha(kept) != pull.head_sha:
            if pull.head_repo is not self and pull.head_repo is not None:
                self.git.run(
                    "fetch", "--quiet", "--no-tags", str(pull.head_repo.git.path), pull.head_sha
                )
            self.git.set_ref(kept, pull.head_sha)
        return pull.head_sha

    def comment(
        self, number: int, author: str | User, body: str, *, via: App | None = None
    ) -> Comment:
        comment = self._add_comment(number, author, body, via)
        self._tell_comment("created", comment)
        return comment

    def review_comment(
        self,
        number: int,
        author: str | User,
        body: str,
        *,
        path: str,
        line: int,
        start_line: int | None = None,
        in_reply_to: int | None = None,
        is_outdated: bool = False,
    ) -> Comment:
        """A comment on the pull request's diff, at `line` of the new `path`, in a review of its
        own."""
        (comment,) = self.review(number, author, [(path, line, body)])[:1]
        comment.start_line, comment.in_reply_to, comment.is_outdated = (
            start_line,
            in_reply_to,
            is_outdated,
        )
        self._tell_comment("created", comment)
        return comment

    def review(
        self, number: int, author: str | User, remarks: Sequence[tuple[str, int, str]]
    ) -> list[Comment]:
        """The comments (path, line, body) of one review. `submit_review` delivers their events."""
        review = next(self.world.ids)
        comments = []
        for path, line, body in remarks:
            comment = self._add_comment(number, author, body, None)
            comment.path, comment.line, comment.review = path, line, review
            comment.commit_id = self.head(self.issues[number])
            comments.append(comment)
        return comments

    def submit_review(self, comments: Sequence[Comment]) -> None:
        """GitHub delivers an event for each comment, after all of them are stored."""
        for comment in comments:
            self._tell_comment("created", comment)

    def edit_comment(self, comment: Comment, body: str, *, by: User | None = None) -> None:
        before = comment.body
        comment.body, comment.updated_at = body, self.world.now()
        self._tell_comment("edited", comment, sender=by, changes={"body": {"from": before}})

    def delete_comment(self, comment: Comment, *, by: User | None = None) -> None:
        del self.comments[comment.id]
        self._tell_comment("deleted", comment, sender=by)

    def fail_check(
        self,
        branch: str,
        log: str | None,
        *,
        name: str = "CI",
        job: str = "test",
        step: str = "Run make test",
        passed_before: int = 0,
    ) -> WorkflowRun:
        """A run on the branch's head that failed, `passed_before` so many attempts of it passed."""
        sha, ids = self.git.branch(branch), self.world.ids
        assert sha is not None, f"there is no branch {branch}"
        run = WorkflowRun(
            next(ids), next(ids), name, job, step, log, branch, sha, self.world.now(), passed_before
        )
        self.runs[run.id] = run
        part = {
            "workflow_run": payloads_actions.run(self, run),
            "workflow": payloads_actions.workflow(self, run),
        }
        self._tell("workflow_run", "completed", self.owner, **part)
        return run

    def react(self, to: Comment | Issue, user: User, content: str) -> tuple[Reaction, bool]:
        """The reaction, and whether it is new: one person reacts once in each way."""
        for known in to.reactions:
            if known.user is user and known.content == content:
                return known, False
        reaction = Reaction(next(self.world.ids), user, content, self.world.now())
        to.reactions.append(reaction)
        return reaction, True

    def close(self, number: int, *, by: str | User | None = None) -> None:
        issue = self.issues[number]
        if issue.pull:
            self.head(issue)
        issue.state, issue.closed_at = "closed", self.world.now()
        issue.updated_at = issue.closed_at
        sender = self._person(by or self.owner)
        self._tell("issues", "closed", sender, issue=payloads.issue(self, issue))

    def label(self, number: int, name: str, *, by: str | User) -> None:
        issue = self.issues[number]
        issue.labels.append(name)
        self._tell_issue("labeled", issue, by, label=payloads.label(self, name))

    def assign(self, number: int, login: str, *, by: str | User) -> None:
        assignee = payloads.user(self.world, self.world.user(login))
        self._tell_issue("assigned", self.issues[number], by, assignee=assignee)

    def _tell_issue(self, action: str, issue: Issue, by: str | User, **part: object) -> None:
        self._tell("issues", action, self._person(by), issue=payloads.issue(self, issue), **part)

    def rename(self, name: str) -> None:
        """The former name redirects to the repository."""
        self.name = name
        self.world.names[self.full_name.lower()] = self

    def _person(self, who: str | User) -> User:
        return who if isinstance(who, User) else self.world.user(who)

    def _add_issue(
        self, author: str | User, title: str, body: str | None, via: App | None
    ) -> Issue:
        now = self.world.now()
        with self.world.lock:
            number = len(self.issues) + 1
            issue = Issue(
                next(self.world.ids), number, self._person(author), title, body, now, now, via
            )
            self.issues[number] = issue
        return issue

    def _add_comment(self, number: int, author: str | User, body: str, via: App | None) -> Comment:
        now = self.world.now()
        comment = Comment(next(self.world.ids), number, self._person(author), body, now, now, via)
        self.comments[comment.id] = comment
        return comment

    def _tell_comment(
        self,
        action: str,
        comment: Comment,
        *,
        sender: User | None = None,
        changes: Mapping[str, object] | None = None,
    ) -> None:
        issue = self.issues[comment.number]
        part: Json = {} if changes is None else {"changes": changes}
        if comment.path is None:
            part |= {
                "issue": payloads.issue(self, issue),
                "comment": payloads.comment(self, comment),
            }
            self._tell("issue_comment", action, sender or comment.author, **part)
            return
        part["pull_request"] = payloads_pulls.pull_simple(self, issue)
        part["comment"] = payloads_pulls.review_comment(self, comment)
        self._tell("pull_request_review_comment", action, sender or comment.author, **part)

    def _tell(self, event: str, action: str, sender: User, **part: object) -> None:
        self.world.emit(self, sender, event, {"action": action, **part})
