"""The outsiders whose words a job depends on ("rests on"). An outsider is anybody who may not have
a change made here, and every bot except TinyGen itself.

Permissions are looked up once, when the command arrives, and stored with the job: what changes
while the job waits does not count. GitHub's API is asked about each login; what a payload says
about a person is not used. A pull request that TinyGen opened depends on the outsiders of the jobs
that made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.jobs.policy import Authorization, JobContext
from bot.jobs.task.comments import comments_before
from bot.jobs.thread_jobs import latest, latest_in_thread, opener
from bot.ports import GitHub
from bot.thread.comments import newest_authors
from bot.thread.history import is_request
from bot.types import AuthorPermissions, Job, Outsider, Permission, Report
from bot.types.github import GHOST
from bot.types.serialization import Codec, codec_of

MAX_OUTSIDERS = 30
ISSUE = "the issue's title and text"
PULL = "the pull request's title and text"
HEAD = "the branch of the fork"
REQUEST = "the request"
EDITED = "the comment that the command was written into"

_AUTHORS: Codec[AuthorPermissions] = codec_of(AuthorPermissions)


def with_author_permissions(
    context: JobContext, job: Job, authorization: Authorization
) -> Authorization:
    """The authorization, with the present permissions of the people whose words the job is given.
    `context` has the job's policy."""
    is_work = job.command.verb in ("solve", "ask", "retry")
    if not is_work or job.source == "run" or job.target.issue_number is None:
        return authorization
    authors = context.engine.step(
        "whose words",
        lambda: author_permissions(context, job, authorization.permission),
        _AUTHORS,
    )
    return replace(authorization, authors=authors)


def author_permissions(
    context: JobContext, job: Job, askers: Permission | None = None
) -> AuthorPermissions:
    """The permissions of everybody whose words the job is given, and who of them is an outsider.
    `askers` is the asker's permission, if it is known already."""
    target, number = job.target, job.target.issue_number or 0
    github = context.github(target)
    pull = github.pull(number) if target.is_pull else None
    opened = opener(context, target, pull) if pull else None
    author = None if opened else job.opened_by or github.thread(number).author
    owner = pull.fork_owner(target.repo) if pull else None
    repeated = latest(context, job, is_request) if job.command.verb == "retry" else None
    logins = (
        job.actor,
        job.edited_of,
        author,
        owner,
        repeated.job.actor if repeated else None,
        *newest_authors(comments_before(github, job, number)),
    )
    known = {job.actor: askers} if job.actor and askers else {}
    levels = {
        login: known.get(login) or _permission(github, login)
        for login in dict.fromkeys(logins)
        if login
    }
    written = [Outsider(job.actor, REQUEST)]
    if job.edited_of is not None:
        written.append(Outsider(job.edited_of, EDITED))
    if opened is None:
        written.append(Outsider(author, PULL if pull else ISSUE))
    if pull and not pull.is_within(target.repo):
        written.append(Outsider(owner, HEAD))
    policy = replace(context.policy, authors=AuthorPermissions(levels))
    rests_on = tuple(each for each in written if policy.is_outsider(each.login))
    if opened:
        rests_on = merged(outsiders_of_pull(context, job, opened), rests_on)
    return AuthorPermissions(levels, rests_on)


def merged(*groups: tuple[Outsider, ...]) -> tuple[Outsider, ...]:
    return tuple(dict.fromkeys(each for group in groups for each in group))[:MAX_OUTSIDERS]


def outsiders_of_pull(context: JobContext, job: Job, opened: Report) -> tuple[Outsider, ...]:
    """The outsiders that a pull request of TinyGen's depends on: those of the job that opened it,
    and of the jobs that pushed further commits to it. `job` is any job in its thread."""
    return merged(opened.rests_on, *_of_commits(context, job), *_of_commits(context, opened.job))


def _of_commits(context: JobContext, job: Job) -> Iterator[tuple[Outsider, ...]]:
    return (report.rests_on for report in latest_in_thread(context, job) if report.commit_url)


def _permission(github: GitHub, login: str) -> Permission:
    return "none" if login == GHOST or login.endswith("[bot]") else github.permission(login)
