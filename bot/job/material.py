"""What a job shows the model besides the repository: its task, and the thread that it was given in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.core.material import clean_material, hides
from bot.core.permalinks import find_permalinks, render_lines
from bot.core.repo_settings import may_show
from bot.core.types import Job, Remark, Task
from bot.errors import AskerError
from bot.job.comments import hear
from bot.job.house import House
from bot.job.images import Album
from bot.ports import GitHub

MAX_LINKED_BYTES = 1_000_000


def read_task(house: House, job: Job, album: Album) -> Task:
    """The job's task with its thread; `left_out` says what of that the model is not shown.

    Title and body are those that GitHub delivered with the command: what was written into them later does not count.
    """
    target = job.target
    if target.issue_number is None:
        return Task(target.repo, job.command.prompt)
    github = house.github(target)
    if job.thread is None:
        thread = github.thread(target.issue_number)
        title, body = thread.title, thread.body
    else:
        title, body = job.thread
    heard = hear(house, job, github, target.issue_number)
    hidden = sum(map(hides, (title, body))) + heard.hidden()
    images, unseen = album.collect((job.command.prompt, body, *heard.bodies))
    remarks, kept_back = _remarks(house, job)
    taken = (f"Texts from which hidden parts were taken: {hidden}.",) if hidden else ()
    title, body = clean_material(title), clean_material(body)
    left_out = (*heard.left_out, *taken, *unseen, *kept_back)
    task = Task(target.repo, job.command.prompt, title, body, heard.words, remarks, left_out=left_out)
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
