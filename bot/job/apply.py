"""`apply`: the diff last shown in a thread, exactly, as a commit or a pull request; no model is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pydantic import TypeAdapter

from bot.core.record import dump_report, load_report
from bot.core.report import Report
from bot.core.tree import Patch
from bot.core.types import Task
from bot.errors import BadRequest
from bot.job.deliver import deliver, rebased_note
from bot.job.earlier import has_diff, latest
from bot.job.engine import Json
from bot.job.house import House
from bot.job.place import Ground, Place, head_place
from bot.job.refine import branch_place, own_pull
from bot.job.tell import Teller

DELIVERED = "This change had been delivered already; nothing new was made."
THERE_ALREADY = "The branch holds this change already; nothing new was made."

_places = TypeAdapter(Place)


def apply(house: House, teller: Teller, ground: Ground, read_task: Callable[[], Task]) -> None:
    """Ends the job. A base that moved is followed by git's three-way merge; Conflict where that is not clean."""
    found = house.engine.step("find diff", lambda: _find(house, teller))
    if found is None:
        raise BadRequest("No diff was shown in this thread yet.", next_step="Ask for one: `/tinygen --diff PROMPT`.")
    shown = load_report(found)
    patch = shown.patch or Patch("", "")
    teller.update(
        mode="pr",
        base_ref=shown.base_ref,
        base_sha=patch.base_sha,
        patch=patch,
        summary=shown.summary,
        continues=shown.job.id,
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


def _find(house: House, teller: Teller) -> Json:
    shown = latest(house, teller.report.job, has_diff)
    return None if shown is None else dump_report(shown)


def _place(house: House, teller: Teller, ground: Ground, shown: Report) -> Place:
    """Where the diff was made for. Its own job names the branch, so that applying it twice makes one."""
    job, github = teller.report.job, ground.github()
    if job.target.is_pull and job.target.issue_number is not None:
        return replace(head_place(github.pull(job.target.issue_number), job), branch_of=shown.job)
    own = own_pull(house, github, shown)
    if own and own.head_ref == shown.base_ref:
        return head_place(own, job, is_own=True)
    return replace(branch_place(github, job, shown.base_ref), branch_of=shown.job)
