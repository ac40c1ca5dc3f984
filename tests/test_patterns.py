"""Each regular expression of `bot` is found, so that tests/benchmarks/growth can measure it: Python's
`re` keeps the interpreter's lock for the whole of a match."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

from tests.doubling import Growth
from tests.patterns import BOUNDS, MAKERS, METHODS, USES
from tests.redos import BOT, UnknownPattern, find_patterns, patterns_in


def test_every_entry_of_the_tables_is_of_a_pattern_that_there_is() -> None:
    assert {*BOUNDS, *MAKERS, *METHODS} <= {use.where for use in USES}


def test_no_possessive_repeat_holds_a_group_that_captures() -> None:
    """For such a pattern `re` of Python 3.11 and 3.12 raises SystemError on some texts."""
    for use in USES:
        assert not _captures_in_possessive(_parsed(use.pattern)), use.where


def test_patterns_are_matched_by_the_module_re_itself() -> None:
    """So that each is found: `from re import …` and `import re as …` would hide some."""
    for path in BOT.rglob("*.py"):
        assert not re.search(
            r"^\s*(?:from re import|import re as)", path.read_text(), re.MULTILINE
        ), path


def test_the_walk_finds_patterns_of_every_kind() -> None:
    found = {use.where: use for use in USES}
    assert found["thread/markdown/quote.py:_BLOCK"].methods == {"finditer"}
    assert found["thread/links.py:_PERMALINK"].methods == {"finditer"}
    assert found["change/edits/reply/diffs.py:_SECTION"].methods == {"fullmatch"}
    assert sum(use.where == "change/context/definitions.py:_COMPILED" for use in USES) > 15
    assert sum(use.where == "change/checks/text.py:_SECRETS" for use in USES) > 5


def test_a_pattern_that_nobody_can_make_is_not_passed_over() -> None:
    with pytest.raises(UnknownPattern, match="make_redactor"):
        find_patterns(
            {where: make for where, make in MAKERS.items() if where != "logs.py:make_redactor"},
            METHODS,
        )


def test_a_growth_says_what_it_was() -> None:
    said = str(Growth(is_linear=False, ratio=64.0, size=8_000, seconds=0.5))
    assert (
        said
        == "8 times the input costs 64.0 times as much; 8,000 take 0.500 s, 62.50 s for a million"
    )


def test_patterns_are_found_in_what_holds_them() -> None:
    one, other = re.compile("a"), re.compile(b"b")
    assert list(patterns_in({"a": (("x", one), [other])})) == [one, other]


def _parsed(pattern: re.Pattern[Any]) -> Any:
    return importlib.import_module("re._parser").parse(pattern.pattern, pattern.flags)


def _captures_in_possessive(nodes: Any, *, inside: bool = False) -> bool:
    for kind, value in nodes:
        name = str(kind)
        if name == "SUBPATTERN" and inside and value[0] is not None:
            return True
        within = inside or name == "POSSESSIVE_REPEAT"
        if any(_captures_in_possessive(part, inside=within) for part in _parts(name, value)):
            return True
    return False


def _parts(name: str, value: Any) -> list[Any]:
    if name.endswith("_REPEAT"):
        return [value[2]]
    if name == "BRANCH":
        return list(value[1])
    if name in ("ASSERT", "ASSERT_NOT"):
        return [value[1]]
    return {"SUBPATTERN": lambda: [value[3]], "ATOMIC_GROUP": lambda: [value]}.get(name, list)()
