"""Reads the comments of a job's thread."""

from __future__ import annotations

import structlog

from bot.errors import AskerError, OutsideError
from bot.jobs.policy import JobContext
from bot.ports import GitHub
from bot.thread.comments import (
    AnyComment,
    ThreadComments,
    choose_comments,
    in_open_threads,
    newest_authors,
    written_before,
)
from bot.types import Job
from bot.types.github import LineComment

_log = structlog.get_logger()


def read_comments(context: JobContext, job: Job, github: GitHub, number: int) -> ThreadComments:
    """The comments of the thread that the model is shown."""
    written = comments_before(github, job, number)
    resolved = _resolved_threads(github, job, number, written)
    known = context.policy.authors
    if known is not None:
        levels = dict(known.levels)
    else:
        authors = newest_authors(in_open_threads(written, resolved))
        levels = {login: github.permission(login) for login in authors}
    # GitHub's `author_association` is not enough: it calls anybody who can read a member or
    # collaborator, and some members none.
    allowed = [login for login, level in levels.items() if "diff" in context.policy.may_do(level)]
    return choose_comments(written, job, resolved=resolved, authors=allowed)


def comments_before(github: GitHub, job: Job, number: int) -> list[AnyComment]:
    """What people wrote in the thread before the job's command; oldest first. For a command on a
    line, of the comments on lines only those of its own thread."""
    comments: list[AnyComment] = list(github.comments(number))
    thread_id = job.target.reply_to
    if job.target.is_pull:
        on_lines = github.line_comments(number)
        comments += [each for each in on_lines if thread_id in (None, each.thread_id)]
    return written_before(comments, job)


def _resolved_threads(
    github: GitHub, job: Job, number: int, written: list[AnyComment]
) -> frozenset[int]:
    """The resolved review threads, which a command on a line does not look at."""
    is_on_line = job.target.reply_to is not None
    if is_on_line or not any(isinstance(each, LineComment) for each in written):
        return frozenset()
    try:
        return frozenset(github.resolved_threads(number))
    except (AskerError, OutsideError) as error:  # the model then sees more than it needs
        _log.warning("resolved review threads are not known", error=error.message)
        return frozenset()
