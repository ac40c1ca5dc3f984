"""No regular expression holds the interpreter: Python's `re` keeps its lock for the whole of a
match, so that one slow match stops every thread of a worker, whoever's job they are at.

Every pattern of `bot` is doubled on the inputs that are hardest for it. One that is superlinear must
be listed in tests/patterns.py with the bound of what it is given, and be quick at that bound.
"""

from __future__ import annotations

import re

import pytest

from tests.patterns import BOUNDS, USES
from tests.redos import Use, slowest_at, worst_of

MOST_S_PER_MILLION = 8.0
"""A constant of thousands is linear, and no less in the way. What there is today takes at most 2.5
s for a million on a slow machine."""
MOST_S_AT_BOUND = 0.05

_ONCE = {
    (use.pattern.pattern, use.pattern.flags, use.methods): use for use in reversed(USES)
}.values()
"""Several languages share their patterns, and several functions have the same."""


def _ids(use: Use) -> str:
    return use.where


@pytest.mark.parametrize("use", [use for use in _ONCE if use.where not in BOUNDS], ids=_ids)
def test_a_pattern_takes_time_linear_in_its_input(use: Use) -> None:
    for method in sorted(use.methods):
        worst = worst_of(use.pattern, method)
        assert worst.growth.is_linear, f"{use.where} is superlinear: {worst}"
        assert worst.growth.seconds_per_million < MOST_S_PER_MILLION, (
            f"{use.where} costs too much: {worst}"
        )


@pytest.mark.parametrize("use", [use for use in USES if use.where in BOUNDS], ids=_ids)
def test_a_pattern_that_is_not_linear_is_quick_on_all_it_is_given(use: Use) -> None:
    bound = BOUNDS[use.where]
    assert bound.holds is None or bound.holds(), (
        f"{use.where} may be given more than {bound.chars} characters"
    )
    for method in sorted(use.methods):
        seconds, shape = slowest_at(use.pattern, method, bound.chars)
        assert seconds < MOST_S_AT_BOUND, f"{use.where} takes {seconds:.3f} s on {shape}"


_SLOW: tuple[tuple[str, str], ...] = (
    (r"(a+)+$", "fullmatch"),
    (r"(a|a)*b", "match"),
    (r"^(?:\w+\s?)*$", "match"),
    (r"[ \t*&]+[*&]*x", "match"),
    (r"^(?:[A-Za-z_][\w:<>,~]*[\x20\t*&]+)+?[*&]*([\w:~]+)[ \t]*\([^;\n]*$", "finditer"),
    (r"\s+$", "search"),
    (r"<[^>]*>", "finditer"),
    (r"<!--.*?-->", "finditer"),
    (r"(?s)^(`{3,})(.*?)^\1$", "finditer"),
    (r"\beyJ[\w\-]{8,}\.[\w\-]+\.", "finditer"),
    (r"(\[[^\]\n]{1,500}\]\(\s*<?[^\s)>]{0,2000}>?)\s+\"[^\"\n]*\"\s*\)", "finditer"),
    (r"(?::|#|\s+)\s*(?:lines?\s*)?L?(\d{1,9})$", "search"),
    (r"(?i)(?:title|name)\s*=\s*([^<>]+)\s*/>", "match"),
)


@pytest.mark.parametrize(("text", "method"), _SLOW)
def test_a_slow_pattern_is_found(text: str, method: str) -> None:
    growth = worst_of(re.compile(text), method).growth
    assert not growth.is_linear or growth.seconds_per_million > MOST_S_PER_MILLION


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (r"\s++$", "match"),
        (r"(?<!\s)\s++$", "search"),
        (r"<[^<>]*>", "finditer"),
        (r"(?s)<!--.*?(?:-->|\Z)", "finditer"),
        (r"[ \t]++[*&]*+x", "match"),
        (r"(?:[A-Za-z_]\w*+[ *]++)+?(\w+)\(", "match"),
        (r"[a-z]+|\d+|\s", "finditer"),
        (r"`([^`\n]{1,200})`", "finditer"),
    ],
)
def test_a_linear_pattern_is_found_to_be_so(text: str, method: str) -> None:
    assert worst_of(re.compile(text), method).growth.is_linear


def test_a_pattern_of_bytes_is_doubled_as_well() -> None:
    assert not worst_of(re.compile(rb"\s+$"), "search").growth.is_linear
