"""Whose turn it is, so that nobody holds up anybody else.

What was accepted waits in the inbox, and is started in shares: of one person in one repository a command at a time, of
a repository and of an installation only some, so that a place is free for whoever comes.

Then the work: the engine runs one job of a repository at a time, and takes repositories in random order. Here, of one
installation only so many repositories are in its queue at all; jobs for further ones are held, oldest first, until one
is done. The places that stay free are there for whoever comes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from bot.ports import Waiting

MAX_STARTING = 16
"""Commands that one worker accepts at once: each holds a thread for as long as GitHub takes to answer."""
MAX_OF_REPOSITORY = 2
MAX_OF_ACCOUNT = 4


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


def choose_starting(waiting: Iterable[Waiting], at_work: Iterable[Waiting]) -> tuple[str, ...]:
    """The ids of those to start now, beside those at work, in the order in which they wait."""
    busy: Counter[tuple[str, ...]] = Counter()
    for each in at_work:
        busy.update(dict.fromkeys(_shares(each), 1))
    chosen: list[str] = []
    for each in waiting:
        if all(busy[share] < most for share, most in _shares(each).items()):
            busy.update(dict.fromkeys(_shares(each), 1))
            chosen.append(each.id)
    return tuple(chosen)


def _shares(each: Waiting) -> dict[tuple[str, ...], int]:
    """What the job takes a place of, and how many places that has."""
    return {
        (): MAX_STARTING,
        ("account", each.account): MAX_OF_ACCOUNT,
        ("repository", each.repository): MAX_OF_REPOSITORY,
        ("asker", each.repository, each.asker): 1,
    }


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
