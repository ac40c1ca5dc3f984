from __future__ import annotations

import threading

import pytest

from bot.errors import LimitReached
from bot.web.wait_limit import WaitLimit


def test_no_more_wait_than_there_are_places_and_always_one_may() -> None:
    for places, held in ((2, 2), (0, 1)):
        waits = WaitLimit(places)
        taken = [waits.place("Full.", next_step="Wait.") for _ in range(held)]
        for each in taken:
            each.__enter__()
        with pytest.raises(LimitReached), waits.place("Full.", next_step="Wait."):
            pass
        taken[0].__exit__(None, None, None)
        with waits.place("Full.", next_step="Wait."):
            pass


def test_a_place_that_becomes_free_in_time_is_taken() -> None:
    waits = WaitLimit(1)
    first = waits.place("Full.", next_step="Wait.")
    first.__enter__()
    done = threading.Event()

    def second() -> None:
        with waits.place("Full.", next_step="Wait.", patience_s=30.0):
            done.set()

    thread = threading.Thread(target=second)
    thread.start()
    first.__exit__(None, None, None)
    thread.join(30)
    assert done.is_set()
