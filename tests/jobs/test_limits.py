"""Limits, as the thread and the caller of /run meet them."""

from __future__ import annotations

from werkzeug.test import TestResponse

from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, LOUDER, REPO, Scene


def call(scene: Scene) -> TestResponse:
    asked = {"repoUrl": f"{scene.github.url}/{REPO}", "prompt": "Louder."}
    return scene.web.post("/run", json=asked, headers={"Prefer": "respond-async"})


def test_a_person_over_the_hourly_limit_is_told_so_and_nothing_is_spent(
    set_scene: SetScene,
) -> None:
    scene = set_scene(settings={"TINYGEN_ACTOR_HOURLY": "1"})
    scene.tell("/tinygen Louder.")
    told = scene.tell("/tinygen Louder still.")
    assert told.state == "refused"
    assert "state=refused" in told.answer
    assert "You have made the 1 requests" in told.answer
    assert " UTC" in told.answer
    assert told.reactions == ["confused"]
    assert told.row["state"] == "refused"
    assert len(scene.asked) == 2


def test_help_status_and_cancel_are_never_limited(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_ACTOR_HOURLY": "1"})
    scene.tell("/tinygen Louder.")
    assert [scene.tell(f"/tinygen {word}").state for word in ("help", "status", "cancel")] == [
        "done"
    ] * 3


def test_the_days_tokens_end_the_days_work_but_not_the_delivery_of_a_shown_diff(
    set_scene: SetScene,
) -> None:
    scene = set_scene(settings={"TINYGEN_DAILY_TOKENS": "10"})
    scene.tell("/tinygen Louder.")
    assert "tokens that it may use in a day" in scene.tell("/tinygen Louder still.").answer
    assert scene.tell("/tinygen apply").state == "done"


def test_retry_takes_up_what_a_limit_refused(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_REPO_HOURLY": "1"})
    scene.tell("/tinygen Louder.")
    assert "This repository has had the 1 requests" in scene.tell("/tinygen Softer.").answer
    scene.stop()
    scene.config = scene.config.model_copy(update={"repo_hourly": 0})
    scene.start()
    scene.model_says(LOUDER, CONFIDENT)
    assert scene.tell("/tinygen retry").row["prompt"] == "Softer."


def test_a_caller_of_run_has_a_limit_and_is_told_when_to_come_again(set_scene: SetScene) -> None:
    scene = set_scene(
        settings={
            "TINYGEN_RUN_HOURLY": "1",
            "TINYGEN_ACTOR_HOURLY": "1",
            "GITHUB_TOKEN": "ghp_0123456789",
        }
    )
    first = call(scene)
    assert first.status_code == 202, first.text
    job = (first.json or {})["job"]
    scene.wait(lambda: job in scene.rows(), "the call to be taken")
    second = call(scene)
    assert second.status_code == 429
    assert 3500 < int(second.headers["Retry-After"]) <= 3600
    assert "This caller has made the 1 calls" in second.get_json(force=True)["detail"]


def test_calls_that_come_before_the_first_is_counted_are_refused_by_the_worker(
    set_scene: SetScene,
) -> None:
    scene = set_scene(settings={"TINYGEN_RUN_HOURLY": "1", "GITHUB_TOKEN": "ghp_0123456789"})
    scene.stop()
    jobs = [(call(scene).json or {})["job"] for _ in range(2)]
    scene.start()
    last = jobs[1]
    scene.wait(
        lambda: (report := scene.database.load(last)) and report.state == "refused",
        "the second to be refused",
    )
