"""The loop, from a task to revisions: no git, no server."""

from __future__ import annotations

import pytest

from bot.change.solve import solve
from bot.errors import ContextTooLong, LimitReached, OutsideError, SetupError, TimedOut, Unworkable
from bot.types import ModelLimits
from bot.types.snapshot import Change
from tests.change.scripted import (
    FAULT,
    FILES,
    GOOD,
    TASK,
    Script,
    chooses,
    diff_of,
    play,
)
from tests.change.snapshots import view_of
from tests.doubles.edit_blocks import block

BAD = GOOD.replace("    return a - b", "    return nothing like it at all")
CONFIDENT = "[CONFIDENT] It adds."


def test_a_change_that_reflection_is_confident_of_is_the_result() -> None:
    script = Script(GOOD, CONFIDENT)
    solution = play(script)
    assert "+    return a + b" in solution.revisions[-1].patch.text
    assert len(solution.revisions) == 1
    assert solution.revisions[0].verdict is not None
    assert solution.revisions[0].verdict.reason == "It adds."
    assert solution.revisions[0].summary.startswith("Add instead of subtracting")
    assert not solution.notes


def test_the_generation_request_holds_no_verdict_token_and_the_reflection_request_both() -> None:
    script = Script(GOOD, CONFIDENT)
    play(script)
    generation, reflection = (
        "\n".join(part.text for part in prompt.messages) for prompt in script.prompts
    )
    assert "[CONFIDENT]" not in generation
    assert "[REVISION NEEDED]" not in generation
    for part in (
        "[CONFIDENT]",
        "[REVISION NEEDED]",
        "Mend add.",
        "+    return a + b",
        "def add(a, b):",
    ):
        assert part in reflection


