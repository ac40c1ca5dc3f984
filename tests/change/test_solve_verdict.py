"""What a review comes to: its edits count whatever token stands beside them, over all of its
replies."""

from __future__ import annotations

import pytest

from bot.types import Verdict
from tests.change.scripted import GOOD, Script, play
from tests.doubles.edit_blocks import block

MORE = block("other.py", "y = 2", "y = 3")
STRAY = block("other.py", "no such line", "z")
ASIDE = "```request\nread other.py\n```\n"
FENCED = "```text\n[REVISION NEEDED]\n```\n"

REVISED = [
    f"[REVISION NEEDED] More.\n{MORE}",
    f"[CONFIDENT] Only a trifle.\n{MORE}",
    f"{MORE}\n[CONFIDENT] Only a trifle.",
    f"[CONFIDENT], or rather [REVISION NEEDED]\n{MORE}",
    f"[REVISION NEEDED]\n{MORE}\nNow it is [CONFIDENT].",
    f"More.\n{MORE}",
    f"<think>\n[CONFIDENT]?\n</think>\n[REVISION NEEDED] More.\n{MORE}",
    f"It is [CONFIDENT], or not.\n</think>\n[REVISION NEEDED] More.\n{MORE}",
    block("other.py", "y = 2", "y = '[CONFIDENT]'"),
]


@pytest.mark.parametrize("reply", REVISED)
def test_edits_make_a_revision_whatever_token_stands_beside_them(reply: str) -> None:
    solution = play(Script(GOOD, reply), revisions=1)
    assert len(solution.revisions) == 2
    assert solution.revisions[0].verdict is not None
    assert not solution.revisions[0].verdict.confident


@pytest.mark.parametrize("reply", REVISED)
def test_they_do_so_in_a_later_reply_of_the_review(reply: str) -> None:
    script = Script(GOOD, ASIDE, reply)
    assert len(play(script, revisions=1).revisions) == 2
    assert not script.replies


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


def test_they_are_taken_where_the_repair_makes_them_match() -> None:
    script = Script(GOOD, f"[CONFIDENT] But:\n{STRAY}", MORE)
    assert len(play(script, revisions=1).revisions) == 2


@pytest.mark.parametrize("beside", ["", MORE])
def test_what_of_a_review_could_not_be_read_is_told(beside: str) -> None:
    odd = "<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n"
    solution = play(Script(GOOD, f"[CONFIDENT]\n{beside}\n{odd}", odd), revisions=1)
    assert len(solution.revisions) == 1 + bool(beside)
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
    looked = play(
        Script(GOOD, f"[REVISION NEEDED] It lacks a test.\n{ASIDE}", f"Here it is.\n{MORE}"),
        revisions=1,
    )
    assert looked.revisions[0].verdict == Verdict(confident=False, reason="It lacks a test.")
