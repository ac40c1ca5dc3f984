"""What stops a job beside `/tinygen cancel`: its command deleted, its issue closed."""

from __future__ import annotations

import time

from bot.jobs.workflows import CANCEL, JobReference, cancel_id
from tests.doubles.github.webhooks import Delivery
from tests.doubles.model import hang
from tests.scene import CONFIDENT, LOUDER, Scene, Told


def hanging(scene: Scene) -> Told:
    """A job in the middle of a model call."""
    scene.app.events.append("issues")
    scene.open_issue()
    scene.model_says(hang(60))
    told = scene.say("/tinygen --pr Louder.", on=scene.repo.issues[1])
    scene.wait(lambda: scene.asked, "the model to be asked")
    return told


def newest(scene: Scene) -> Delivery:
    return scene.deliveries[-1]


def test_a_deleted_command_stops_its_job_in_the_middle_of_a_call(scene: Scene) -> None:
    told = hanging(scene)
    scene.repo.delete_comment(told.comment)
    assert scene.deliver(newest(scene)).status_code == 202
    assert scene.ended(told).state == "cancelled"
    assert len(scene.asked) == 1
    assert "state=cancelled -->" in told.answer
    assert list(scene.rows()) == [told.job]


def test_a_deletion_that_arrives_before_its_command_stops_that_and_no_other(scene: Scene) -> None:
    scene.open_issue()
    comment = scene.repo.comment(1, "octocat", "/tinygen --pr Louder.")
    created = newest(scene)
    scene.repo.delete_comment(comment)
    gone = newest(scene)
    scene.deliver(gone)
    scene.wait(lambda: scene.engine.state(gone.guid) == "ended", "the deletion to be seen")
    assert scene.deliver(created).status_code == 202
    told = scene.ended(Told(scene, created.guid, comment))
    assert (told.state, told.row["state"], told.answers, scene.asked) == (
        "cancelled",
        "cancelled",
        [],
        [],
    )
    assert told.row["finished_at"]
    assert scene.tell("/tinygen Louder.", on=scene.repo.issues[1]).state == "done"


def test_a_closed_issue_stops_all_that_runs_for_it(scene: Scene) -> None:
    told = hanging(scene)
    waiting = scene.say("/tinygen Softer.", on=scene.repo.issues[1])
    scene.wait(lambda: waiting.answers, "the second command to be taken")
    scene.repo.close(1)
    assert scene.deliver(newest(scene)).status_code == 202
    assert [scene.ended(each).state for each in (told, waiting)] == ["cancelled", "cancelled"]
    assert len(scene.asked) == 1


def test_whoever_may_not_cancel_stops_nothing_of_others_by_closing(scene: Scene) -> None:
    scene.app.events.append("issues")
    issue = scene.open_issue(who="mallory")
    scene.model_says(hang(60))
    told = scene.say("/tinygen --pr Louder.", on=issue)
    scene.wait(lambda: scene.asked, "the model to be asked")
    scene.repo.close(issue.number, by="mallory")
    closed = newest(scene)
    scene.deliver(closed)
    scene.wait(lambda: scene.engine.state(closed.guid) == "ended", "the closing to be seen")
    assert told.state == "running"
    scene.repo.issues[issue.number].state = "open"
    scene.repo.close(issue.number, by="octocat")
    scene.deliver(newest(scene))
    assert scene.ended(told).state == "cancelled"


def test_a_closing_stops_nothing_that_was_asked_for_afterwards(scene: Scene) -> None:
    scene.app.events.append("issues")
    issue = scene.open_issue()
    scene.repo.close(issue.number)
    closed = newest(scene)
    time.sleep(1.1)  # GitHub's times are whole seconds
    told = hanging(scene)
    scene.deliver(closed)
    scene.wait(lambda: scene.engine.state(closed.guid) == "ended", "the closing to be seen")
    assert told.state == "running"
    scene.tell("/tinygen cancel", on=scene.repo.issues[1])
    assert scene.ended(told).state == "cancelled"


def test_a_delivery_under_another_id_is_of_the_same_event(scene: Scene) -> None:
    told = scene.tell("/tinygen Louder.")
    headers = {**told.delivery.headers, "X-GitHub-Delivery": "another-id"}
    answer = scene.web.post("/webhook", data=told.delivery.body, headers=headers)
    assert answer.status_code == 202
    scene.tell("/tinygen help", on=scene.repo.issues[1])
    assert "another-id" not in scene.rows()
    assert len(scene.asked) == 2


def test_a_deleted_command_stops_no_other(scene: Scene) -> None:
    told = hanging(scene)
    other = scene.tell("/tinygen help", on=scene.repo.issues[1])
    scene.repo.delete_comment(other.comment)
    gone = newest(scene)
    scene.deliver(gone)
    scene.wait(lambda: scene.engine.state(gone.guid) == "ended", "the deletion to be seen")
    assert told.state == "running"
    scene.tell("/tinygen cancel", on=scene.repo.issues[1])
    assert scene.ended(told).state == "cancelled"


def test_what_is_no_command_or_no_closing_is_ignored(scene: Scene) -> None:
    scene.app.events.append("issues")
    scene.open_issue()
    assert "only its closing" in scene.deliver(newest(scene)).text
    scene.repo.delete_comment(scene.repo.comment(1, "octocat", "Just words."))
    assert scene.deliver(newest(scene)).status_code == 200


def test_a_job_that_is_cancelled_after_its_last_reply_pushes_nothing(scene: Scene) -> None:
    cancelled: list[str] = []

    def cancel(_messages: object) -> str:
        (job,) = scene.rows()
        scene.engine.start(CANCEL, cancel_id(job), JobReference(job))
        cancelled.append(job)
        return CONFIDENT

    scene.model_says(LOUDER, cancel)
    told = scene.tell("/tinygen --pr Louder.")
    assert (told.state, cancelled) == ("cancelled", [told.job])
    assert scene.repo.git.refs("refs/heads/tinygen/") == []
