"""What a job shows the model besides the repository: its task, and the thread that it was given in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import structlog

from bot.core.material import clean_material, hides
from bot.core.permalinks import Permalink, find_permalinks, render_lines
from bot.core.repo_settings import may_show
from bot.core.types import Job, Outsider, Remark, Task
from bot.errors import AskerError, OutsideError
from bot.job.comments import hear
from bot.job.house import House
from bot.job.images import Album
from bot.job.outsiders import is_outsider, judge, merged
from bot.ports import GitHub

MAX_LINKED_BYTES = 1_000_000
COMMENTS = "comments"

_log = structlog.get_logger()


def read_task(house: House, job: Job, album: Album) -> Task:
    """The job's task with its thread; `left_out` says what of that the model is not shown.

    Title and body are those that GitHub delivered with the command: what was written into them later does not count.
    `rests_on` says whose words it holds who may not have a change made; no image of theirs is shown.
    """
    target = job.target
    if target.issue_number is None:
        return Task(target.repo, job.command.prompt)
    github = house.github(target)
    if house.rules.judgement is None and job.command.verb == "solve":  # a version that judged nobody accepted it
        house = replace(house, rules=replace(house.rules, judgement=judge(house, job)))
    if job.thread is None:
        thread = github.thread(target.issue_number)
        title, body = thread.title, thread.body
        author: str | None = thread.author
    else:
        (title, body), author = job.thread, job.opened_by
    heard = hear(house, job, github, target.issue_number)
    hidden = sum(map(hides, (title, body))) + heard.hidden()
    said = ((author, body), *zip(heard.authors, heard.bodies, strict=True))
    ours = (job.command.prompt, *(words for login, words in said if not is_outsider(house, login)))
    theirs = tuple(words for login, words in said if is_outsider(house, login))
    images, unseen = album.collect(ours, theirs)
    remarks, kept_back = _remarks(house, job)
    taken = (f"Texts from which hidden parts were taken: {hidden}.",) if hidden else ()
    title, body = clean_material(title), clean_material(body)
    left_out = (*heard.left_out, *taken, *unseen, *kept_back)
    task = Task(target.repo, job.command.prompt, title, body, heard.words, remarks, left_out=left_out)
    linked = dict(_linked(house, github, task))
    followed = [link for link in find_permalinks(ours, house.rules.server_url, target.repo) if link in linked]
    rests_on = merged(
        house.rules.judgement.rests_on if house.rules.judgement else (),
        tuple(Outsider(login, COMMENTS) for login in heard.authors if is_outsider(house, login)),
        tuple(_foreign(github, job, followed)),
    )
    failures = job.check.failures if job.check else ()
    return replace(task, linked=tuple(linked.values()), failures=failures, images=images, rests_on=rests_on)


def _remarks(house: House, job: Job) -> tuple[tuple[Remark, ...], tuple[str, ...]]:
    """The job's remarks, without lines of files that the model may not be shown, and a sentence that says so."""
    hidden = [remark for remark in job.remarks if not may_show(house.rules.repo, remark.path)]
    remarks = tuple(replace(remark, hunk="") if remark in hidden else remark for remark in job.remarks)
    words = f"Lines commented on that the repository's settings keep from the model: {len(hidden)}."
    return remarks, (words,) if hidden else ()


def _linked(house: House, github: GitHub, task: Task) -> Iterator[tuple[Permalink, str]]:
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
            yield link, shown


def _foreign(github: GitHub, job: Job, links: Iterable[Permalink]) -> Iterator[Outsider]:
    """Nobody knows whose lines those are that are in no branch which counts here: whoever pushes to a fork can have
    them shown under this repository's name."""
    for sha in dict.fromkeys(link.sha for link in links):
        if not _is_ours(github, job, sha):
            yield Outsider(None, f"the lines linked at `{sha[:12]}`, which the default branch does not hold")


def _is_ours(github: GitHub, job: Job, sha: str) -> bool:
    """Whether the commit is in the default branch or, on a pull request of this repository, in its own. False where
    GitHub does not tell."""
    try:
        if github.in_history(sha):
            return True
        pull = github.pull(job.target.issue_number or 0) if job.target.is_pull else None
        return pull is not None and pull.is_within(job.target.repo) and github.in_history(sha, pull.head_ref)
    except (AskerError, OutsideError) as error:
        _log.warning("whose commit a link leads to is not known", error=error.message)
        return False
