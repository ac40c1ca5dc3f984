"""A few rounds of tests/kill_rounds.py: one of each kind of death, and some of its first kind."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kill_rounds import play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ONE_OF_EACH = 11


def test_nothing_is_lost_and_nothing_is_done_twice(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rounds = [each for each, _model in play(stack, tmp_path, ONE_OF_EACH)]
    assert len(rounds) == ONE_OF_EACH
    assert [(each.death, each.wrong) for each in rounds if each.wrong] == []
