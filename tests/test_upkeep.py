"""The periodic tasks of a worker."""

from __future__ import annotations

from bot.errors import OutsideError
from bot.jobs.worker.maintenance import Maintenance, PeriodicTask
from tests.doubles.clock import ManualClock


def test_a_periodic_task_is_done_at_once_and_then_when_it_is_due() -> None:
    clock, done = ManualClock(100.0), list[str]()
    maintenance = Maintenance(
        [
            PeriodicTask("a", 10, lambda: done.append("a")),
            PeriodicTask("b", 25, lambda: done.append("b")),
        ],
        clock=clock,
    )
    for _ in range(4):
        maintenance.do_due()
        clock.now_s += 10
    assert done == ["a", "b", "a", "a", "a", "b"]


def test_a_fault_in_one_periodic_task_ends_no_other() -> None:
    done = list[str]()
    maintenance = Maintenance(
        [
            PeriodicTask("a", 10, lambda: print(1 // 0)),
            PeriodicTask("b", 10, lambda: done.append("b")),
        ],
        clock=ManualClock(100.0),
    )
    maintenance.do_due()
    assert done == ["b"]


def test_a_periodic_task_that_fails_holds_up_no_other_and_is_done_again() -> None:
    clock, done = ManualClock(100.0), list[str]()

    def fail() -> None:
        done.append("failed")
        raise OutsideError("GitHub is away.", next_step="Wait.")

    maintenance = Maintenance(
        [PeriodicTask("a", 10, fail), PeriodicTask("b", 10, lambda: done.append("b"))], clock=clock
    )
    maintenance.do_due()
    clock.now_s += 10
    maintenance.do_due()
    assert done == ["failed", "b", "failed", "b"]
