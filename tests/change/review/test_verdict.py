"""What a review and a comparison say: verdicts, counterexamples, and the choice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.change.review.verdict import (
    read_choice,
    read_counterexamples,
    read_verdicts,
    without_choice,
    without_verdict,
)
from bot.types import Counterexample

PATHS = (".github/workflows/ci.yml", "src/line.py", "app.py", "src/my shop/cart.ts", "Makefile")
ADD = Counterexample("add(1, 2)", "app.py:2", "it gives -1, not 3")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("[CONFIDENT]", {"CONFIDENT"}),
        ("All good. **[Confident]**", {"CONFIDENT"}),
        ("`[ CONFIDENT ]`", {"CONFIDENT"}),
        ("[REVISION NEEDED]\nbecause", {"REVISION NEEDED"}),
        ("[revision  needed] though I was [CONFIDENT]", {"CONFIDENT", "REVISION NEEDED"}),
        ("[CONFIDENT]\n> [REVISION NEEDED]", {"CONFIDENT"}),
        ("```\n[REVISION NEEDED]\n```\n[CONFIDENT]", {"CONFIDENT"}),
        ("~~~~text\n```\n[REVISION NEEDED]\n~~~~\n[CONFIDENT]", {"CONFIDENT"}),
        ("```\n[REVISION NEEDED]", {"REVISION NEEDED"}),
        ("[CONFIDENT\n]", {"CONFIDENT"}),
        ("[**CONFIDENT**]", {"CONFIDENT"}),
        ("[REVISION_NEEDED]", {"REVISION NEEDED"}),
        ("I am confident that a revision is needed.", set()),
        ("CONFIDENT", set()),
        ("[NOT CONFIDENT]", set()),
    ],
)
def test_the_verdicts_are_the_tokens_that_are_said_and_not_quoted(
    text: str, tokens: set[str]
) -> None:
    assert read_verdicts(text) == tokens


def test_people_read_the_reason_without_the_token() -> None:
    assert without_verdict("Fix the lookup of `d[a]`") == "Fix the lookup of `d[a]`"
    assert without_choice("`d[A]` is read. **[B]**") == "`d[A]` is read."
    assert without_verdict("**[REVISION NEEDED]**: the test is missing") == "the test is missing"


@pytest.mark.parametrize(
    "said",
    [
        "Input: add(1, 2)\nPlace: app.py:2\nResult: it gives -1, not 3",
        "Look:\n\nInput: add(1, 2)\nPlace: app.py:2\nResult: it gives -1, not 3\n\nSo mend it.",
        "- Input: add(1, 2)\n- Place: app.py:2\n- Result: it gives -1, not 3",
        "1. **Input:** add(1, 2)\n2. **Place:** app.py:2\n3. **Result:** it gives -1, not 3",
        "**Input**: add(1, 2)\n\n**Place**: app.py:2\n\n**Result**: it gives -1, not 3",
        "INPUT:\nadd(1, 2)\nPLACE:\napp.py:2\nRESULT:\nit gives -1, not 3",
        "```\nInput: add(1, 2)\nPlace: app.py:2\nResult: it gives -1, not 3\n```",
        "### Input: add(1, 2)\n### Place: app.py:2\n### Result: it gives -1, not 3",
        "Input:\n\nadd(1, 2)\n\nPlace:\n\napp.py:2\n\nResult:\n\nit gives -1, not 3\n\nMend it.",
        "Input 1: add(1, 2)\nPlace 1: app.py:2\nResult 1: it gives -1, not 3\n[REVISION NEEDED]",
        "(1) Input: add(1, 2)\n• Place: app.py:2\n- [ ] Result: it gives -1, not 3",
        "**Input: add(1, 2)**\n**Place: app.py:2**\n**Result: it gives -1, not 3**",
        "Input: left without an end\nInput: add(1, 2)\nPlace: app.py:2\nResult: it gives -1, not 3",
        "Input: add(1, 2)\nPlace: app.py:2\nResult: it gives -1, not 3\n" * 2,
    ],
)
def test_a_counterexample_is_three_labelled_parts(said: str) -> None:
    assert read_counterexamples(said, PATHS) == (ADD,)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "The input is wrong at app.py:2, and the result too.",
        "Input: add(1, 2)\nResult: it gives -1",
        "Input: add(1, 2)\nPlace: app.py:2",
        "Place: app.py:2\nResult: it gives -1",
        "Input:\nPlace: app.py:2\nResult: it gives -1",
        "Input: add(1, 2)\nPlace: in the code\nResult: it gives -1",
        "Input: add(1, 2)\nPlace: other.py:2\nResult: it gives -1",
        "> Input: add(1, 2)\n> Place: app.py:2\n> Result: it gives -1",
        "Input: none\nPlace: app.py:2\nResult: none",
        "Input: add(1, 2)\nPlace: nowhere/app.py:2\nResult: it gives -1",
        "Input: add(1, 2)\nPlace: in the Makefile somewhere\nResult: it gives -1",
    ],
)
def test_one_that_lacks_a_part_or_names_no_file_is_none(said: str) -> None:
    assert read_counterexamples(said, PATHS) == ()


@pytest.mark.parametrize(
    "place",
    [
        "app.py",
        "`app.py:2`",
        "app.py, line 2",
        "line 2 of app.py",
        "app.py#L2",
        "`add()` in app.py (line 2)",
        "b/app.py:2-4",
        "src/my shop/cart.ts:10",
        "./Makefile: 3",
        ".github/workflows/ci.yml:3",
        "src/line.py:3",
        "line 3 of src/line.py",
    ],
)
def test_a_place_names_a_file_in_any_usual_way(place: str) -> None:
    said = f"Input: x\nPlace: {place}\nResult: y"
    assert read_counterexamples(said, PATHS) == (Counterexample("x", place, "y"),)


def test_the_code_of_an_input_belongs_to_it() -> None:
    said = (
        "Input:\n```python\nResult: no\n\nadd(1, 2)\n```\nPlace: app.py:2\nResult: -1\nnot 3\n\nx"
    )
    (found,) = read_counterexamples(said, PATHS)
    assert found.input == "```python\nResult: no\n\nadd(1, 2)\n```"
    assert found.result == "-1\nnot 3"


def test_several_are_read_and_long_ones_cut() -> None:
    said = "".join(f"Input: {n}\nPlace: app.py:{n}\nResult: {'x' * 5_000}\n\n" for n in range(30))
    found = read_counterexamples(said, PATHS)
    assert [each.input for each in found] == [str(n) for n in range(10)]
    assert all(len(each.result) == 1_000 for each in found)


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ("B leaks. [A]", "A"),
        ("**[B]**", "B"),
        ("[A] is right: I choose [A].", "A"),
        ("[A] or [B], who knows", None),
        ("A", None),
        ("", None),
        ("> [A]\n[B]", "B"),
        ("[C]", None),
        ("[A] fails for None, so it is\n**[B]**.", "B"),
        ("Its list `x[A]` is read; [B]", "B"),
    ],
)
def test_a_choice_is_one_letter(said: str, choice: str | None) -> None:
    assert read_choice(said) == choice


@given(st.text(alphabet="InputPlaceResult:\n `>-*ap.y[AB]", max_size=200))
def test_no_words_break_the_readers(said: str) -> None:
    read_choice(said)
    read_verdicts(said)
    for each in read_counterexamples(said, PATHS):
        assert each.input
        assert each.place
        assert each.result


@pytest.mark.timeout(20)
@pytest.mark.parametrize("mark", ["*", "_", "`", "[", "[ ", "```\n", "```a\n", "> ", "~~~\n```\n"])
def test_a_reply_of_many_marks_is_read_in_a_moment(mark: str) -> None:
    assert without_verdict(mark * 200_000).startswith(mark.strip())
    assert read_verdicts(mark * 200_000) == set()
