"""Which lines of a file are searched for definitions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.change.context.definitions import MAX_LINE_BYTES, find_definitions, find_names


@pytest.mark.parametrize("surplus", [0, 1])
def test_a_line_over_its_limit_is_not_searched_and_the_others_keep_their_numbers(
    surplus: int,
) -> None:
    long = b"def long(): " + b"x" * (MAX_LINE_BYTES - 12 + surplus)
    content = b"def first():\n" + long + b"\ndef last():"
    expected = [("first", 1), ("long", 2), ("last", 3)]
    found = [(each.name, each.line) for each in find_definitions("a.py", content)]
    assert found == [each for each in expected if not surplus or each[0] != "long"]
    assert find_names("a.py", content) == [name.encode() for name, _ in found]


@given(st.lists(st.integers(0, 3 * MAX_LINE_BYTES), max_size=8), st.booleans())
def test_every_short_line_is_searched(lengths: list[int], ends: bool) -> None:
    lines = [f"def f{number}():".encode().ljust(length) for number, length in enumerate(lengths)]
    content = b"\n".join(lines) + b"\n" * ends
    short = [number for number, line in enumerate(lines) if len(line) <= MAX_LINE_BYTES]
    assert [each.line - 1 for each in find_definitions("a.py", content)] == short


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("static int  *parse(char *text)", "parse"),
        ("std::vector<int> &Reader::next (void)", "Reader::next"),
        ("const char * const *names(void) {", "names"),
        ("int main(int argc, char **argv)", "main"),
        ("int values[3]", None),
        ("return call(x);", None),
    ],
)
def test_a_function_of_c_is_found_behind_its_type(line: str, name: str | None) -> None:
    found = [each.name for each in find_definitions("a.c", line.encode())]
    assert found == ([name] if name else [])


_BACKTRACKING_C = re.compile(
    rb"^(?:[A-Za-z_][\w:<>,~]*[ \t*&]+)+?[*&]*([\w:~]+)[ \t]*\([^;\n]*$", re.MULTILINE
)
"""The same pattern with backtracking, which takes quadratic time."""
_C = st.lists(
    st.sampled_from(["int", "a", "::", "<b>", "*", "&", " ", "  ", "(", ")", "x", "~", ","]),
    max_size=9,
)


@given(_C.map("".join))
def test_functions_of_c_are_those_that_a_backtracking_pattern_finds(line: str) -> None:
    expected = _BACKTRACKING_C.search(f"int {line}".encode())
    found = find_definitions("a.c", f"int {line}".encode())
    assert [each.name.encode() for each in found] == ([expected[1]] if expected else [])
