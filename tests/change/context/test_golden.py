"""Rankings and shown lines of made repositories, kept as files that a person looks over:
`python -m tests.tools.golden_context` writes them anew."""

from __future__ import annotations

import pytest

from tests.tools.golden_context import GOLDEN, golden_path, golden_tasks, render_golden


@pytest.mark.parametrize(("number", "position"), golden_tasks())
def test_a_ranking_and_what_is_shown_stay_as_they_were_looked_over(
    number: int, position: int
) -> None:
    assert render_golden(number, position) == golden_path(number, position).read_text(
        encoding="utf-8"
    )


def test_no_golden_file_is_left_over() -> None:
    assert {*GOLDEN.glob("*.txt")} == {golden_path(*each) for each in golden_tasks()}
