"""What comes of a review: its edits need a counterexample and a comparison, or the checks, and every
change that is delivered was reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from bot.adapters.syntax import Bounded
from bot.adapters.syntax.parsers import find_fault
from bot.change.solve import solve
from bot.errors import ContextTooLong, LimitReached, OutsideError, SetupError
from bot.types import Counterexample, ModelLimits, Parsers, Solution
from bot.types.source_names import SourceNames
from tests.change.scripted import (
    FAULT,
    FILES,
    GOOD,
    TASK,
    Said,
    Script,
    chooses,
    diff_of,
    play,
)
from tests.change.snapshots import view_of
from tests.doubles.edit_blocks import block

CONFIDENT = "[CONFIDENT] It adds."
MORE = block("other.py", "y = 2", "y = 3")
STRAY = block("other.py", "no such line", "z")
ASIDE = "```request\nread other.py\n```\n"
FENCED = "```text\n[REVISION NEEDED]\n```\n"
REVISION = f"[REVISION NEEDED]\n{FAULT}\n{MORE}"
NEW, OLD = chooses("y = 3"), chooses("y = 2")
BREAKING = GOOD.replace("    return a + b", "    return (a + b")
MENDING = block("app.py", "    return (a + b", "    return a + b")

REVISED = [
    REVISION,
    f"[CONFIDENT] Only a trifle.\n{FAULT}\n{MORE}",
    f"{FAULT}\n{MORE}\n[CONFIDENT] Only a trifle.",
    f"[CONFIDENT], or rather [REVISION NEEDED]\n{FAULT}\n{MORE}",
    f"[REVISION NEEDED]\n{MORE}\n{FAULT}\nNow it is [CONFIDENT].",
    f"{FAULT}\n{MORE}",
    f"<think>\n[CONFIDENT]?\n</think>\n{REVISION}",
    f"It is [CONFIDENT], or not.\n</think>\n{REVISION}",
]


def purposes(script: Script) -> list[str]:
    return [prompt.purpose for prompt in script.prompts]


def decisions(solution: Solution) -> list[str]:
    return [revision.verdict.decision for revision in solution.revisions if revision.verdict]


@pytest.mark.parametrize("reply", REVISED)
@pytest.mark.parametrize("aside", [(), (ASIDE,)])
def test_edits_with_a_counterexample_that_a_comparison_prefers_make_a_revision(
    reply: str, aside: tuple[str, ...]
) -> None:
    script = Script(GOOD, *aside, reply, NEW, CONFIDENT)
    solution = play(script)
    assert purposes(script) == [
        "generate",
        "reflect",
        *("more" for _ in aside),
        "compare",
        "reflect",
    ]
    first, last = solution.revisions
    assert first.verdict is not None
    assert not first.verdict.confident
    assert first.verdict.decision == "taken"
    assert first.verdict.comparison == "Traced it."
    assert first.verdict.counterexamples == (
        Counterexample("add(1, 2)", "app.py:2", "it gives what it should not."),
    )
    assert set(last.changes) == {"app.py", "other.py"}
    assert last.summary == first.summary
    assert last.verdict is not None
    assert last.verdict.confident
    assert not solution.notes


@pytest.mark.parametrize(
    "reply",
    [
        f"[REVISION NEEDED] It should count on.\n{MORE}",
        f"[CONFIDENT] Only a trifle.\n{MORE}",
        f"More.\n{MORE}",
        f"[REVISION NEEDED]\nInput: add\nPlace: elsewhere\nResult: wrong\n\n{MORE}",
        f"> Input: a\n> Place: app.py:2\n> Result: b\n\n{MORE}",
        block("other.py", "y = 2", "y = '[CONFIDENT]'"),
    ],
)
def test_without_one_the_remark_is_kept_and_the_change_stands(reply: str) -> None:
    script = Script(GOOD, reply)
    solution = play(script)
    assert purposes(script) == ["generate", "reflect"]
    (only,) = solution.revisions
    assert set(only.changes) == {"app.py"}
    assert only.verdict is not None
    assert not only.verdict.confident
    assert (only.verdict.decision, only.verdict.comparison) == ("kept", "")
    assert "named no input" in only.verdict.why


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (OLD, "chose the one before"),
        ("Both would do.", "no clear result"),
        ("[A] or [B], who knows", "no clear result"),
        ("", "no clear result"),
        (MORE, "no clear result"),
        (ASIDE, "no clear result"),
        (OutsideError("Away.", next_step="Wait."), "could not be compared"),
        (SetupError("Quota.", next_step="Pay."), "could not be compared"),
        (ContextTooLong("Long.", next_step="Less."), "could not be compared"),
    ],
)
def test_a_comparison_that_does_not_choose_the_revision_leaves_the_change(
    said: Said | Exception, why: str
) -> None:
    script = Script(GOOD, REVISION, said)
    solution = play(script)
    assert purposes(script) == ["generate", "reflect", "compare"]
    (only,) = solution.revisions
    assert set(only.changes) == {"app.py"}
    assert only.verdict is not None
    assert only.verdict.decision == "kept"
    assert why in only.verdict.why
    assert bool(solution.notes) == isinstance(said, Exception)


def test_the_limit_of_calls_in_a_comparison_leaves_the_change_and_says_what_was_found() -> None:
    solution = play(Script(GOOD, REVISION), calls=2)
    assert len(solution.revisions) == 1
    assert "still there, at app.py:2: it gives what it should not." in solution.notes[0]
    assert "TINYGEN_MAX_CALLS" in LimitReached("x", next_step="TINYGEN_MAX_CALLS").next_step


def test_the_order_of_a_comparison_comes_from_the_seed() -> None:
    orders = set()
    for seed in map(str, range(20)):
        asked = []
        for _ in range(2):
            script = Script(GOOD, REVISION, NEW, CONFIDENT)
            play(script, seed=seed)
            asked.append("\nA y = 3\n" in script.asked(2))
        assert asked[0] == asked[1]
        orders.add(asked[0])
    assert orders == {True, False}


def test_a_comparison_shows_only_where_the_versions_differ() -> None:
    script = Script(GOOD, REVISION, NEW, CONFIDENT)
    play(script)
    asked = script.asked(2)
    assert "y = 2" in asked
    assert "return a" not in asked
    assert "Place: app.py:2" in asked
    assert "Mend add." in asked


def test_the_review_of_a_small_revision_shows_only_what_was_changed_since() -> None:
    large = GOOD + "\n" + block("new.py", "", "".join(f"z{n} = {n}\n" for n in range(100)))
    script = Script(large, REVISION, NEW, CONFIDENT)
    play(script)
    asked = script.asked(3)
    assert "-y = 2\n+y = 3\n" in asked
    assert "it gives what it should not" in asked
    assert "z50" not in asked
    assert "z50" in script.asked(1)


def test_what_checks_find_is_a_counterexample() -> None:
    script = Script(
        BREAKING,
        f"[REVISION NEEDED] It does not parse.\n{MENDING}",
        chooses("    return a + b"),
        CONFIDENT,
    )
    solution = play(script, Bounded(find_fault))
    assert purposes(script) == ["generate", "reflect", "compare", "reflect"]
    assert "does not parse" in script.asked(2)
    assert "does not parse" in script.asked(1)
    assert decisions(solution) == ["taken", ""]
    assert not solution.notes


def test_what_parses_again_may_show_further_problems() -> None:
    def check(files: Sequence[tuple[str, bytes]]) -> list[str | None]:
        return ["it is odd" if b"(a + b" in content else None for _path, content in files]

    def read(files: Sequence[tuple[str, bytes]]) -> list[SourceNames | None]:
        return [_undefined("b" if b" a + b" in content else "") for _path, content in files]

    base = view_of(FILES)
    replies = (BREAKING, f"[REVISION NEEDED] It does not parse.\n{MENDING}")
    script = Script(*replies, chooses("    return a + b"), CONFIDENT)
    solution = solve(
        TASK,
        base,
        script,
        diff_of(base),
        limits=ModelLimits(),
        parsers=Parsers(check, read),
    )
    assert decisions(solution) == ["taken", ""]
    assert "app.py:2 uses `b`, which is not defined." in solution.notes


def _undefined(name: str) -> SourceNames:
    undefined = ((name, 2),) if name else ()
    return SourceNames(undefined, (), frozenset(), {}, (), frozenset())


def test_a_round_that_breaks_what_parsed_is_not_taken() -> None:
    breaking = f"[REVISION NEEDED]\n{FAULT}\n{block('app.py', 'def add(a, b):', 'def add(a, b:')}"
    solution = play(Script(GOOD, breaking), Bounded(find_fault))
    assert b"def add(a, b):" in (solution.revisions[-1].changes["app.py"].content or b"")
    assert "worse" in solution.notes[0]


def test_a_round_that_undoes_everything_is_not_taken() -> None:
    undoing = (
        f"[REVISION NEEDED]\n{FAULT}\n{block('app.py', '    return a + b', '    return a - b')}"
    )
    solution = play(Script(GOOD, undoing))
    assert solution.revisions[-1].patch.text
    assert "undone" in solution.notes[0]


def test_it_stops_where_a_round_changes_nothing() -> None:
    solution = play(Script(GOOD, "[REVISION NEEDED] Something is wrong."), revisions=5)
    assert len(solution.revisions) == 1
    assert "changed nothing" in solution.notes[0]


def test_a_fault_that_was_shown_but_not_mended_is_told() -> None:
    solution = play(Script(GOOD, f"[REVISION NEEDED]\n{FAULT}"))
    assert "still there, at app.py:2: it gives what it should not." in solution.notes[0]


def test_it_stops_where_a_round_goes_back_to_an_earlier_state() -> None:
    there = f"[REVISION NEEDED]\n{FAULT}\n{block('other.py', 'x = 1', 'x = 2')}"
    back = f"[REVISION NEEDED]\n{FAULT}\n{block('other.py', 'x = 2', 'x = 1')}"
    solution = play(Script(GOOD, there, chooses("x = 2"), back), revisions=5)
    assert len(solution.revisions) == 2


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_every_version_is_reviewed_also_the_last_that_the_limit_allows(limit: int) -> None:
    replies: list[Said] = []
    for n in range(2, 9):
        edit = block("other.py", f"y = {n}", f"y = {n + 1}")
        replies += [f"[REVISION NEEDED]\n{FAULT}\n{edit}", chooses(f"y = {n + 1}")]
    script = Script(GOOD, *replies)
    solution = play(script, revisions=limit)
    assert len(solution.revisions) == 1 + limit
    assert all(revision.verdict for revision in solution.revisions)
    assert decisions(solution) == ["taken"] * limit + ["kept"]
    assert purposes(script) == ["generate", "reflect"] + ["compare", "reflect"] * limit
    assert "TINYGEN_MAX_REVISIONS" in solution.notes[0]
    assert "still there" in solution.notes[0]


def test_a_revision_applies_on_top_of_the_current_state() -> None:
    edit = block("app.py", "    return a + b", "    return b + a")
    script = Script(
        GOOD, f"[REVISION NEEDED]\n{FAULT}\n{edit}", chooses("    return b + a"), CONFIDENT
    )
    contents = [revision.changes["app.py"].content or b"" for revision in play(script).revisions]
    assert [b"a + b" in content for content in contents] == [True, False]
    assert all(before != after for before, after in pairwise(contents))


def test_a_review_shows_a_changed_place_once() -> None:
    two = GOOD + "\n" + block("app.py", "def add(a, b):", "def add(a, b, /):")
    script = Script(two, CONFIDENT)
    play(script)
    assert script.asked(1).count("return a + b") == 1


@pytest.mark.parametrize(
    "replies",
    [
        ("[CONFIDENT] It adds.",),
        ("**[Confident]** It adds.",),
        ("`[CONFIDENT]` It adds.",),
        ("It adds.", "[CONFIDENT]"),
        ("It adds.", "It does."),
        ("It adds.\n\n[CONFIDENT]",),
        (f"Let me look.\n{ASIDE}", "[CONFIDENT] It adds."),
        (f"[CONFIDENT], but let me look.\n{ASIDE}", "It adds.", "[NO CHANGE]"),
        ("<think>\nIs [REVISION NEEDED]?\n</think>\n[CONFIDENT] It adds.",),
        ("Is it [REVISION NEEDED]?\n</think>\n[CONFIDENT] It adds.",),
        (f"[CONFIDENT] It adds. The README says:\n\n{FENCED}",),
        ("[CONFIDENT] It adds. A comment says:\n\n> [REVISION NEEDED]\n",),
    ],
)
def test_confident_is_who_sends_no_edits_and_asks_for_none(replies: tuple[str, ...]) -> None:
    script = Script(GOOD, *replies)
    solution = play(script)
    assert [revision.verdict and revision.verdict.confident for revision in solution.revisions] == [
        True
    ]
    assert not script.replies
    assert not solution.notes


@pytest.mark.parametrize(
    "replies",
    [
        ("[REVISION NEEDED] It lacks a test.",),
        ("[CONFIDENT] It adds.\n\n[REVISION NEEDED] It lacks a test.",),
        ("[REVISION NEEDED] It lacks a test.\n\nStill [CONFIDENT].",),
        (f"[CONFIDENT] So far.\n{ASIDE}", "[REVISION NEEDED] It lacks a test."),
        (f"[REVISION NEEDED] It lacks a test.\n{ASIDE}", "[CONFIDENT] After all."),
        ("```\n[REVISION NEEDED] It lacks a test.",),
    ],
)
def test_a_revision_that_was_asked_for_in_any_reply_is_no_confidence(
    replies: tuple[str, ...],
) -> None:
    solution = play(Script(GOOD, *replies))
    assert len(solution.revisions) == 1
    assert solution.revisions[0].verdict is not None
    assert not solution.revisions[0].verdict.confident
    assert "lacks a test" in solution.revisions[0].verdict.reason
    assert "changed nothing" in solution.notes[0]


@pytest.mark.parametrize("token", ["[CONFIDENT] But:", "[REVISION NEEDED]", "Look:"])
def test_edits_of_a_review_that_never_match_are_asked_for_again_and_told(token: str) -> None:
    script = Script(GOOD, f"{token}\n{STRAY}", STRAY)
    solution = play(script)
    assert [prompt.purpose for prompt in script.prompts] == [
        "generate",
        "reflect",
        "repair",
    ]
    assert len(solution.revisions) == 1
    assert solution.revisions[0].verdict is not None
    assert not solution.revisions[0].verdict.confident
    assert any("did not match and were left out: `other.py`" in note for note in solution.notes)


def test_they_are_compared_where_the_repair_makes_them_match() -> None:
    script = Script(GOOD, f"[CONFIDENT] But:\n{FAULT}\n{STRAY}", MORE, NEW, CONFIDENT)
    assert len(play(script).revisions) == 2


@pytest.mark.parametrize("beside", ["", MORE])
def test_what_of_a_review_could_not_be_read_is_told(beside: str) -> None:
    odd = "<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n"
    solution = play(Script(GOOD, f"[CONFIDENT]\n{beside}\n{odd}", odd))
    assert any("could not be read" in note for note in solution.notes)


def test_edits_that_the_change_before_left_open_stay_told_where_the_review_changes_nothing() -> (
    None
):
    mismatched = GOOD + "\n" + STRAY
    solution = play(
        Script(
            mismatched,
            "I cannot.",
            f"[REVISION NEEDED]\n{block('app.py', 'no such', 'z')}",
            "No.",
        )
    )
    assert any(
        "2 of the model's edits" in note and "`app.py`, `other.py`" in note
        for note in solution.notes
    )


def test_the_reason_is_said_where_the_verdict_is() -> None:
    looked = play(Script(GOOD, f"[REVISION NEEDED] It lacks a test.\n{ASIDE}", f"Here.\n{MORE}"))
    assert looked.revisions[0].verdict is not None
    assert looked.revisions[0].verdict.reason == "It lacks a test."


def test_an_edit_left_open_stays_told_unless_its_file_is_changed_by_the_review() -> None:
    both = GOOD + "\n" + STRAY
    script = Script(both, "I cannot.", f"[REVISION NEEDED]\n{FAULT}\n{MORE}", NEW, CONFIDENT)
    assert not play(script).notes
    other = block("new.py", "", "z = 1")
    script = Script(
        both, "I cannot.", f"[REVISION NEEDED]\n{FAULT}\n{other}", chooses("z = 1"), CONFIDENT
    )
    assert any("left out: `other.py`" in note for note in play(script).notes)
