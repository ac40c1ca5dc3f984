"""What the model is answered when it asks to see files, searches and directories."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.change.context import Answers, answer_requests
from bot.change.edits.reply.requests import read_requests
from bot.change.tokens import estimate_tokens
from bot.types import ShownFile
from bot.types.reply import Request
from bot.types.snapshot import Change, Changes
from tests.change.snapshots import view_of
from tests.doubling import growth_of

_FILES = {
    "README.md": b"Use `add`.\n",
    "src/app.py": b"def main():\n    return add(1, 2)\n",
    "src/math/add.py": b"def add(a, b):\n    return a + b\n",
    "src/math/logo.png": b"\x89PNG\0",
    "tests/test_add.py": b"assert add(1, 2) == 3\n",
}


def _answer(
    *requests: Request,
    files: Mapping[str, bytes] = _FILES,
    changes: Changes = MappingProxyType({}),
    budget_tokens: int = 2_000,
) -> Answers:
    return answer_requests(view_of(files), changes, requests, budget_tokens=budget_tokens)


def test_a_file_is_read_exactly() -> None:
    text = _answer(Request("read", "src/math/add.py")).text
    assert "```\ndef add(a, b):\n    return a + b\n```\n" in text


def test_a_range_is_read_as_asked_for() -> None:
    answers = _answer(Request("read", "src/app.py", 2, 2))
    assert answers.shown == (ShownFile("src/app.py", 2, 2, "the model asked for it"),)
    assert "lines 2-2 of 2:\n```\n    return add(1, 2)\n```" in answers.text


def test_a_path_may_be_shortened_to_an_end_that_only_one_file_has() -> None:
    assert "src/math/add.py, lines 1-2 of 2" in _answer(Request("read", "./math/add.py")).text


def test_a_path_that_does_not_exist_is_answered_with_similar_ones() -> None:
    text = _answer(Request("read", "lib/add.rb")).text
    assert "Near: src/math/add.py, tests/test_add.py." in text


def test_binary_files_are_not_read() -> None:
    assert "not text" in _answer(Request("read", "src/math/logo.png")).text


def test_answers_are_of_the_base_with_the_edits() -> None:
    text = _answer(
        Request("read", "src/app.py"),
        Request("read", "README.md"),
        Request("search", "add\\("),
        changes={
            "src/app.py": Change("src/app.py", b"new\n"),
            "README.md": Change("README.md", None),
        },
    ).text
    assert "```\nnew\n```" in text
    assert "README.md: there is no such file" in text
    assert "src/app.py:2" not in text


def test_a_search_lists_matches_in_source_first() -> None:
    text = _answer(Request("search", r"add\(\w")).text
    assert text.index("src/math/add.py:1: def add(a, b):") < text.index("tests/test_add.py:1:")


def test_a_pattern_that_cannot_be_searched_safely_is_searched_for_literally() -> None:
    text = _answer(Request("search", "(?=here)"), files={"a.txt": b"see (?=here)\n"}).text
    assert "searched for literally" in text
    assert "a.txt:1: see (?=here)" in text


def test_a_directory_is_listed_with_the_number_of_files_below() -> None:
    assert "```\nmath/ (2 files)\napp.py\n```" in _answer(Request("list", "src/")).text
    assert "src/ (3 files)" in _answer(Request("list", ".")).text


def test_a_file_that_does_not_fit_is_cut_at_a_line_and_the_answer_says_so() -> None:
    files = {"long.py": b"".join(b"x = %d\n" % n for n in range(2000))}
    text = _answer(Request("read", "long.py"), files=files, budget_tokens=300).text
    assert "for more" in text
    assert estimate_tokens(text) <= 300


def test_a_fence_is_longer_than_any_in_the_file() -> None:
    text = _answer(Request("read", "a.md"), files={"a.md": b"````\ncode\n````\n"}).text
    assert "`````\n````\ncode" in text


@given(
    st.lists(
        st.builds(
            Request,
            st.sampled_from(["read", "search", "list"]),
            st.one_of(st.sampled_from([*_FILES, "src", "a", ".*"]), st.text(max_size=20)),
            st.none() | st.integers(0, 5),
            st.none() | st.integers(0, 5),
        ),
        max_size=20,
    ),
    st.integers(0, 1000),
)
def test_answers_never_exceed_the_budget(requests: list[Request], budget: int) -> None:
    assert estimate_tokens(_answer(*requests, budget_tokens=budget).text) <= budget


@pytest.mark.slow
@pytest.mark.parametrize(
    ("request_line", "fill"),
    [
        ("read a.py:1-9", "x = 1\n"), ("read a.py", "x" * 80), ("read none.py", "x\n"), ("search x", "x\n"),
        ("search (?:a?){250}b", "a"), ("search .{0,400}x.{0,400}y", "a\n"), ("search ^$", "\n"), ("list .", "x\n"),
    ],
)  # fmt: skip
def test_requests_are_answered_in_time_linear_in_the_repository(
    request_line: str, fill: str
) -> None:
    (request,) = read_requests([request_line])[0]

    def run(content: bytes) -> None:
        _answer(request, files={"a.py": content, "b.py": content}, budget_tokens=5_000)

    growth = growth_of(run, lambda n: (fill * (n // len(fill))).encode(), start=4_000, most=130_000)
    assert growth.is_linear, growth


@pytest.mark.slow
def test_many_requests_cost_no_more_than_those_that_are_answered() -> None:
    base = view_of({f"d{number % 97}/f{number}.py": b"x\n" for number in range(500)})

    def requests(count: int) -> list[Request]:
        return [Request("read", f"d{number % 97}/f{number}.py") for number in range(count)]

    growth = growth_of(
        lambda some: answer_requests(base, {}, some, budget_tokens=5_000),
        requests,
        start=1_000,
        most=20_000,
    )
    assert growth.is_linear, growth
