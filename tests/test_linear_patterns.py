"""No regular expression holds the interpreter: Python's `re` keeps its lock for the whole of a
match, so that one slow match stops every thread of a worker, whoever's job they are at.

Every pattern of `bot` is found by itself and doubled on the inputs that are hardest for it. One
that is superlinear is listed here with the bound of what it is given, and must be quick at that
bound. Patterns of two other kinds need none of this: those of pydantic's `Field(pattern=…)` run in
Rust's engine, and those of `bot.change.context.answers` in RE2; neither backtracks.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from bot.adapters.github.attachments import _signed_addresses
from bot.change.edits.files import path_fault
from bot.logs import make_redactor
from bot.thread.links import _attachment_pattern
from bot.types.globs import _compile_name
from tests.doubling import Growth
from tests.redos import BOT, UnknownPattern, Use, find_patterns, patterns_in, slowest_at, worst_of

MOST_S_PER_MILLION = 8.0
"""A constant of thousands is linear, and no less in the way. What there is today takes at most 2.5
s for a million on a slow machine."""
MOST_S_AT_BOUND = 0.05


@dataclass(frozen=True, slots=True)
class Bound:
    """The longest input that a pattern is given, why it is no longer, and a check of that where
    there is one."""

    chars: int
    why: str
    holds: Callable[[], bool] | None = None


BOUNDS: Mapping[str, Bound] = {
    "cli/doctor.py:_check_git": Bound(100, "what the operator's own git says of its version"),
    "change/checks.py:_JSON_WITH_COMMENTS": Bound(
        1_000, "a path that may be changed", lambda: path_fault("a/" * 501) is not None
    ),
}

MAKERS: Mapping[str, Callable[[], object]] = {
    "thread/links.py:_attachment_pattern": lambda: [
        _attachment_pattern("https://github.com"),
        _attachment_pattern("https://ghe.example"),
    ],
    "types/globs.py:_compile_name": lambda: [
        _compile_name("*a*b*c"),
        _compile_name("*a?b*?*c.py"),
        _compile_name("*?" * 50 + "x"),
        _compile_name("*" * 200),
    ],
    "logs.py:make_redactor": lambda: make_redactor(
        ["secret-value-1", "secret-value-2\nabcdefgh", "aaaaaaaaaaaaaaaaaaab"]
    ),
    "adapters/github/attachments.py:_signed_addresses": lambda: _signed_addresses(
        "https://github.com"
    ),
}
"""Examples of the patterns that are made as the program runs."""

METHODS: Mapping[str, str] = {
    "change/context/definitions.py:_COMPILED": "finditer",
    "change/context/ranking/task.py:_BOILERPLATE": "match",
    "change/context/ranking/task.py:_HEADING": "match",
    "change/context/ranking/task.py:_SURROUNDINGS": "match",
    "change/checks.py:_SECRETS": "finditer",
    "change/edits/reply/unsupported.py:_FORMS": "match",
    "types/globs.py:_compile_name": "match",
    "thread/links.py:_FILE_SIGNATURES": "match",
    "thread/links.py:_attachment_pattern": "fullmatch",
    "logs.py:make_redactor": "finditer",
}
"""How those are matched that are not used by their own name."""

USES = find_patterns(MAKERS, METHODS)


_ONCE = {
    (use.pattern.pattern, use.pattern.flags, use.methods): use for use in reversed(USES)
}.values()
"""Several languages share their patterns, and several functions have the same."""


def _ids(use: Use) -> str:
    return use.where


@pytest.mark.slow
@pytest.mark.parametrize("use", [use for use in _ONCE if use.where not in BOUNDS], ids=_ids)
def test_a_pattern_takes_time_linear_in_its_input(use: Use) -> None:
    for method in sorted(use.methods):
        worst = worst_of(use.pattern, method)
        assert worst.growth.is_linear, f"{use.where} is superlinear: {worst}"
        assert worst.growth.seconds_per_million < MOST_S_PER_MILLION, (
            f"{use.where} costs too much: {worst}"
        )


@pytest.mark.slow
@pytest.mark.parametrize("use", [use for use in USES if use.where in BOUNDS], ids=_ids)
def test_a_pattern_that_is_not_linear_is_quick_on_all_it_is_given(use: Use) -> None:
    bound = BOUNDS[use.where]
    assert bound.holds is None or bound.holds(), (
        f"{use.where} may be given more than {bound.chars} characters"
    )
    for method in sorted(use.methods):
        seconds, shape = slowest_at(use.pattern, method, bound.chars)
        assert seconds < MOST_S_AT_BOUND, f"{use.where} takes {seconds:.3f} s on {shape}"


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
    assert found["change/prompts.py:_quoted"].methods == {"search"}
    assert found["thread/markdown.py:_LINK_WITH_TITLE"].methods == {"finditer"}
    assert found["change/edits/reply/diffs.py:_SECTION"].methods == {"fullmatch"}
    assert sum(use.where == "change/context/definitions.py:_COMPILED" for use in USES) > 15
    assert sum(use.where == "change/checks.py:_SECRETS" for use in USES) > 5


def test_a_pattern_that_nobody_can_make_is_not_passed_over() -> None:
    with pytest.raises(UnknownPattern, match="make_redactor"):
        find_patterns(
            {where: make for where, make in MAKERS.items() if where != "logs.py:make_redactor"},
            METHODS,
        )


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


@pytest.mark.slow
@pytest.mark.parametrize(("text", "method"), _SLOW)
def test_a_superlinear_pattern_is_found(text: str, method: str) -> None:
    assert not worst_of(re.compile(text), method).growth.is_linear


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_pattern_of_bytes_is_doubled_as_well() -> None:
    assert not worst_of(re.compile(rb"\s+$"), "search").growth.is_linear


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
