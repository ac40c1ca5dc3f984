"""What people and GitHub do to a repository while a job works on it: each ends in words, or in the
log."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from bot.jobs.workflows import run_id
from tests.doubles.github.faults import (
    Fault,
    delayed,
    dropped,
    primary_limit,
    secondary_limit,
    unauthorized,
)
from tests.doubles.model import Messages
from tests.scene import CONFIDENT, LOUDER, Scene


def meanwhile(act: Callable[[], object]) -> Callable[[Messages], str]:
    """What the model says at its review, while somebody acts."""

    def reply(_messages: Messages) -> str:
        act()
        return CONFIDENT

    return reply


def archive(scene: Scene) -> None:
    scene.repo.archived = True


def withdraw(scene: Scene) -> None:
    scene.installation.permissions["contents"] = "read"
    scene.github.revoke_tokens()


def rename(scene: Scene) -> None:
    scene.repo.rename("greetings")


def delete_base(scene: Scene) -> None:
    scene.repo.git.commit({"other.py": b""}, branch="other")
    scene.repo.git.run("update-ref", "-d", "refs/heads/main")


def lock(scene: Scene) -> None:
    scene.repo.issues[1].locked = True


def empty(scene: Scene) -> None:
    scene.repo.git.run("update-ref", "-d", "refs/heads/main")


def delete(scene: Scene) -> None:
    del scene.github.world.names[scene.repo.full_name.lower()]
    scene.github.world.repositories.pop(scene.repo.id).git.close()


def uninstall(scene: Scene) -> None:
    scene.github.uninstall(scene.installation)


class TestUnderUs:
    @pytest.mark.parametrize(
        ("act", "said"),
        [
            (withdraw, "permission"),
            (rename, "renamed"),
            (delete_base, "base"),
            (empty, "empty"),
        ],
    )
    def test_what_can_be_told_is_told_in_the_comment(
        self, scene: Scene, act: Callable[[Scene], None], said: str
    ) -> None:
        scene.model_says(LOUDER, meanwhile(lambda: act(scene)))
        told = scene.tell("/tinygen --pr Louder.")
        assert (told.state, told.row["state"]) == ("done", "done")
        assert "HELLO" in told.diff
        assert said in told.answer.lower()
        assert said in told.row["error"].lower()

    @pytest.mark.parametrize(
        ("act", "said"), [(archive, "archived"), (delete, "does not exist"), (uninstall, "install")]
    )
    def test_what_cannot_be_told_is_in_the_log(
        self, scene: Scene, act: Callable[[Scene], None], said: str
    ) -> None:
        scene.model_says(LOUDER, meanwhile(lambda: act(scene)))
        told = scene.tell("/tinygen --pr Louder.")
        assert "HELLO" in told.row["diff"]
        assert said in told.row["error"].lower()
        assert told.report.failure is not None
        assert told.report.failure.next_step

    def test_a_conversation_that_is_locked_meanwhile_still_gets_its_end(self, scene: Scene) -> None:
        scene.model_says(LOUDER, meanwhile(lambda: lock(scene)))
        told = scene.tell("/tinygen --pr Louder.")
        assert (told.state, len(scene.repo.pulls)) == ("done", 1)
        assert "state=done -->" in told.answer

    def test_a_conversation_that_was_locked_before_ends_in_the_log_unpaid(
        self, scene: Scene
    ) -> None:
        scene.open_issue()
        told = scene.say("/tinygen help")
        scene.ended(told)
        lock(scene)
        told = scene.tell("/tinygen --pr Louder.")
        assert "locked" in told.row["error"]
        assert scene.asked == []

    def test_a_head_branch_that_is_deleted_is_named_and_not_made_again(self, scene: Scene) -> None:
        pull = scene.open_pull()
        scene.model_says(
            LOUDER, meanwhile(lambda: scene.repo.git.run("update-ref", "-d", "refs/heads/topic"))
        )
        told = scene.tell("/tinygen --pr Louder.", on=pull)
        assert "HELLO" in told.diff
        assert "topic" in told.answer
        assert scene.repo.git.branch("topic") is None


class TestALimit:
    SOON_S = 600.0
    """Longer than one call waits, shorter than a job."""

    def test_that_ends_in_time_puts_the_job_off_and_frees_the_worker(self, scene: Scene) -> None:
        limit = primary_limit(reset_at_s=time.time() + self.SOON_S)
        scene.github.faults.add(limit, method="POST", path=r"/git/trees$")
        told = scene.say("/tinygen --pr Louder.")
        scene.wait(lambda: scene.engine.state(run_id(told.job)) == "ended", "the job to be put off")
        assert told.report.state == "running"
        scene.stop()
        scene.start()
        assert scene.hurry() == 1
        assert scene.ended(told).state == "done"
        assert (len(scene.asked), len(told.answers), len(scene.repo.pulls)) == (2, 1, 1)

    def test_at_acceptance_puts_that_off_too(self, scene: Scene) -> None:
        limit = primary_limit(reset_at_s=time.time() + self.SOON_S)
        scene.github.faults.add(limit, path=r"/permission$")
        told = scene.say("/tinygen --pr Louder.")
        scene.wait(scene.hurry, "the job to be put off")
        assert scene.ended(told).state == "done"

    def test_that_is_met_again_puts_the_job_off_again(self, scene: Scene) -> None:
        limit = secondary_limit(retry_after_s=int(self.SOON_S))
        order = scene.github.faults.add(limit, method="POST", path=r"/git/trees$", times=2)
        told = scene.say("/tinygen --pr Louder.")
        scene.wait(scene.hurry, "the job to be put off")
        scene.wait(lambda: order.met == 2, "the second try")
        scene.wait(scene.hurry, "the job to be put off again")
        assert scene.ended(told).state == "done"
        assert (len(scene.asked), len(scene.repo.pulls)) == (2, 1)

    def test_that_outlasts_the_job_ends_it_with_the_time(self, scene: Scene) -> None:
        limit = primary_limit(reset_at_s=time.time() + 3600)
        scene.github.faults.add(limit, method="POST", path=r"/git/trees$")
        told = scene.tell("/tinygen --pr Louder.")
        assert told.state == "failed"
        assert "rate limit" in told.answer
        assert "minutes" in told.answer

    def test_does_not_bring_a_cancelled_job_back(self, scene: Scene) -> None:
        limit = primary_limit(reset_at_s=time.time() + self.SOON_S)
        scene.github.faults.add(limit, path=r"/git/ref/heads/main$")
        told = scene.say("/tinygen --pr Louder.")
        scene.wait(lambda: scene.engine.state(run_id(told.job)) == "ended", "the job to be put off")
        scene.tell("/tinygen cancel")
        assert scene.ended(told).state == "cancelled"
        assert scene.hurry() == 1
        assert scene.tell("/tinygen help").state == "done"
        assert scene.asked == []


class TestForAMoment:
    PLACES = (
        ("POST", r"/access_tokens$"),
        ("GET", r"/permission$"),
        ("POST", r"/comments$"),
        ("POST", r"/git/trees$"),
        ("POST", r"/pulls$"),
        ("PATCH", r"/issues/comments/"),
    )

    @pytest.mark.parametrize(
        "fault",
        [
            secondary_limit(retry_after_s=3),
            secondary_limit(status=429),
            Fault(500, b"oops"),
            dropped(),
            delayed(0.3),
        ],
    )
    def test_at_every_place_is_nothing_that_anybody_sees(self, scene: Scene, fault: Fault) -> None:
        orders = [
            scene.github.faults.add(fault, method=method, path=path) for method, path in self.PLACES
        ]
        told = scene.hurried(scene.say("/tinygen --pr Louder."))
        assert (told.state, len(told.answers), len(scene.repo.pulls)) == ("done", 1, 1)
        assert [order.met for order in orders] == [1] * len(self.PLACES)

    def test_tokens_that_are_bad_in_the_middle_are_made_anew(self, scene: Scene) -> None:
        scene.model_says(LOUDER, meanwhile(scene.github.revoke_tokens))
        assert scene.tell("/tinygen --pr Louder.").state == "done"

    def test_a_fresh_token_that_is_refused_once_is_tried_again(self, scene: Scene) -> None:
        scene.github.faults.add(unauthorized(), method="POST", path=r"/git/", times=2)
        assert scene.tell("/tinygen --pr Louder.").state == "done"


@pytest.mark.parametrize(
    "fault", [dropped(acts=True), Fault(502, b"<html>", acts=True), Fault(201, b"{}", acts=True)]
)
def test_answers_that_are_lost_after_github_acted_make_nothing_twice(
    scene: Scene, fault: Fault
) -> None:
    for path in (r"/issues/1/comments$", r"/pulls$", r"/git/refs$"):
        scene.github.faults.add(fault, method="POST", path=path)
    told = scene.tell("/tinygen --pr Louder.")
    assert (told.state, len(told.answers), len(scene.repo.pulls)) == ("done", 1, 1)
    assert len(scene.repo.git.refs("refs/heads/tinygen/")) == 1
