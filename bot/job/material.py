"""What of its thread a job shows the model: what a reader saw when the command was given, by people who may command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.core.command import parse_command
from bot.core.material import clean_material, hides
from bot.core.permalinks import find_permalinks, render_lines
from bot.core.repo_settings import may_show
from bot.core.types import Job, Remark, Task
from bot.errors import AskerError
from bot.job.house import House
from bot.job.images import Album
from bot.ports import Comment, GitHub

MAX_COMMENTS_CHARS = 20_000
"""Of the comments before the command, newest kept."""
MAX_LINKED_BYTES = 1_000_000
_MAINTAINERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""Whose comments the model is shown. https://docs.github.com/en/graphql/reference/enums#commentauthorassociation"""


def read_task(house: House, job: Job, album: Album) -> Task:
    """The job's task with its thread; `left_out` says what of that the model is not shown.

    Title and body are those that GitHub delivered with the command: what was written into them later does not count.
    """
    target = job.target
    if target.issue_number is None:
        return Task(target.repo, job.command.prompt)
    github = house.connect(target.repo, target.installation_id)
    if job.thread is None:
        thread = github.thread(target.issue_number)
        title, body = thread.title, thread.body
    else:
        title, body = job.thread
    earlier = [comment for comment in github.comments(target.issue_number) if _is_material(comment, job)]
    theirs = [comment for comment in earlier if comment.author_association in _MAINTAINERS]
    kept = [comment for comment in theirs if not _was_changed(comment, job)]
    words = [f"{comment.author} wrote:\n{clean_material(comment.body)}" for comment in kept]
    newest = _newest(words, MAX_COMMENTS_CHARS)
    shown = kept[len(kept) - len(newest) :]
    hidden = sum(map(hides, (title, body, *(comment.body for comment in shown))))
    counts = (
        (len(earlier) - len(theirs), "by people without a say in this repository"),
        (len(theirs) - len(kept), "changed since the command was given"),
        (len(kept) - len(newest), "too old to fit"),
    )
    left_out = tuple(f"Comments {why} that were not shown: {count}." for count, why in counts if count)
    if hidden:
        left_out += (f"Texts from which hidden parts were taken: {hidden}.",)
    images, unseen = album.collect((job.command.prompt, body, *(each.body for each in shown)))
    left_out += unseen
    title, body = clean_material(title), clean_material(body)
    remarks, kept_back = _remarks(house, job)
    task = Task(target.repo, job.command.prompt, title, body, newest, remarks, left_out=(*left_out, *kept_back))
    failures = job.check.failures if job.check else ()
    return replace(task, linked=tuple(_linked(house, github, task)), failures=failures, images=images)


def _remarks(house: House, job: Job) -> tuple[tuple[Remark, ...], tuple[str, ...]]:
    """The job's remarks, without lines of files that the model may not be shown, and a sentence that says so."""
    hidden = [remark for remark in job.remarks if not may_show(house.rules.repo, remark.path)]
    remarks = tuple(replace(remark, hunk="") if remark in hidden else remark for remark in job.remarks)
    words = f"Lines commented on that the repository's settings keep from the model: {len(hidden)}."
    return remarks, (words,) if hidden else ()


def _linked(house: House, github: GitHub, task: Task) -> Iterator[str]:
    """The lines that the thread links to, as they were at that commit. A link that leads nowhere is only a link."""
    said = (task.prompt, task.body, *task.comments)
    for link in find_permalinks(said, house.rules.server_url, task.repo):
        if not may_show(house.rules.repo, link.path):
            continue
        try:
            content = github.file(link.path, max_bytes=MAX_LINKED_BYTES, ref=link.sha)
        except AskerError:
            continue
        if content and (shown := render_lines(link, content)):
            yield shown


def _is_material(comment: Comment, job: Job) -> bool:
    """Whether a person wrote it before the command, and it is none itself."""
    if comment.author_is_bot or comment.id == job.target.comment_id or parse_command(comment.body) is not None:
        return False
    if job.given_at:
        return comment.created_at <= job.given_at
    return job.target.comment_id is None or comment.id < job.target.comment_id


def _was_changed(comment: Comment, job: Job) -> bool:
    return bool(job.given_at) and comment.updated_at > job.given_at


def _newest(comments: Sequence[str], limit_chars: int) -> tuple[str, ...]:
    kept: list[str] = []
    for comment in reversed(comments):
        limit_chars -= len(comment)
        if limit_chars < 0:
            break
        kept.insert(0, comment)
    return tuple(kept)
