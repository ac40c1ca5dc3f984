"""Which comments of a thread the model is shown: those that were written before the command, by
people who may have a diff made, and of a review only those in threads that are not resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bot.errors import AskerError, OutsideError
from bot.jobs.policy import JobContext, may_do
from bot.ports import GitHub
from bot.thread.commands import parse_command
from bot.thread.markdown import has_hidden_text, visible_text
from bot.types import Job
from bot.types.github import Comment, LineComment

MAX_COMMENTS_CHARS = 20_000
"""How much of the comments before the command is shown, the newest first."""
MAX_AUTHORS = 20
"""For how many authors GitHub is asked for the permission, those who wrote last first."""

AnyComment = Comment | LineComment

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ThreadComments:
    """The comments that the model is shown."""

    words: tuple[str, ...]
    """The texts as the model is shown them."""
    bodies: tuple[str, ...]
    """The same comments as their `authors` wrote them."""
    authors: tuple[str, ...]
    left_out: tuple[str, ...]
    """How many are not shown, and why, in sentences."""

    def with_hidden_text(self) -> int:
        """How many of them hold text that a reader of the page does not see."""
        return sum(map(has_hidden_text, self.bodies))


def read_comments(context: JobContext, job: Job, github: GitHub, number: int) -> ThreadComments:
    on_lines, resolved = _line_comments(github, job, number)
    written: list[AnyComment] = [*github.comments(number), *on_lines]
    before_command = [each for each in written if _is_material(each, job)]
    in_open_threads = [each for each in before_command if each not in resolved]
    in_open_threads.sort(key=lambda each: each.created_at)
    allowed = _allowed_authors(context, github, in_open_threads)
    by_allowed = [each for each in in_open_threads if each.author in allowed]
    unchanged = [each for each in by_allowed if not _was_changed(each, job)]
    words = _newest([_words(each) for each in unchanged], MAX_COMMENTS_CHARS)
    shown = unchanged[len(unchanged) - len(words) :]
    counts = {
        "in review threads that are resolved": len(before_command) - len(in_open_threads),
        "by people without a say in this repository": len(in_open_threads) - len(by_allowed),
        "changed since the command was given": len(by_allowed) - len(unchanged),
        "too old to fit": len(unchanged) - len(shown),
    }
    left_out = tuple(
        f"Comments {why} that were not shown: {count}." for why, count in counts.items() if count
    )
    bodies = tuple(each.body for each in shown)
    return ThreadComments(words, bodies, tuple(each.author for each in shown), left_out)


def last_authors(github: GitHub, job: Job, number: int) -> tuple[str, ...]:
    """The logins of those who wrote in the job's thread before its command, those who wrote last
    first."""
    written: list[AnyComment] = list(github.comments(number))
    if job.target.is_pull:
        on_lines = github.line_comments(number)
        if job.target.reply_to is not None:
            on_lines = tuple(each for each in on_lines if each.thread_id == job.target.reply_to)
        written += on_lines
    before_command = [each for each in written if _is_material(each, job)]
    return _newest_authors(sorted(before_command, key=lambda each: each.created_at))


def _newest_authors(comments: Sequence[AnyComment]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.author for each in reversed(comments)))[:MAX_AUTHORS]


def _line_comments(
    github: GitHub, job: Job, number: int
) -> tuple[list[LineComment], list[LineComment]]:
    """The comments on lines that the command is about, and those of them whose thread is resolved.
    A command on a line is about its own thread, any other about all."""
    if not job.target.is_pull:
        return [], []
    comments = list(github.line_comments(number))
    if job.target.reply_to is not None:
        return [each for each in comments if each.thread_id == job.target.reply_to], []
    if not any(_is_material(each, job) for each in comments):
        return comments, []
    try:
        resolved = github.resolved_threads(number)
    except (AskerError, OutsideError) as error:  # the model then sees more than it needs
        _log.warning("resolved review threads are not known", error=error.message)
        return comments, []
    return comments, [each for each in comments if each.thread_id in resolved]


def _allowed_authors(
    context: JobContext, github: GitHub, comments: Sequence[AnyComment]
) -> frozenset[str]:
    """The authors who may have a diff made. GitHub's `author_association` is not enough: it
    calls anybody who can read a member or collaborator, and some members none."""
    authors = context.policy.authors
    if authors is not None:
        levels = dict(authors.levels)
    else:
        levels = {login: github.permission(login) for login in _newest_authors(comments)}
    return frozenset(login for login, level in levels.items() if "diff" in may_do(context, level))


def _words(comment: AnyComment) -> str:
    if isinstance(comment, Comment):
        return f"{comment.author} wrote:\n{visible_text(comment.body)}"
    path = " ".join(comment.path.split())
    place = f"lines of {path} that have changed since"
    if comment.line:
        place = f"line {comment.line} of {path}"
    return f"{comment.author} wrote on {place}:\n{visible_text(comment.body)}"


def _is_material(comment: AnyComment, job: Job) -> bool:
    """Whether a person wrote the comment before the job's command, and it is no command itself."""
    if comment.author_is_bot or comment.id == job.target.comment_id:
        return False
    if parse_command(comment.body) is not None:
        return False
    if job.given_at:
        return comment.created_at <= job.given_at
    return job.target.comment_id is None or comment.id < job.target.comment_id


def _was_changed(comment: AnyComment, job: Job) -> bool:
    """Whether the comment was edited after the command was given."""
    return bool(job.given_at) and comment.updated_at > job.given_at


def _newest(comments: Sequence[str], limit_chars: int) -> tuple[str, ...]:
    """The newest comments that fit within the limit together, in their order."""
    kept: list[str] = []
    for comment in reversed(comments):
        limit_chars -= len(comment)
        if limit_chars < 0:
            break
        kept.insert(0, comment)
    return tuple(kept)
