"""`/tinygen ask`: an answer from the repository, which changes nothing."""

from __future__ import annotations

import pytest

from tests.doubles.edit_blocks import block
from tests.doubles.model import server_error
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, HELLO, LOUD_HELLO, LOUDER, Scene

ANSWER = (
    "`greet` says it, at `greet.py:4-5`; `farewell` does not (`greet.py`).\n\n"
    "```python\ndef greet(name: str) -> str:\n```\n\n"
    "See `README.md#L1`, not `greet.py:400` or `nowhere.py:1`."
)
EDIT = block("greet.py", HELLO, LOUD_HELLO)


def test_an_answer_links_to_the_lines_that_it_names_at_the_commit_that_was_read(
    scene: Scene,
) -> None:
    scene.model_says(ANSWER)
    told = scene.tell("/tinygen ask What says hello?")
    blob = f"{scene.github.url}/octocat/greeter/blob/{scene.repo.git.branch('main')}"
    assert f"at [`greet.py:4-5`]({blob}/greet.py#L4-L5); " in told.answer
    assert f"([`greet.py`]({blob}/greet.py))" in told.answer
    assert f"See [`README.md#L1`]({blob}/README.md?plain=1#L1), not `greet.py:400`" in told.answer
    assert "```python\ndef greet(name: str) -> str:\n```" in told.answer
    assert told.reactions == ["eyes", "rocket"]
    assert told.row["mode"] == "ask"
    assert told.row["diff"] is None
    assert told.row["prompt"] == "What says hello?"


def test_the_model_is_shown_what_it_would_be_shown_for_a_change(scene: Scene) -> None:
    scene.model_says(ANSWER, LOUDER, CONFIDENT)
    scene.tell("/tinygen ask Where is greet?")
    scene.tell("/tinygen Where is greet?")
    asked, changed = scene.asked[0], scene.asked[1]
    assert "file greet.py, lines 1 to 9 of 9" in asked
    assert asked.split("# Question")[0].count("<material") == changed.split("# Task")[0].count(
        "<material"
    )
    assert "SEARCH" not in asked


@pytest.mark.parametrize("mode", ["diff", "pr"])
def test_whatever_the_model_writes_nothing_is_changed(scene: Scene, mode: str) -> None:
    scene.repo.git.commit({".github/tinygen.yml": f"mode: {mode}\n".encode()}, branch="main")
    branches = scene.repo.git.run("branch", "--list")
    scene.model_says(f"I changed it.\n\n{EDIT}")
    told = scene.tell("/tinygen ask Make it louder?")
    assert told.state == "done"
    assert "```diff" not in told.answer
    assert "A question changes nothing" in told.answer
    assert scene.repo.git.run("branch", "--list") == branches
    assert not scene.repo.pulls
    assert "No diff was shown" in scene.tell("/tinygen apply").answer


def test_the_model_may_ask_to_see_more_and_must_answer_in_the_end(scene: Scene) -> None:
    more = "```request\nread README.md\n```"
    scene.model_says(*[more] * 5, "In the README.")
    told = scene.tell("/tinygen ask Where is it described?")
    assert "It greets." in scene.asked[1]
    assert "No further requests can be answered" in scene.asked[5]
    assert "In the README." in told.answer
    scene.model_says(*[more] * 6)
    told = scene.tell("/tinygen ask Where is it described?")
    assert told.state == "failed"
    assert "The model gave no answer" in told.answer


def test_a_question_after_a_diff_is_about_the_files_with_it_and_apply_still_means_the_diff(
    scene: Scene,
) -> None:
    first = scene.tell("/tinygen Greet louder.")
    scene.model_says("It is loud at `greet.py:5`, see `README.md:1`.")
    told = scene.tell("/tinygen ask Is it loud?")
    assert '+    return "HELLO, ' in scene.asked[2]
    assert "loud at `greet.py:5`, see [`README.md:1`](" in told.answer  # the base has other lines
    assert "delivers" not in told.answer
    scene.tell("/tinygen apply")
    (pull,) = scene.repo.pulls
    assert (scene.repo.git.file(scene.repo.head(pull), "greet.py") or b"").count(b"HELLO") == 1
    assert first.diff


def test_a_further_question_knows_the_one_before_it(scene: Scene) -> None:
    scene.model_says("In `greet`.", "In `farewell`.")
    scene.tell("/tinygen ask Where is hello said?")
    scene.tell("/tinygen ask And goodbye?")
    assert "Where is hello said?\n\nIn `greet`.\n</material" in scene.asked[1]


def test_who_may_have_a_diff_made_may_ask_and_nobody_else(scene: Scene) -> None:
    scene.repo.permissions["tom"] = "triage"
    assert scene.tell("/tinygen ask Why?", who="tom").state == "refused"
    scene.repo.git.commit({".github/tinygen.yml": b"permissions: {diff: triage}\n"}, branch="main")
    scene.forget_refusals()
    scene.model_says("Because.")
    assert scene.tell("/tinygen ask Why?", who="tom").state == "done"


def test_words_of_outsiders_need_no_second_key_where_nothing_is_changed(
    set_scene: SetScene,
) -> None:
    scene = set_scene(settings={"TINYGEN_OUTSIDERS": "refuse"})
    scene.model_says("Because.")
    issue = scene.open_issue(who="mallory")
    told = scene.tell("/tinygen ask Why?", on=issue)
    assert told.state == "done"
    assert "rests on" not in told.answer


def test_a_failed_question_is_asked_again_by_retry(scene: Scene) -> None:
    scene.model_says(server_error(400))
    assert scene.tell("/tinygen ask Why?").state == "failed"
    scene.model_says("Because.")
    told = scene.tell("/tinygen retry")
    assert "Because." in told.answer
    assert told.row["mode"] == "ask"


def test_a_closed_pull_request_can_be_asked_about(scene: Scene) -> None:
    pull = scene.open_pull()
    pull.state = "closed"
    scene.model_says("It was merged.")
    assert scene.tell("/tinygen ask What was it?", on=pull).state == "done"
