"""Which comments of a thread count: those that the model is shown, and the commands of one submitted
review.

The model is shown the comments that were written before the command, by people who may have a diff
made, and of a review only those in threads that are not resolved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.thread.commands import parse_command
from bot.thread.markdown.page import Page, read_page
from bot.types import Job, ReviewComment
from bot.types.github import Comment, LineComment
from bot.types.names import quoted_path

MAX_COMMENTS_CHARS = 20_000
"""How much of the comments before the command is shown, the newest first."""
MAX_READ_CHARS = 10 * MAX_COMMENTS_CHARS
"""How much of them, as written, is read for that: a page can show nothing of a long text."""
MAX_AUTHORS = 20
"""For how many authors GitHub is asked for the permission, those who wrote last first."""
MAX_REVIEW_COMMENTS = 30

AnyComment = Comment | LineComment


@dataclass(frozen=True, slots=True)
class ThreadComments:
    """The comments that the model is shown."""

    words: tuple[str, ...]
    """The texts as the model is shown them."""
    pages: tuple[Page, ...]
    """The same comments, by `authors`."""
    authors: tuple[str, ...]
    left_out: tuple[str, ...]
    """How many are not shown, and why, in sentences."""


def written_before(comments: Iterable[AnyComment], job: Job) -> list[AnyComment]:
    """What people wrote before the job's command, without commands; oldest first."""
    written = [each for each in comments if _is_material(each, job)]
    return sorted(written, key=lambda each: each.created_at)


def in_open_threads(comments: Iterable[AnyComment], resolved: Collection[int]) -> list[AnyComment]:
    """The comments that are not in one of the `resolved` review threads, given by their ids."""
    return [
        each for each in comments if isinstance(each, Comment) or each.thread_id not in resolved
    ]


def newest_authors(comments: Sequence[AnyComment]) -> tuple[str, ...]:
    """The logins of those who wrote the comments (oldest first), those who wrote last first."""
    return tuple(dict.fromkeys(each.author for each in reversed(comments)))[:MAX_AUTHORS]


def choose_comments(
    written: Sequence[AnyComment],
    job: Job,
    *,
    resolved: Collection[int],
    authors: Collection[str],
) -> ThreadComments:
    """Of the comments `written_before` the command those that the model is shown. `resolved` are
    the ids of resolved review threads, `authors` the logins of those who may have a diff made."""
    unresolved = in_open_threads(written, resolved)
    by_authors = [each for each in unresolved if each.author in authors]
    unchanged = [each for each in by_authors if not _was_changed(each, job)]
    shown, words, pages = _newest(unchanged, MAX_COMMENTS_CHARS)
    counts = {
        "in review threads that are resolved": len(written) - len(unresolved),
        "by people without a say in this repository": len(unresolved) - len(by_authors),
        "changed since the command was given": len(by_authors) - len(unchanged),
        "too old to fit": len(unchanged) - len(shown),
    }
    left_out = tuple(
        f"Comments {why} that were not shown: {count}." for why, count in counts.items() if count
    )
    return ThreadComments(words, pages, tuple(each.author for each in shown), left_out)


def _words(comment: AnyComment, page: Page) -> str:
    if isinstance(comment, Comment):
        return f"{comment.author} wrote:\n{page.text}"
    path = quoted_path(" ".join(comment.path.split()))
    place = f"lines of {path} that have changed since"
    if comment.line:
        place = f"line {comment.line} of {path}"
    return f"{comment.author} wrote on {place}:\n{page.text}"


def _is_material(comment: AnyComment, job: Job) -> bool:
    """Whether a person wrote the comment before the job's command, and it is no command itself."""
    if comment.author_is_bot or comment.id == job.target.comment_id:
        return False
    if parse_command(comment.body) is not None:
        return False
    if job.given_at and comment.created_at != job.given_at:
        return comment.created_at < job.given_at
    # Of what was written in the command's own second, the ids tell the order.
    return job.target.comment_id is None or comment.id < job.target.comment_id


def _was_changed(comment: AnyComment, job: Job) -> bool:
    """Whether the comment may have been edited after the command was given: GitHub's times are
    whole seconds, so an edit in the command's own second counts."""
    is_edited = comment.updated_at != comment.created_at
    return bool(job.given_at) and is_edited and comment.updated_at >= job.given_at


def _newest(
    comments: Sequence[AnyComment], limit_chars: int
) -> tuple[Sequence[AnyComment], tuple[str, ...], tuple[Page, ...]]:
    """The newest comments that fit within the limit together, in their order: as they are, as words
    for the model, and as pages."""
    words: list[str] = []
    pages: list[Page] = []
    unread_chars = MAX_READ_CHARS
    for comment in reversed(comments):
        unread_chars -= len(comment.body)
        if unread_chars < 0:
            break
        page = read_page(comment.body)
        said = _words(comment, page)
        limit_chars -= len(said)
        if limit_chars < 0:
            break
        words.insert(0, said)
        pages.insert(0, page)
    return comments[len(comments) - len(words) :], tuple(words), tuple(pages)


def review_commands(comments: Iterable[LineComment], job: Job) -> tuple[ReviewComment, ...]:
    """The commands of the review that the job's comment is part of, oldest first; the job's own
    comment alone if it is not among the first MAX_REVIEW_COMMENTS."""
    review_id = job.remarks[0].review_id
    found = [
        command
        for each in comments
        if each.review_id == review_id and (command := _review_command(each, job))
    ]
    first = sorted(found, key=lambda each: each.comment_id)[:MAX_REVIEW_COMMENTS]
    is_listed = any(each.comment_id == job.target.comment_id for each in first)
    return tuple(first) if is_listed else job.remarks


def _review_command(comment: LineComment, job: Job) -> ReviewComment | None:
    """The command in a comment; None if it asks for no change, if the comment's author is not the
    job's asker, or if it was edited: somebody else may have done that, and the edit has a delivery
    of its own."""
    is_edited = comment.updated_at != comment.created_at
    if is_edited and comment.id != job.target.comment_id:
        return None
    command = parse_command(comment.body)
    if command is None or command.verb != "solve" or command.problem:
        return None
    if comment.author_id != job.actor_id:
        return None
    return ReviewComment(
        comment.id,
        comment.path,
        comment.hunk,
        comment.line,
        comment.start_line,
        comment.side,
        comment.commit_sha,
        command.prompt,
        comment.review_id,
    )


def with_commands(job: Job, comments: tuple[ReviewComment, ...]) -> Job:
    """The job with all commands of its review, each with its place."""
    if len(comments) < 2:
        return job
    prompts = []
    for comment in comments:
        path = quoted_path(comment.path)
        place = f"{path}:{comment.line}" if comment.line else path
        prompts.append(f"{place}: {comment.words}")
    return replace(job, remarks=comments, command=replace(job.command, prompt="\n\n".join(prompts)))
