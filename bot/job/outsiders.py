"""Whose words a job rests on: an outsider is whoever may not have a change made here, and every bot but TinyGen itself.

It is judged once, when the command comes, and kept with the job's terms: who loses or gains a permission while the job
waits changes nothing. GitHub's API is asked about each login; what a payload says of a person counts for nothing. What
TinyGen itself wrote rests on what its own job rested on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydantic import TypeAdapter

from bot.core.delivery import GHOST
from bot.core.report import Report
from bot.core.types import Job, Outsider, Permission
from bot.job.cancel import asked_in_thread
from bot.job.comments import last_authors
from bot.job.earlier import is_request, latest, opener
from bot.job.house import House, Judgement
from bot.job.terms import Terms, may_do
from bot.ports import GitHub, PullRequest

MAX_OUTSIDERS = 30
ISSUE = "the issue's title and text"
PULL = "the pull request's title and text"
HEAD = "the branch of the fork"
REQUEST = "the request"
EDITED = "the comment that the command was written into"

_judgements = TypeAdapter(Judgement)


def with_judgement(house: House, job: Job, terms: Terms) -> Terms:
    """The job's terms, with what GitHub says now of those whose words it will hear. `house` is under the terms."""
    if job.command.verb not in ("solve", "retry") or job.source == "run" or job.target.issue_number is None:
        return terms
    found = house.engine.step("whose words", lambda: _judgements.dump_python(judge(house, job, terms.has), mode="json"))
    return replace(terms, judgement=_judgements.validate_python(found))


def judge(house: House, job: Job, has: Permission | None = None) -> Judgement:
    """`has` is the asker's permission, where that was asked already."""
    target, number = job.target, job.target.issue_number or 0
    github = house.github(target)
    pull = github.pull(number) if target.is_pull else None
    opened = opener(house, target, pull) if pull else None
    author = None if opened else job.opened_by or github.thread(number).author
    owner = _fork_owner(job, pull) if pull else None
    repeated = latest(house, job, is_request) if job.command.verb == "retry" else None
    logins = (
        *(job.actor, job.edited_of, author, owner, repeated.job.actor if repeated else None),
        *last_authors(github, job, number),
    )
    known = {job.actor: has} if job.actor and has else {}
    levels = {login: known.get(login) or _level(github, login) for login in dict.fromkeys(logins) if login}

    said = [Outsider(job.actor, REQUEST)]
    if job.edited_of is not None:
        said.append(Outsider(job.edited_of, EDITED))
    if opened is None:
        said.append(Outsider(author, PULL if pull else ISSUE))
    if pull and not pull.is_within(target.repo):
        said.append(Outsider(owner, HEAD))
    judged = replace(house, rules=replace(house.rules, judgement=Judgement(levels)))
    found = tuple(each for each in said if is_outsider(judged, each.login))
    return Judgement(levels, merged(of_pull(house, job, opened), found) if opened else found)


def is_outsider(house: House, login: str | None) -> bool:
    """Whether a person may not have a change made, by the job's judgement."""
    return "pr" not in may_do(house, level_of(house, login))


def level_of(house: House, login: str | None) -> Permission:
    judgement = house.rules.judgement
    return judgement.levels.get(login or "", "none") if judgement else "none"


def merged(*groups: tuple[Outsider, ...]) -> tuple[Outsider, ...]:
    return tuple(dict.fromkeys(each for group in groups for each in group))[:MAX_OUTSIDERS]


def of_pull(house: House, job: Job, opened: Report) -> tuple[Outsider, ...]:
    """Those that a pull request of TinyGen's rests on, where `job` is in its thread: by the job that opened it, or went
    on from that, and by those that put more commits onto its branch."""
    return merged(opened.rests_on, *_pushed(house, job), *_pushed(house, opened.job))


def _pushed(house: House, job: Job) -> Iterator[tuple[Outsider, ...]]:
    return (report.rests_on for report in asked_in_thread(house, job) if report.commit_url)


def _level(github: GitHub, login: str) -> Permission:
    return "none" if login == GHOST or login.endswith("[bot]") else github.permission(login)


def _fork_owner(job: Job, pull: PullRequest) -> str | None:
    """None also where the fork is gone."""
    return pull.head_repo.partition("/")[0] if pull.head_repo and not pull.is_within(job.target.repo) else None
