"""Which of the waiting jobs may start, so that no person and no repository delays all others.

First, a stored command waits until a worker starts the workflow "accept" for it. The number of
commands in progress is limited for each person, repository and account (an installation, or a
direct caller).

Then the job waits until the workflow "run" starts. The engine runs one job of a repository at a
time, and takes repositories in random order. The number of repositories of one account in that
queue is limited; the jobs of further repositories are held, and are released oldest first as soon
as a repository has no job left.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from bot.types import WaitingJob

MAX_STARTING = 16
"""Commands that one worker starts at once: each takes a thread for as long as GitHub takes to
answer."""
MAX_OF_REPOSITORY = 2
MAX_OF_ACCOUNT = 4


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that has not ended; `group` is its account (`Job.account`), `key` its repository."""

    id: str
    group: str
    key: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class QueueSlot:
    """A job's place in the queue. `cap` is how many keys of its group may run at once; 0 is no
    limit."""

    group: str
    key: str
    cap: int


def choose_starting(
    waiting: Iterable[WaitingJob], starting: Iterable[WaitingJob], room: int
) -> tuple[str, ...]:
    """The ids of the waiting commands to start now, in their order: `room` of them at most.
    `starting` are the commands in progress, in all workers."""
    taken: Counter[tuple[str, ...]] = Counter()
    for command in starting:
        taken.update(dict.fromkeys(_limits(command), 1))
    chosen: list[str] = []
    for command in waiting:
        limits = _limits(command)
        if len(chosen) < room and all(taken[name] < limit for name, limit in limits.items()):
            taken.update(dict.fromkeys(limits, 1))
            chosen.append(command.id)
    return tuple(chosen)


def _limits(command: WaitingJob) -> dict[tuple[str, ...], int]:
    """How many commands may be in progress at once, for each thing that they share with this
    one."""
    return {
        ("account", command.account): MAX_OF_ACCOUNT,
        ("repository", command.repository): MAX_OF_REPOSITORY,
        ("asker", command.repository, command.asker): 1,
    }


def may_run(group: Iterable[QueuedJob], slot: QueueSlot) -> bool:
    """Whether a new job for the slot need not be held. `group` are the jobs of its group."""
    if not slot.cap:
        return True
    jobs = tuple(group)
    other_keys = {job.key for job in jobs} - {slot.key}
    return len(other_keys) < slot.cap and not any(job.is_held for job in jobs)


def choose_released(queue: Iterable[QueuedJob], cap: int) -> tuple[str, ...]:
    """The ids of the held jobs that may run now. `queue` are all jobs, oldest first."""
    jobs = tuple(queue)
    running: dict[str, set[str]] = defaultdict(set)
    for job in jobs:
        if not job.is_held:
            running[job.group].add(job.key)
    released = []
    for job in jobs:
        keys = running[job.group]
        if job.is_held and (not cap or job.key in keys or len(keys) < cap):
            keys.add(job.key)
            released.append(job.id)
    return tuple(released)
