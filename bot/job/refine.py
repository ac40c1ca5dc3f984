"""Where a request belongs, and what it goes on from: the change that was made in its thread before, if any."""

from __future__ import annotations

from dataclasses import replace

from bot.core.report import Report
from bot.core.types import Job, Outsider
from bot.errors import BadRequest
from bot.job.earlier import has_diff, latest, lineage, opener, pull_number
from bot.job.house import House
from bot.job.outsiders import of_pull
from bot.job.place import Place, head_place
from bot.ports import GitHub, PullRequest


def find_place(house: House, job: Job, again: Report | None) -> Place:
    """The job's place. `again` is the request that it repeats: it starts from where that one started."""
    target = job.target
    github = house.github(target)
    pull = github.pull(target.issue_number) if target.is_pull and target.issue_number is not None else None
    opened = opener(house, target, pull) if pull else None
    before = _before(house, job, again, opened)
    own = own_pull(house, github, before) if before else None
    if own and before and own.state == "open":
        place = head_place(own, job, continues=before.job.id, is_own=True)
    elif pull:
        place = head_place(
            pull, job, continues=before.job.id if before and not own else None, is_own=opened is not None
        )
    elif own or before is None:
        place = branch_place(github, job, base_of(house, job))
    else:
        place = branch_place(github, job, before.base_ref, continues=before.job.id)
    return replace(place, rests_on=_inherited(house, job, before, own)) if before and place.continues else place


def _inherited(house: House, job: Job, before: Report, own: PullRequest | None) -> tuple[Outsider, ...]:
    """The outsiders whose words went into the change that the job goes on from."""
    if own is None:
        return before.rests_on
    there = replace(job, target=replace(job.target, issue_number=own.number, is_pull=True))
    return of_pull(house, there, before)


def base_of(house: House, job: Job) -> str | None:
    """The branch to start from; None for the default one. Direct calls name theirs, or have the default one."""
    in_thread = job.target.issue_number is not None
    return job.command.base or (house.rules.repo.base if in_thread else None)


def branch_place(github: GitHub, job: Job, base: str | None, *, continues: str | None = None) -> Place:
    """On a branch of the repository, the default one where none is named."""
    ref, sha = github.resolve(base)
    if ref == sha and job.target.issue_number is not None:
        raise BadRequest("`--base` takes a branch, not a commit.", next_step="Name the branch to start from.")
    return Place(ref, sha, "none" if job.target.issue_number is None else "new", job, continues)


def own_pull(house: House, github: GitHub, report: Report) -> PullRequest | None:
    """The pull request that TinyGen opened with this change or one that it went on from."""
    number = pull_number(lineage(house, report))
    return None if number is None else github.pull(number)


def _before(house: House, job: Job, again: Report | None, opened: Report | None) -> Report | None:
    """What the request goes on from. One with `--new`, with another branch, or without words of its own starts anew."""
    if again is not None:
        return house.reports.load(again.continues) if again.continues else None
    command = job.command
    if command.fresh or not command.prompt or job.source == "run":
        return None
    before = latest(house, job, has_diff) or opened
    return before if before and command.base in (None, before.base_ref) else None
