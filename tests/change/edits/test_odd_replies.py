"""What models write beside the asked-for forms: each reply makes the tree that it means, or the model
is asked."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.change.edits.odd_replies import Case, cases, result_of

CASES = list(cases())
MIN_RESTORED_SHARE = 0.85


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_odd_reply_makes_what_it_means_or_is_asked_about(case: Case) -> None:
    assert result_of(case) in (("asked",) if case.means is None else ("restored", "asked"))


def test_most_odd_replies_that_mean_one_tree_make_it_without_a_question() -> None:
    results = Counter(result_of(case) for case in CASES if case.means)
    assert results["restored"] >= MIN_RESTORED_SHARE * results.total()


def test_each_reply_of_the_table_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 300