def test_every_request_begins_with_one_system_message_and_takes_turns() -> None:
    script = Script(BAD, GOOD, CONFIDENT)
    play(script)
    assert len(script.prompts) == 3
    for prompt in script.prompts:
        roles = [part.role for part in prompt.messages]
        assert roles[0] == "system"
        assert roles[1:] == ["user", "assistant"] * (len(roles) // 2 - 1) + ["user"]


def test_edits_that_do_not_match_are_sent_back_and_only_they() -> None:
    both = GOOD + "\n" + block("other.py", "y = 22", "y = 3")
    script = Script(both, block("other.py", "y = 2", "y = 3"), CONFIDENT)
    solution = play(script)
    assert set(solution.revisions[-1].changes) == {"app.py", "other.py"}
    sent_back = script.asked(1)
    assert "other.py" in sent_back
    assert "y = 2" in sent_back
    assert "1 of your edits was applied" in sent_back
    assert script.prompts[1].purpose == "repair"


def test_edits_that_never_match_end_it_with_the_reason() -> None:
    script = Script(BAD, BAD)
    with pytest.raises(Unworkable, match="did not match"):
        play(script)
    assert len(script.prompts) == 2


def test_edits_left_over_beside_good_ones_are_told() -> None:
    both = GOOD + "\n" + block("other.py", "nothing like it", "z")
    solution = play(Script(both, "I cannot.", CONFIDENT))
    assert set(solution.revisions[-1].changes) == {"app.py"}
    assert "1 of the model's edits did not match" in solution.notes[0]
    assert "`other.py`" in solution.notes[0]


def test_a_request_for_more_is_answered_from_the_repository() -> None:
    script = Script("```request\nread other.py\nsearch return\nlist .\n```\n", GOOD, CONFIDENT)
    solution = play(script)
    answered = script.asked(1)
    assert "x = 1" in answered
    assert "return a - b" in answered
    assert script.prompts[1].purpose == "more"
    assert "other.py" in {part.path for part in solution.shown}


def test_the_summary_is_of_the_reply_that_made_the_change() -> None:
    script = Script("Let me look first.\n\n```request\nread other.py\n```\n", GOOD, CONFIDENT)
    assert play(script).revisions[-1].summary == "Add instead of subtracting"


def test_requests_are_answered_a_bounded_number_of_times() -> None:
    request = "```request\nread other.py\n```\n"
    script = Script(*[request] * 9)
    with pytest.raises(Unworkable, match="ever more"):
        play(script)
    assert len(script.prompts) < 9


def test_a_reply_that_can_never_be_read_is_no_sign_that_nothing_is_needed() -> None:
    with pytest.raises(Unworkable, match="could not be read"):
        play(Script(*["<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n"] * 2))


def test_what_a_draft_left_open_is_told() -> None:
    odd = "<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n"
    solution = play(Script(GOOD + odd, odd, CONFIDENT))
    assert solution.revisions[-1].patch.text
    assert "could not be read" in solution.notes[0]


def test_no_edits_mean_that_no_change_is_needed_and_nothing_is_reflected_on() -> None:
    script = Script("[NO CHANGE] It is right already: subtraction is what the caller wants.")
    solution = play(script)
    assert not solution.revisions[-1].patch.text
    assert solution.revisions[-1].summary.startswith("It is right already")
    assert len(script.prompts) == 1


def test_a_reply_that_neither_edits_nor_says_that_none_is_needed_is_asked_about_once() -> None:
    script = Script("Done!", GOOD, CONFIDENT)
    assert play(script).revisions[-1].patch.text
    assert "[NO CHANGE]" in script.asked(1)
    script = Script("It is right already.", "It is.")
    solution = play(script)
    assert not solution.revisions[-1].patch.text
    assert solution.revisions[-1].summary == "It is right already."


def test_a_repair_of_one_file_leaves_the_edits_of_others_open() -> None:
    both = BAD + "\n" + block("other.py", "nothing like it", "z")
    solution = play(Script(both, GOOD, CONFIDENT))
    assert any("left out: `other.py`" in note for note in solution.notes)


def test_what_a_reply_left_unread_is_told_where_the_model_does_not_answer_for_it() -> None:
    sed = "\n```bash\nsed -i s/1/2/ other.py\n```\n"
    solution = play(Script(GOOD + sed, "That is all.", CONFIDENT))
    assert "a shell command that changes files" in solution.notes[0]
    assert not play(Script(GOOD + sed, "[NO CHANGE] It was an example.", CONFIDENT)).notes


def test_reasoning_is_not_sent_back_to_the_model() -> None:
    script = Script(f"<think>\nMaybe.\n</think>\n{BAD}", GOOD, CONFIDENT)
    play(script)
    assert "Maybe." not in script.prompts[1].messages[-2].text
    assert "nothing like it at all" in script.prompts[1].messages[-2].text


def test_a_reply_that_was_cut_is_gone_on_with() -> None:
    half = GOOD + "\nother.py\n<<<<<<< SEARCH\ny = 2\n=====" + ""
    script = Script(half, block("other.py", "y = 2", "y = 3"), CONFIDENT, finish=["length"])
    solution = play(script)
    assert "cut off" in script.asked(1)
    assert set(solution.revisions[-1].changes) == {"app.py", "other.py"}


def test_the_limit_of_calls_ends_it_before_a_first_revision() -> None:
    with pytest.raises(LimitReached):
        play(Script(BAD, BAD), calls=1)


def test_the_limit_of_tokens_in_reflection_keeps_the_revision_and_says_so() -> None:
    solution = play(Script(GOOD), tokens=50)
    assert solution.revisions[-1].patch.text
    assert "Reflection ended early" in solution.notes[0]


@pytest.mark.parametrize(
    "failure",
    [
        OutsideError("Away.", next_step="Wait."),
        TimedOut("Late.", next_step="Wait."),
        SetupError("Quota.", next_step="Pay."),
    ],
)
def test_a_model_that_fails_in_reflection_leaves_the_change_that_was_paid_for(
    failure: Exception,
) -> None:
    solution = play(Script(GOOD, failure))
    assert solution.revisions[-1].patch.text
    assert "Reflection ended early" in solution.notes[0]


def test_a_context_that_is_too_long_is_cut_and_asked_once_more() -> None:
    too_long = ContextTooLong("Too long.", next_step="Show less.")
    script = Script(too_long, GOOD, CONFIDENT)
    assert play(script).revisions[-1].patch.text
    with pytest.raises(ContextTooLong):
        play(Script(too_long, too_long))


def test_the_same_replies_give_the_same_result() -> None:
    more = f"[REVISION NEEDED]\n{FAULT}\n{block('other.py', 'x = 1', 'x = 2')}"
    replies = (GOOD, more, chooses("x = 2"), CONFIDENT)
    assert play(Script(*replies)) == play(Script(*replies))


def test_it_goes_on_from_what_stands_already() -> None:
    base = view_of(FILES)
    start = {"app.py": Change("app.py", b"def add(a, b):\n    return a + b\n")}
    script = Script(block("app.py", "    return a + b", "    return b + a"), CONFIDENT)
    solution = solve(TASK, base, script, diff_of(base), limits=ModelLimits(), start=start)
    assert "return a + b" in script.asked(0)
    assert solution.revisions[-1].changes["app.py"].content == b"def add(a, b):\n    return b + a\n"


def test_what_stands_already_is_no_result_of_edits_that_never_match() -> None:
    base = view_of(FILES)
    start = {"other.py": Change("other.py", b"x = 3\n")}
    with pytest.raises(Unworkable):
        solve(TASK, base, Script(BAD, BAD), diff_of(base), limits=ModelLimits(), start=start)


def test_what_stands_already_is_the_result_where_nothing_more_is_needed() -> None:
    base = view_of(FILES)
    start = {"other.py": Change("other.py", b"x = 3\n")}
    solution = solve(
        TASK,
        base,
        Script("[NO CHANGE] It does that.", CONFIDENT),
        diff_of(base),
        limits=ModelLimits(),
        start=start,
    )
    assert solution.revisions[-1].changes == start
    assert "nothing further" in solution.notes[0]
