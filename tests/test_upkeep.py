"""Chores of a worker."""

from __future__ import annotations

from bot.errors import OutsideError
from bot.jobs.worker.maintenance import Maintenance, PeriodicTask


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_chore_is_done_at_once_and_then_when_it_is_due() -> None:
    clock, done = Clock(), list[str]()
    upkeep = Maintenance(
        [
            PeriodicTask("a", 10, lambda: done.append("a")),
            PeriodicTask("b", 25, lambda: done.append("b")),
        ],
        clock=clock,
    )
    for _ in range(4):
        upkeep.do_due()
        clock.now_s += 10
    assert done == ["a", "b", "a", "a", "a", "b"]


def test_a_fault_in_one_chore_ends_no_other() -> None:
    done = list[str]()
    upkeep = Maintenance(
        [
            PeriodicTask("a", 10, lambda: print(1 // 0)),
            PeriodicTask("b", 10, lambda: done.append("b")),
        ],
        clock=Clock(),
    )
    upkeep.do_due()
    assert done == ["b"]


def test_a_chore_that_fails_holds_up_no_other_and_is_done_again() -> None:
    clock, done = Clock(), list[str]()

    def fail() -> None:
        done.append("failed")
        raise OutsideError("GitHub is away.", next_step="Wait.")

    upkeep = Maintenance(
        [PeriodicTask("a", 10, fail), PeriodicTask("b", 10, lambda: done.append("b"))], clock=clock
    )
    upkeep.do_due()
    clock.now_s += 10
    upkeep.do_due()
    assert done == ["failed", "b", "failed", "b"]
