"""`apply`: a diff that was shown in a thread, exactly, as a commit or a pull request; no model is asked.

It is the asker's own newest, or the one that is named: what somebody else was shown a moment before is never taken for
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from bot.core.record import dump_report, load_report
from bot.core.render import code, short_id
from bot.core.report import Report
from bot.core.tree import Patch
from bot.core.types import Job, Task
from bot.errors import BadRequest
from bot.job.deliver import deliver, rebased_note
from bot.job.earlier import asked_here, has_diff
from bot.job.house import House
from bot.job.place import Ground, Place, head_place
from bot.job.refine import branch_place, own_pull
from bot.job.tell import Teller

SKEW = timedelta(seconds=60)
DELIVERED = "This change had been delivered already; nothing new was made."
THERE_ALREADY = "The branch holds this change already; nothing new was made."

_places = TypeAdapter(Place)


def apply(
    house: House, teller: Teller, ground: Ground, read_task: Callable[[], Task], *, again: Report | None = None
) -> None:
    """Ends the job. A base that moved is followed by git's three-way merge; Conflict where that is not clean. `again`:
    the `apply` that is tried again, whose diff it is."""
    found = house.engine.step("find diff", lambda: dump_report(_find(house, teller.report.job, again)))
    shown = load_report(found)
    patch = shown.patch or Patch("", "")
    teller.update(
        mode="pr",
        base_ref=shown.base_ref,
        base_sha=patch.base_sha,
        patch=patch,
        summary=shown.summary,
        continues=shown.job.id,
        rests_on=shown.rests_on,
    )
    if shown.pull_request_url or shown.commit_url:
        urls = {"pull_request_url": shown.pull_request_url, "commit_url": shown.commit_url}
        teller.done(**urls, withheld=shown.withheld, notes=(*teller.report.notes, DELIVERED))
        return
    step = house.engine.step("place", lambda: _places.dump_python(_place(house, teller, ground, shown), mode="json"))
    place = _places.validate_python(step)
    ground.snapshot(place.base_sha)
    rebased = ground.rebased(patch, place.base_sha)
    if not rebased.text:
        teller.done(notes=(*teller.report.notes, THERE_ALREADY))
        return
    if rebased is not patch:
        teller.update(base_sha=place.base_sha, patch=rebased, notes=(*teller.report.notes, rebased_note(place)))
    deliver(house, teller, place, read_task())


def _find(house: House, job: Job, again: Report | None) -> Report:
    """The diff that is meant: it had been shown when the command came."""
    meant = house.reports.load(again.continues) if again and again.continues else None
    if meant is not None:
        return meant
    asked = again.job if again else job
    shown = [each for each in asked_here(house, job) if has_diff(each) and _was_over(each, asked)]
    if wanted := asked.command.prompt:
        found = [each for each in shown if short_id(each.job.id) == wanted]
    else:
        own = [each for each in shown if each.job.asker_key == asked.asker_key]
        made = {each.job.id for each in own if each.job.command.verb != "apply"}
        found = [each for each in own if each.job.id in made or each.continues in made]
    if found:
        return found[0]
    if not shown:
        raise BadRequest("No diff was shown in this thread yet.", next_step="Ask for one: `/tinygen --diff PROMPT`.")
    whose = f"has the name {code(wanted)}" if wanted else "was asked for by you"
    others = [f"`/tinygen apply {short_id(each.job.id)}` (asked for by {code(each.job.actor)})" for each in shown[:3]]
    raise BadRequest(f"None of the diffs in this thread {whose}.", next_step=f"Name one: {', '.join(others)}.")


def _was_over(report: Report, job: Job) -> bool:
    """Whether it had ended when the command was written, and when it came."""
    if not (report.finished_at and job.received_at):
        return True
    until = datetime.fromisoformat(job.received_at)
    if job.given_at:  # by GitHub's clock, which ours may be ahead of
        until = min(until, datetime.fromisoformat(job.given_at) + SKEW)
    return datetime.fromisoformat(report.finished_at) <= until


def _place(house: House, teller: Teller, ground: Ground, shown: Report) -> Place:
    """Where the diff was made for. Its own job names the branch, so that applying it twice makes one."""
    job, github = teller.report.job, ground.github()
    if job.target.is_pull and job.target.issue_number is not None:
        return replace(head_place(github.pull(job.target.issue_number), job), branch_of=shown.job)
    own = own_pull(house, github, shown)
    if own and own.head_ref == shown.base_ref:
        return head_place(own, job, is_own=True)
    return replace(branch_place(github, job, shown.base_ref), branch_of=shown.job)
