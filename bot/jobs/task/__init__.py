"""Reads what the model is given besides the repository: the job's task, and the thread that it was
given in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import structlog

from bot.errors import AskerError, OutsideError
from bot.jobs.policy import JobContext
from bot.jobs.task.comments import read_comments
from bot.jobs.task.images import ImageLoader
from bot.jobs.task.outsiders import author_permissions, merged
from bot.ports import GitHub
from bot.thread.links import Permalink, find_permalinks, render_lines
from bot.thread.markdown import has_hidden_text, visible_text
from bot.thread.settings import may_show
from bot.types import Job, Outsider, ReviewComment, Task

MAX_LINKED_BYTES = 1_000_000
COMMENTS = "comments"

_log = structlog.get_logger()


def read_task(context: JobContext, job: Job, images: ImageLoader) -> Task:
    """The job's task with its thread.

    Title and body are those that GitHub delivered with the command: what was written into them
    later does not count. `Task.rests_on` names the outsiders whose words the task holds; their
    images are not shown.
    """
    target = job.target
    if target.issue_number is None:
        return Task(target.repo, job.command.prompt)
    github = context.github(target)
    if context.policy.authors is None and job.command.verb == "solve":
        # An older version accepted the job, without looking up the permissions of the authors.
        policy = replace(context.policy, authors=author_permissions(context, job))
        context = replace(context, policy=policy)
    if job.thread is None:
        thread = github.thread(target.issue_number)
        title, body = thread.title, thread.body
        author: str | None = thread.author
    else:
        (title, body), author = job.thread, job.opened_by
    comments = read_comments(context, job, github, target.issue_number)
    written = ((author, body), *zip(comments.authors, comments.bodies, strict=True))
    by_insiders = [words for login, words in written if not context.policy.is_outsider(login)]
    by_outsiders = [words for login, words in written if context.policy.is_outsider(login)]
    by_insiders.insert(0, job.command.prompt)
    shown, unseen = images.collect(by_insiders, by_outsiders)
    review_comments, kept_back = _review_comments(context, job)
    hidden = has_hidden_text(title) + has_hidden_text(body) + comments.with_hidden_text()
    taken_out = (f"Texts from which hidden parts were taken: {hidden}.",) if hidden else ()
    task = Task(
        target.repo,
        job.command.prompt,
        visible_text(title),
        visible_text(body),
        comments.words,
        review_comments,
        failures=job.check.failures if job.check else (),
        images=shown,
        left_out=(*comments.left_out, *taken_out, *unseen, *kept_back),
        number=target.issue_number,
    )
    linked = dict(_linked_lines(context, github, task))
    followed = find_permalinks(by_insiders, context.policy.server_url, target.repo)
    commits = dict.fromkeys(link.sha for link in followed if link in linked)
    authors = context.policy.authors
    rests_on = merged(
        authors.rests_on if authors else (),
        tuple(
            Outsider(login, COMMENTS)
            for login in comments.authors
            if context.policy.is_outsider(login)
        ),
        tuple(_unknown_commits(github, job, commits)),
    )
    return replace(task, linked=tuple(linked.values()), rests_on=rests_on)


def _review_comments(
    context: JobContext, job: Job
) -> tuple[tuple[ReviewComment, ...], tuple[str, ...]]:
    """The job's review comments, without the lines of files that the model may not be shown; and a
    sentence that says how many were left out."""
    settings = context.policy.settings
    comments = tuple(
        each if may_show(settings, each.path) else replace(each, hunk="") for each in job.remarks
    )
    hidden = sum(not may_show(settings, each.path) for each in job.remarks)
    words = f"Lines commented on that the repository's settings keep from the model: {hidden}."
    return comments, (words,) if hidden else ()


def _linked_lines(
    context: JobContext, github: GitHub, task: Task
) -> Iterator[tuple[Permalink, str]]:
    """The lines that the thread links to, as they were at that commit. A link to nothing is
    left out."""
    texts = (task.prompt, task.body, *task.comments)
    for link in find_permalinks(texts, context.policy.server_url, task.repo):
        if not may_show(context.policy.settings, link.path):
            continue
        try:
            content = github.file(link.path, max_bytes=MAX_LINKED_BYTES, ref=link.sha)
        except AskerError:
            continue
        lines = render_lines(link, content) if content else ""
        if lines:
            yield link, lines


def _unknown_commits(github: GitHub, job: Job, shas: Iterable[str]) -> Iterator[Outsider]:
    """One unknown outsider for each commit that is in no trusted branch. GitHub shows a fork's
    commits under this repository's name too, so anybody may have written their lines."""
    for sha in shas:
        if not _is_own_commit(github, job, sha):
            words = f"the lines linked at `{sha[:12]}`, which the default branch does not hold"
            yield Outsider(None, words)


def _is_own_commit(github: GitHub, job: Job, sha: str) -> bool:
    """Whether the commit is in the default branch or, on a pull request of this repository, in its
    own branch. False if GitHub cannot be asked."""
    try:
        if github.in_history(sha):
            return True
        if not job.target.is_pull:
            return False
        pull = github.pull(job.target.issue_number or 0)
        return pull.is_within(job.target.repo) and github.in_history(sha, pull.head_ref)
    except (AskerError, OutsideError) as error:
        _log.warning("whose commit a link leads to is not known", error=error.message)
        return False
