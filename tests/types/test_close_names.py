"""Names that are suggested for a misspelt one."""

from __future__ import annotations

import difflib

from hypothesis import given
from hypothesis import strategies as st

from bot.types.text import MAX_CHARS, close_names

_NAME = st.text("abc/.", max_size=12)


@given(_NAME, st.lists(_NAME, max_size=40, unique=True), st.sampled_from([0.3, 0.6, 0.8]))
def test_of_short_names_difflibs_are_the_close_ones(
    name: str, known: list[str], least: float
) -> None:
    expected = difflib.get_close_matches(name, known, n=3, cutoff=least)
    assert close_names(name, known, most=3, least_likeness=least) == expected


def test_of_long_names_the_ends_are_compared() -> None:
    far, near = "x" * 500 + "/one.py", "y" * 500 + "z" * MAX_CHARS
    assert close_names("z" * MAX_CHARS, [far, near], most=2, least_likeness=0.9) == [near]


def test_the_likest_is_found_among_many() -> None:
    known = [f"module{number}.py" for number in range(1_000)]
    assert close_names("modul500.py", known, most=1, least_likeness=0.8) == ["module500.py"]
