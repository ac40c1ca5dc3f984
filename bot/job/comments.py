"""Which comments of a thread the model is shown: those that were there when the command was given, by people who may
command, and of a review only what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bot.core.command import parse_command
from bot.core.material import clean_material, hides
from bot.core.types import Job
from bot.errors import AskerError, OutsideError
from bot.job.house import House
from bot.job.terms import may_do
from bot.ports import Comment, GitHub, LineComment

MAX_COMMENTS_CHARS = 20_000
"""Of the comments before the command, newest kept."""
MAX_AUTHORS = 20
"""Whose permission is asked of GitHub, those who wrote last first."""

Written = Comment | LineComment

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Heard:
    """`words` are the comments as the model is shown them, `bodies` as their `authors` wrote them."""

    words: tuple[str, ...]
    bodies: tuple[str, ...]
    authors: tuple[str, ...]
    left_out: tuple[str, ...]

    def hidden(self) -> int:
        """In how many of them something is hidden from a reader of the page."""
        return sum(map(hides, self.bodies))


def hear(house: House, job: Job, github: GitHub, number: int) -> Heard:
    """The comments of the job's thread."""
    on_lines, resolved = _on_lines(github, job, number)
    written: tuple[Written, ...] = (*github.comments(number), *on_lines)
    said = [each for each in written if _is_material(each, job)]
    earlier = sorted((each for each in said if each not in resolved), key=lambda each: each.created_at)
    allowed = _allowed(house, github, earlier)
    theirs = [each for each in earlier if each.author in allowed]
    kept = [each for each in theirs if not _was_changed(each, job)]
    words = _newest([_words(each) for each in kept], MAX_COMMENTS_CHARS)
    counts = (
        (len(said) - len(earlier), "in review threads that are resolved"),
        (len(earlier) - len(theirs), "by people without a say in this repository"),
        (len(theirs) - len(kept), "changed since the command was given"),
        (len(kept) - len(words), "too old to fit"),
    )
    left_out = tuple(f"Comments {why} that were not shown: {count}." for count, why in counts if count)
    heard = kept[len(kept) - len(words) :]
    return Heard(words, tuple(each.body for each in heard), tuple(each.author for each in heard), left_out)


def last_authors(github: GitHub, job: Job, number: int) -> tuple[str, ...]:
    """The logins of those who wrote in the job's thread before its command, those who wrote last first."""
    written: list[Written] = list(github.comments(number))
    if job.target.is_pull:
        written += [each for each in github.line_comments(number) if job.target.reply_to in (None, each.thread_id)]
    said = [each for each in written if _is_material(each, job)]
    return _newest_authors(sorted(said, key=lambda each: each.created_at))


def _newest_authors(comments: Sequence[Written]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.author for each in reversed(comments)))[:MAX_AUTHORS]


def _on_lines(github: GitHub, job: Job, number: int) -> tuple[list[LineComment], list[LineComment]]:
    """The comments on lines that the command is about, and those of them that are settled. A command on a line is about
    its own thread, any other about all."""
    if not job.target.is_pull:
        return [], []
    comments = list(github.line_comments(number))
    if job.target.reply_to is not None:
        return [each for each in comments if each.thread_id == job.target.reply_to], []
    resolved = _resolved(github, number) if any(_is_material(each, job) for each in comments) else frozenset()
    return comments, [each for each in comments if each.thread_id in resolved]


def _resolved(github: GitHub, number: int) -> frozenset[int]:
    """Where GitHub does not tell, nothing counts as settled: the model sees more than it need."""
    try:
        return github.resolved_threads(number)
    except (AskerError, OutsideError) as error:
        _log.warning("resolved review threads are not known", error=error.message)
        return frozenset()


def _allowed(house: House, github: GitHub, comments: Sequence[Written]) -> frozenset[str]:
    """Who of the authors may have a diff made. GitHub was asked when the command came, or is asked now, since
    `author_association` calls whoever can read a member or collaborator, and some members none."""
    judgement = house.rules.judgement
    if judgement is not None:
        return frozenset(login for login, level in judgement.levels.items() if "diff" in may_do(house, level))
    return frozenset(login for login in _newest_authors(comments) if "diff" in may_do(house, github.permission(login)))


def _words(comment: Written) -> str:
    if isinstance(comment, Comment):
        return f"{comment.author} wrote:\n{clean_material(comment.body)}"
    path = " ".join(comment.path.split())
    place = f"line {comment.line} of {path}" if comment.line else f"lines of {path} that have changed since"
    return f"{comment.author} wrote on {place}:\n{clean_material(comment.body)}"


def _is_material(comment: Written, job: Job) -> bool:
    """Whether a person wrote it before the command, and it is none itself."""
    if comment.author_is_bot or comment.id == job.target.comment_id or parse_command(comment.body) is not None:
        return False
    if job.given_at:
        return comment.created_at <= job.given_at
    return job.target.comment_id is None or comment.id < job.target.comment_id


def _was_changed(comment: Written, job: Job) -> bool:
    return bool(job.given_at) and comment.updated_at > job.given_at


def _newest(comments: Sequence[str], limit_chars: int) -> tuple[str, ...]:
    kept: list[str] = []
    for comment in reversed(comments):
        limit_chars -= len(comment)
        if limit_chars < 0:
            break
        kept.insert(0, comment)
    return tuple(kept)
