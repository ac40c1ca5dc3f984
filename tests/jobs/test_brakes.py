"""The operator's brakes: a pause, a list of people and repositories, and a budget for each person."""

from __future__ import annotations

import pytest

from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, LOUDER, REPO, Scene


def test_while_it_is_paused_new_work_is_refused_with_the_reason(scene: Scene) -> None:
    scene.database.shared.pause("the host moves")
    told = scene.tell("/tinygen Louder.")
    assert told.state == "refused"
    assert "TinyGen takes no new work at the moment: the host moves." in told.answer
    assert scene.asked == []
    assert "refused" in scene.tell("/tinygen status", on=scene.repo.issues[1]).answer
    scene.database.shared.pause(None)
    scene.model_says(LOUDER, CONFIDENT)
    assert scene.tell("/tinygen retry", on=scene.repo.issues[1]).state == "done"


def test_what_runs_when_it_is_paused_goes_on(scene: Scene) -> None:
    def pause(_messages: object) -> str:
        scene.database.shared.pause("")
        return LOUDER

    scene.model_says(pause, CONFIDENT)
    assert scene.tell("/tinygen --pr Louder.").state == "done"
    assert len(scene.repo.pulls) == 1


@pytest.mark.parametrize("denied", ["mona", "MONA, somebody", REPO, "octocat/*"])
def test_whoever_is_in_the_list_commands_nothing(set_scene: SetScene, denied: str) -> None:
    scene = set_scene(settings={"TINYGEN_DENY": denied})
    scene.repo.permissions["mona"] = "write"
    told = scene.tell("/tinygen Louder.", who="mona")
    assert told.state == "refused"
    assert "takes no commands of yours, or none for this repository" in told.answer
    if "mona" in denied.lower():
        scene.forget_refusals()
        assert scene.tell("/tinygen Louder.", who="octocat").state == "done"


def test_a_person_in_the_list_is_known_after_a_change_of_name(set_scene: SetScene) -> None:
    scene = set_scene()
    number = scene.github.world.user("mona").id
    denied = set_scene(settings={"TINYGEN_DENY": str(number)})
    denied.repo.permissions["mona"] = "write"
    assert denied.github.world.user("mona").id == number
    assert denied.tell("/tinygen Louder.", who="mona").state == "refused"


def test_each_person_has_a_budget_of_their_own(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_ACTOR_DAILY_TOKENS": "1"})
    scene.repo.permissions["mona"] = "write"
    assert scene.tell("/tinygen Louder.", who="mona").state == "done"
    told = scene.tell("/tinygen Louder.", who="mona", on=scene.repo.issues[1])
    assert told.state == "refused"
    assert "You have used the 1 tokens that one person may use in a day." in told.answer
    assert "TINYGEN_ACTOR_DAILY_TOKENS" in told.answer
    scene.model_says(LOUDER, CONFIDENT)
    assert scene.tell("/tinygen --new Louder.", on=scene.repo.issues[1]).state == "done"
