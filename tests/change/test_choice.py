"""The question of what the first request shows: when it is asked, and what its answer does."""

from __future__ import annotations

import pytest

from bot.change.solve import solve
from bot.errors import ContextTooLong, OutsideError, SetupError
from bot.types import ModelLimits, Solution, Task
from tests.change.scripted import Script, diff_of
from tests.change.snapshots import view_of
from tests.doubles.edit_blocks import block

TASK = Task("o/r", "The total of an order is wrong.")


def _function(name: str) -> str:
    return f"def {name}(order):\n" + "    order = next(order)\n" * 30 + "    return order\n\n\n"


FILES = {
    f"shop/{name}.py": "".join(_function(f"{name}_order_{n}") for n in range(40)).encode()
    for name in ("total", "tax", "zone")
}
EDIT = "Mend it\n\n" + block(
    "shop/tax.py", "def tax_order_31(order):", "def tax_order_31(order, /):"
)
CONFIDENT = "[CONFIDENT] It does."
CHOICE = "```request\nread shop/tax.py def tax_order_31\n```\n"


def _play(script: Script) -> Solution:
    base = view_of(FILES)
    return solve(TASK, base, script, diff_of(base), limits=ModelLimits())


def test_the_model_chooses_from_a_map_what_it_is_shown() -> None:
    script = Script(CHOICE, EDIT, CONFIDENT)
    solution = _play(script)
    assert [prompt.purpose for prompt in script.prompts] == ["choose", "generate", "reflect"]
    assert "total_order_0" in script.asked(0)
    assert TASK.prompt in script.asked(0)
    assert _function("tax_order_31").rstrip() in script.asked(1)
    assert solution.shown[0].why == "the model asked for it"
    assert not solution.notes


@pytest.mark.parametrize(
    "said",
    [
        "",
        "I would look at the totals.",
        "```request\nthe totals\n```",
        EDIT,
        "[NO CHANGE]",
    ],
)
def test_a_choice_that_names_nothing_leaves_things_as_without_it(said: str) -> None:
    script, other = (
        Script(said, EDIT, CONFIDENT),
        Script(ContextTooLong("", next_step=""), EDIT, CONFIDENT),
    )
    assert not _play(script).notes
    _play(other)
    assert script.prompts[1] == other.prompts[1]


def test_a_search_is_answered_with_the_first_request() -> None:
    script = Script("```request\nsearch def zone_order_3\\d in shop/*.py\n```", EDIT, CONFIDENT)
    solution = _play(script)
    assert "def zone_order_37(order):" in script.asked(1)
    assert not solution.notes


def test_a_file_that_is_not_there_is_told_with_the_first_request() -> None:
    script = Script("```request\nread shop/toll.py\n```", EDIT, CONFIDENT)
    _play(script)
    assert "shop/toll.py" in script.asked(1)


def test_what_had_no_room_is_told_with_the_first_request() -> None:
    lines = "".join(f"search zone_order_{number}\n" for number in range(15))
    script = Script(f"```request\n{lines}```", EDIT, CONFIDENT)
    _play(script)
    assert "For the last 3 of your requests there was no room." in script.asked(1)


def test_of_a_line_that_says_too_much_the_path_counts() -> None:
    script = Script("```request\nread shop/zone.py ZONES, rates\n```", EDIT, CONFIDENT)
    assert _play(script).shown[0].path == "shop/zone.py"


def test_a_model_that_cannot_be_asked_is_done_without_and_that_is_told() -> None:
    script = Script(SetupError("There is no model small.", next_step="Set it."), EDIT, CONFIDENT)
    solution = _play(script)
    assert solution.revisions[-1].patch.text
    assert "There is no model small." in solution.notes[0]


def test_a_server_that_is_away_for_a_while_is_asked_again_later() -> None:
    with pytest.raises(OutsideError):
        _play(Script(OutsideError("Away.", next_step="Wait.")))


def test_the_question_holds_no_verdict_token() -> None:
    script = Script(CHOICE, EDIT, CONFIDENT)
    _play(script)
    text = "\n".join(message.text for message in script.prompts[0].messages)
    assert "[CONFIDENT]" not in text
    assert "[REVISION NEEDED]" not in text
