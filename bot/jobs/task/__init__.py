"""Reads what the model is given besides the repository: the job's task, and the thread that it was
given in."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace

import structlog

from bot.errors import AskerError, OutsideError
from bot.jobs.policy import JobContext
from bot.jobs.task.comments import read_comments
from bot.jobs.task.images import ImageLoader
from bot.jobs.task.outsiders import author_permissions, merged
from bot.jobs.thread_jobs import opener
from bot.ports import GitHub
from bot.thread.links import Permalink, find_permalinks, render_lines
from bot.thread.markdown.own import REPORT, has_marked, without_marked
from bot.thread.markdown.page import Page, join_kinds, read_line, read_page
from bot.thread.settings import may_show
from bot.types import Job, Outsider, ReviewComment, Task

MAX_LINKED_BYTES = 1_000_000
NONCE_BYTES = 4
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
        nonce = secrets.token_hex(NONCE_BYTES)
        return Task(target.repo, job.command.prompt, nonce=nonce)
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
    if target.is_pull and has_marked(REPORT, body):
        # Anybody can write the marks: what they hide must be TinyGen's own words.
        is_own = opener(context, target, github.pull(target.issue_number)) is not None
        body = without_marked(REPORT, body) if is_own else body
    comments = read_comments(context, job, github, target.issue_number)
    asked, heading, text = read_page(job.command.prompt), read_line(title), read_page(body)
    written = ((author, text), *zip(comments.authors, comments.pages, strict=True))
    by_insiders = [page for login, page in written if not context.policy.is_outsider(login)]
    by_outsiders = [page for login, page in written if context.policy.is_outsider(login)]
    by_insiders.insert(0, asked)
    shown, unseen = images.collect(by_insiders, by_outsiders)
    review_comments, kept_back = _review_comments(context, job)
    hidden = _describe_hidden(asked, (heading, text, *comments.pages))
    linked = dict(_linked_lines(context, github, target.repo, (asked, text, *comments.pages)))
    task = Task(
        target.repo,
        job.command.prompt,
        heading.text,
        text.text,
        comments.words,
        review_comments,
        failures=job.check.failures if job.check else (),
        linked=tuple(linked.values()),
        images=shown,
        left_out=(*comments.left_out, *hidden, *unseen, *kept_back),
        number=target.issue_number,
        author=author,
        is_question=job.command.verb == "ask",
        nonce=secrets.token_hex(NONCE_BYTES),
    )
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
    return replace(task, rests_on=rests_on)


def _describe_hidden(asked: Page, pages: Iterable[Page]) -> tuple[str, ...]:
    """What the model is not shown of the thread, and is shown of the request though its page does
    not show it."""
    kinds, own = join_kinds(pages), asked.left_out
    return (
        *((f"What the thread's page does not show either: {', '.join(kinds)}.",) if kinds else ()),
        *((f"The request was shown whole, also {', '.join(own)}.",) if own else ()),
    )


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
    context: JobContext, github: GitHub, repo: str, pages: Iterable[Page]
) -> Iterator[tuple[Permalink, str]]:
    """The lines that the pages link to, as they were at that commit. A link to nothing, and one
    that GitHub does not answer, is left out: anybody can write one."""
    for link in find_permalinks(pages, context.policy.server_url, repo):
        if not may_show(context.policy.settings, link.path):
            continue
        try:
            content = github.file_at(link.sha, link.path, max_bytes=MAX_LINKED_BYTES)
        except (AskerError, OutsideError) as error:
            _log.warning("linked lines could not be read", error=error.message)
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
