"""Whether work grows linearly with its input: it is done at n and at 8 n, three doublings, and its
CPU time compared.

A doubling may cost 2.5 times, so three may cost 15.6: linear work costs 8, n log n some 10, n **
1.5 costs 22.6. Only the thread's own CPU time counts, the least of several runs without the garbage
collector, and only work that is superlinear in every one of five tries, with growing sizes while
that does not take long, is called so: a busy machine makes no linear work fail. Two tries do where
they take a second, or where both are as bad as n ** 1.75.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

FACTOR = 8
LIMIT = 2.5**3
_CLEARLY = 38.0
"""More than this, twice, is no noise: 8 ** 1.75."""
_TRIES = 5
_MEASURABLE_S = 0.0005
"""At 8 n: less than this is too little to be compared."""
_LONG_S = 0.25
"""A run that takes this long is not doubled again."""
_ENOUGH_S = 1.0
"""For the large runs of all tries, the least of each."""


@dataclass(frozen=True, slots=True)
class Growth:
    """`ratio` is what 8 times the input costs, the least of all tries; `size` and `seconds` are of
    the last run."""

    is_linear: bool
    ratio: float
    size: int
    seconds: float

    @property
    def seconds_per_million(self) -> float:
        return self.seconds / max(1, self.size) * 1e6

    def __str__(self) -> str:
        return (
            f"{FACTOR} times the input costs {self.ratio:.1f} times as much; {self.size:,} take"
            f" {self.seconds:.3f} s, {self.seconds_per_million:.2f} s for a million"
        )


def growth_of(
    run: Callable[[T], object], make: Callable[[int], T], *, start: int = 500, most: int = 400_000
) -> Growth:
    """How `run` grows on inputs of `make(n)`, n from `start` up to `most`."""
    size, ratio, tries, spent = start, float("inf"), 0, 0.0
    with _steady():
        while True:
            less, more = make(size), make(size * FACTOR)
            large = cpu_seconds(run, more)
            may_grow = large <= _LONG_S and size * FACTOR * 2 <= most
            if large < _MEASURABLE_S and may_grow:
                size *= 2
                continue
            small = min(cpu_seconds(run, less) for _ in range(5))
            if large > LIMIT * small:
                large = min(large, cpu_seconds(run, more), cpu_seconds(run, more))
            tries, spent = tries + 1, spent + large
            ratio = min(ratio, large / max(small, 1e-9))
            is_linear = ratio <= LIMIT or large < _MEASURABLE_S
            is_clear = tries > 1 and (spent > _ENOUGH_S or ratio > _CLEARLY)
            if is_linear or is_clear or tries == _TRIES:
                return Growth(is_linear, ratio, size * FACTOR, large)
            size = size * 2 if may_grow else size


def cpu_seconds(run: Callable[[T], object], value: T) -> float:
    """The CPU time of this thread for one run."""
    begin = time.thread_time()
    run(value)
    return time.thread_time() - begin


@contextmanager
def _steady() -> Iterator[None]:
    """Without the garbage collector, whose turns cost as much as there is in memory."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
