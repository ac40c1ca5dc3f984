"""Who may command the bot, as GitHub says when it is asked."""

from __future__ import annotations

import pytest

from tests.doubles.github.state import Role
from tests.jobs.conftest import SetScene
from tests.scene import REPO, Scene


@pytest.mark.parametrize("role", ["read", "triage"])
def test_a_person_without_the_permission_is_refused_in_one_comment(
    scene: Scene, role: Role
) -> None:
    scene.repo.permissions["mona"] = role
    told = scene.tell("/tinygen Louder.", who="mona")
    assert told.state == "refused"
    assert told.answer.startswith(f"<!-- tinygen:job={told.job} state=refused -->\n")
    assert "`write`" in told.answer
    assert f"`{role}`" in told.answer
    assert told.reactions == ["confused"]
    assert not scene.asked
    assert (told.row["state"], told.row["actor"], told.row["model_calls"]) == ("refused", "mona", 0)
    assert "`write`" in told.row["error"]


@pytest.mark.parametrize("role", ["write", "maintain", "admin"])
def test_a_person_with_the_permission_is_heard(scene: Scene, role: Role) -> None:
    scene.repo.permissions["mona"] = role
    assert scene.tell("/tinygen help", who="mona").state == "done"


@pytest.mark.parametrize("words", ["help", "status", "cancel", "apply", "retry"])
def test_no_command_is_open_to_all(scene: Scene, words: str) -> None:
    told = scene.tell(f"/tinygen {words}", who="passer-by")
    assert (told.state, told.reactions) == ("refused", ["confused"])


def test_the_operator_may_lower_the_least_permission(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_MIN_PERMISSION": "triage"})
    scene.repo.permissions["mona"] = "triage"
    assert scene.tell("/tinygen help", who="mona").state == "done"
    assert scene.tell("/tinygen help", who="passer-by").state == "refused"


def test_the_payloads_word_on_who_someone_is_counts_for_nothing(scene: Scene) -> None:
    scene.tell("/tinygen help")
    delivery = next(each for each in scene.deliveries if each.event == "issue_comment")
    comment = {**delivery.payload["comment"], "author_association": "OWNER"}
    comment["user"] = {**comment["user"], "login": "mallory", "id": 99, "site_admin": True}
    part = {"action": "created", "comment": comment, "issue": delivery.payload["issue"]}
    forged = scene.github.deliver(
        "issue_comment", {**part, "repository": delivery.payload["repository"]}
    )
    answer = scene.deliver(forged)
    assert answer.json
    job = answer.json["job"]
    scene.wait(
        lambda: job in scene.rows() and scene.rows()[job]["state"] == "refused", "the refusal"
    )
    assert scene.github.requests.of("GET", rf"/repos/{REPO}/collaborators/mallory/permission")


@pytest.mark.parametrize("words", ["/tinygen Louder.", "/tinygen help"])
def test_a_bot_is_refused_without_a_comment(scene: Scene, words: str) -> None:
    robot = scene.github.add_user("robot[bot]")
    robot.type = "Bot"
    scene.repo.permissions[robot.login] = "admin"
    told = scene.tell(words, who="robot[bot]")
    assert (told.state, told.reactions) == ("refused", ["confused"])
    assert scene.bot_comments() == []
    assert told.row["state"] == "refused"


def test_a_person_whom_github_does_not_know_is_refused(scene: Scene) -> None:
    told = scene.say("/tinygen Louder.", who="ghost")
    del scene.github.world.users["ghost"]
    assert scene.ended(told).state == "refused"


def test_a_refused_command_cancels_nothing(scene: Scene) -> None:
    running = scene.say("/tinygen Louder.")
    assert scene.tell("/tinygen cancel", who="mallory").state == "refused"
    assert scene.ended(running).state == "done"
