"""Whose turn it is, so that one busy installation holds up no other.

The engine runs one job of a repository at a time, and takes repositories in random order. Here, of one installation
only so many repositories are in its queue at all; jobs for further ones are held, oldest first, until one is done. The
places that stay free are there for whoever comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from bot.core.types import Job


@dataclass(frozen=True, slots=True)
class InLine:
    """A job that has not ended; `group` is the installation, `key` the repository."""

    id: str
    group: str
    key: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job queues. `cap` is how many keys its group may have at work; 0 is no limit."""

    group: str
    key: str
    cap: int


def group_of(job: Job) -> str:
    """On whose account the job runs: its installation's or, of a direct call, its caller's."""
    installation = job.target.installation_id
    return f"installation {installation}" if installation is not None else job.actor or "a direct call"


def may_go(line: Iterable[InLine], place: Place) -> bool:
    """Whether a job for the place needs not be held, where `line` is its group's."""
    waiting = tuple(line)
    others = {each.key for each in waiting} - {place.key}
    return not place.cap or (len(others) < place.cap and not any(each.is_held for each in waiting))


def choose_freed(line: Iterable[InLine], cap: int) -> tuple[str, ...]:
    """The ids of those held whose turn has come, where `line` is everybody's, oldest first."""
    waiting = tuple(line)
    busy: dict[str, set[str]] = defaultdict(set)
    for each in waiting:
        if not each.is_held:
            busy[each.group].add(each.key)
    freed = []
    for each in waiting:
        keys = busy[each.group]
        if each.is_held and (not cap or each.key in keys or len(keys) < cap):
            keys.add(each.key)
            freed.append(each.id)
    return tuple(freed)
